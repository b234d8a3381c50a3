//! A box from the outside: devices with their addresses, and routes, as a packet case states them.

use std::net::IpAddr;

use kdp_packet::{Cidr, parse_ip_lenient};

use crate::Error;
use crate::device::Device;
use crate::host::Host;
use crate::route::RouteKind;

impl Host {
    /// Adds a device with addresses as `IP/LENGTH`, and the routes to the networks on it.
    pub fn add_device(&mut self, name: &str, addrs: &[&str]) -> Result<(), Error> {
        let addrs = addrs.iter().map(|text| interface_addr(text)).collect::<Result<Vec<_>, _>>()?;
        let device = self.devices.add(Device::new(name, &addrs));
        for (addr, len) in addrs {
            let net = Cidr::new(addr, len).expect("the length was checked with the address");
            self.routes.add(net, RouteKind::Unicast { device, via: None });
        }
        Ok(())
    }

    /// Adds addresses to `lo`.
    pub fn add_loopback_addrs(&mut self, addrs: &[&str]) -> Result<(), Error> {
        for text in addrs {
            let addr = interface_addr(text)?;
            self.devices.get_mut(crate::LOOPBACK).add_addr(addr);
        }
        Ok(())
    }

    /// Adds a route to `to` (`default`, a CIDR) by a device, through `via` if given.
    pub fn add_route(&mut self, to: &str, device: &str, via: Option<IpAddr>) -> Result<(), Error> {
        let device = self.device(device)?;
        let kind = RouteKind::Unicast { device, via };
        let nets = match to {
            "default" => vec![Cidr::all(kdp_packet::Family::V4), Cidr::all(kdp_packet::Family::V6)],
            text => vec![Cidr::parse(text).ok_or_else(|| bad(format!("route to {text:?} is not a CIDR")))?],
        };
        for net in nets {
            self.routes.add(net, kind);
        }
        Ok(())
    }

    /// A device by name.
    pub fn device(&self, name: &str) -> Result<crate::DeviceId, Error> {
        self.devices.by_name(name).ok_or_else(|| Error::Device {
            found: name.to_owned(),
            devices: self.devices.iter().map(|(_, device)| device.name.to_string()).collect(),
        })
    }

    /// Where a packet from `src` comes from if it comes by the way back: `Some(None)` from the box itself, `Some` device, and
    /// `None` where no route leads back.
    pub fn way_in(&self, src: IpAddr) -> Option<Option<crate::DeviceId>> {
        if self.devices.is_local(src) {
            return Some(None);
        }
        match self.routes.lookup(src)? {
            RouteKind::Unicast { device, .. } => Some(Some(device)),
            _ => None,
        }
    }

    /// Sets a sysctl by its name, `net.` left out or not. What does not exist here is an error.
    pub fn set_sysctl(&mut self, name: &str, value: u32) -> Result<(), Error> {
        let name = name.strip_prefix("net.").unwrap_or(name);
        let on = value != 0;
        match name {
            "ipv4.ip_forward" => self.sysctls.ip_forward = on,
            "ipv6.conf.all.forwarding" => self.sysctls.ip6_forward = on,
            "ipv4.conf.all.route_localnet" => self.sysctls.route_localnet = on,
            "ipv4.conf.all.rp_filter" if value <= 2 => self.sysctls.rp_filter = value.to_le_bytes()[0],
            _ => return Err(bad(format!("sysctl {name} = {value} is not modelled"))),
        }
        Ok(())
    }
}

/// A device by number.
pub(crate) fn numbered(host: &Host, number: u32) -> Result<crate::DeviceId, Error> {
    let found = host.devices.iter().find(|(id, _)| id.0 == number).map(|(id, _)| id);
    found.ok_or_else(|| Error::Device {
        found: number.to_string(),
        devices: host.devices.iter().map(|(id, device)| format!("{} ({})", id.0, device.name)).collect(),
    })
}

fn bad(why: String) -> Error {
    Error::Topology { why }
}

fn interface_addr(text: &str) -> Result<(IpAddr, u8), Error> {
    let parse = || {
        let (addr, len) = text.split_once('/')?;
        let (addr, len) = (parse_ip_lenient(addr)?, len.parse().ok()?);
        Cidr::new(addr, len).map(|_| (addr, len))
    };
    parse().ok_or_else(|| bad(format!("address {text:?} is not IP/LENGTH")))
}
