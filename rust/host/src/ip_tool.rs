//! The `ip` tool: what `ip route`, `ip link set` and `ip addr` change.

use std::net::IpAddr;

use kdp_packet::{Cidr, Family, parse_ip_lenient};

use crate::Error;
use crate::device::DeviceId;
use crate::host::Host;
use crate::route::{MAIN, MarkRule, RouteKind};

/// What the tool ends with when the kernel says no.
const REFUSED: u8 = 2;

impl Host {
    /// Carries out `ip ARGUMENTS`, and gives the tool's exit code: 0, or 2 where the kernel refuses (a route that is there
    /// already, one that is not there). What is not modelled is an error that names it.
    ///
    /// A device that goes down, and an address that is removed, take the connections with them that masquerade by them.
    /// Source: iproute2's ip-route(8), ip-link(8), ip-address(8); net/ipv4/fib_frontend.c `fib_disable_ip`,
    /// net/netfilter/nf_nat_masquerade.c, v6.12.
    pub fn ip(&mut self, arguments: &[&str]) -> Result<u8, Error> {
        let unknown = || Error::Topology { why: format!("ip {} is not modelled", arguments.join(" ")) };
        let (family, words) = match arguments {
            ["-6", rest @ ..] => (Family::V6, rest),
            words => (Family::V4, words.strip_prefix(&["-4"]).unwrap_or(words)),
        };
        let done = match words {
            ["route" | "r", verb, rest @ ..] => self.ip_route(verb, family, rest)?,
            ["rule" | "ru", verb, rest @ ..] => self.ip_rule(verb, family, rest),
            ["link" | "l", "set", rest @ ..] => self.ip_link(rest.strip_prefix(&["dev"]).unwrap_or(rest))?,
            ["addr" | "address" | "a", verb, addr, "dev", device] => self.ip_addr(verb, addr, device)?,
            _ => None,
        };
        done.ok_or_else(unknown)
    }

    /// `None` where a word is not known.
    fn ip_route(&mut self, verb: &str, family: Family, words: &[&str]) -> Result<Option<u8>, Error> {
        let (kind, words) = match words {
            ["blackhole", rest @ ..] => (Some(RouteKind::Blackhole), rest),
            ["unreachable", rest @ ..] => (Some(RouteKind::Unreachable), rest),
            ["throw", rest @ ..] => (Some(RouteKind::Throw), rest),
            ["prohibit", rest @ ..] => (Some(RouteKind::Prohibit), rest),
            rest => (None, rest.strip_prefix(&["unicast"]).unwrap_or(rest)),
        };
        let [to, way @ ..] = words else { return Ok(None) };
        let Some(to) = network(to, family) else { return Ok(None) };
        let Some(Way { device, via, table }) = self.way(way)? else { return Ok(None) };
        if matches!(verb, "del" | "delete") {
            return Ok(Some(if self.routes.table_mut(table).remove(to) { 0 } else { REFUSED }));
        }
        let device = device.or_else(|| self.device_towards(via?));
        let Some(kind) = kind.or_else(|| device.map(|device| RouteKind::Unicast { device, via })) else {
            return Ok(Some(REFUSED));
        };
        let routes = self.routes.table_mut(table);
        let there = routes.iter().any(|(known, _)| *known == to);
        match verb {
            "add" if there => return Ok(Some(REFUSED)),
            "change" if !there => return Ok(Some(REFUSED)),
            "add" | "replace" | "change" => routes.add(to, kind),
            _ => return Ok(None),
        }
        Ok(Some(0))
    }

    /// `via ADDRESS`, `dev DEVICE`, `table NUMBER`, in any order.
    fn way(&self, mut words: &[&str]) -> Result<Option<Way>, Error> {
        let mut way = Way { device: None, via: None, table: MAIN };
        while let [word, value, rest @ ..] = words {
            match *word {
                "dev" => way.device = Some(self.device(value)?),
                "via" => way.via = parse_ip_lenient(value),
                "table" => match table(value) {
                    Some(table) => way.table = table,
                    None => return Ok(None),
                },
                _ => return Ok(None),
            }
            words = rest;
        }
        Ok(words.is_empty().then_some(way))
    }

    /// `ip rule add|del fwmark MARK[/MASK] table NUMBER`.
    fn ip_rule(&mut self, verb: &str, family: Family, words: &[&str]) -> Option<u8> {
        let ["fwmark", mark, "table" | "lookup", number] = words else { return None };
        let (mark, mask) = mark.split_once('/').unwrap_or((mark, "0xffffffff"));
        let rule = MarkRule { family, mark: hex(mark)?, mask: hex(mask)?, table: table(number)? };
        let done = match verb {
            "add" => self.routes.add_rule(rule),
            "del" | "delete" => self.routes.remove_rule(rule),
            _ => return None,
        };
        Some(if done { 0 } else { REFUSED })
    }

    fn device_towards(&self, addr: IpAddr) -> Option<DeviceId> {
        match self.routes.lookup(addr)? {
            RouteKind::Unicast { device, .. } => Some(device),
            RouteKind::Unreachable | RouteKind::Prohibit | RouteKind::Blackhole | RouteKind::Throw => None,
        }
    }

    fn ip_link(&mut self, words: &[&str]) -> Result<Option<u8>, Error> {
        let [name, what @ ..] = words else { return Ok(None) };
        let device = self.device(name)?;
        match what {
            ["mtu", mtu] => match mtu.parse() {
                Ok(mtu) => self.devices.get_mut(device).mtu = mtu,
                Err(_) => return Ok(None),
            },
            ["down"] => self.take_down(device),
            ["up"] => self.bring_up(device),
            _ => return Ok(None),
        }
        Ok(Some(0))
    }

    /// IPv4 addresses stay, routes and IPv6 addresses go.
    fn take_down(&mut self, device: DeviceId) {
        let down = self.devices.get_mut(device);
        down.up = false;
        down.addrs.retain(|(addr, _)| addr.is_ipv4());
        self.routes.remove_device(device);
        self.conntrack.device_gone(device.0);
    }

    fn bring_up(&mut self, device: DeviceId) {
        let up = self.devices.get_mut(device);
        up.up = true;
        for (addr, len) in up.addrs.clone() {
            let net = Cidr::new(addr, len).expect("a device's address has a prefix");
            self.routes.add(net, RouteKind::Unicast { device, via: None });
        }
    }

    fn ip_addr(&mut self, verb: &str, addr: &str, device: &str) -> Result<Option<u8>, Error> {
        let device = self.device(device)?;
        let Some((addr, len)) = interface_addr(addr) else { return Ok(None) };
        let net = Cidr::new(addr, len).expect("the prefix was checked");
        let changed = self.devices.get_mut(device);
        let addrs = &mut changed.addrs;
        let place = addrs.iter().position(|known| *known == (addr, len));
        match (verb, place) {
            ("add", Some(_)) | ("del" | "delete", None) => return Ok(Some(REFUSED)),
            ("add", None) => {
                changed.add_addr((addr, len));
                self.routes.add(net, RouteKind::Unicast { device, via: None });
            }
            ("del" | "delete", Some(place)) => {
                addrs.remove(place);
                if !addrs.iter().any(|(addr, len)| Cidr::new(*addr, *len) == Some(net)) {
                    self.routes.remove(net);
                }
                self.conntrack.address_gone(addr);
            }
            _ => return Ok(None),
        }
        Ok(Some(0))
    }
}

/// How a route leads to its network.
struct Way {
    device: Option<DeviceId>,
    via: Option<IpAddr>,
    table: u32,
}

/// A table by number, or the main one by name.
fn table(text: &str) -> Option<u32> {
    if text == "main" {
        Some(MAIN)
    } else {
        text.parse().ok().filter(|number| (1..=252).contains(number) || *number == MAIN)
    }
}

/// A number, in hexadecimal behind `0x`.
fn hex(text: &str) -> Option<u32> {
    text.strip_prefix("0x").map_or_else(|| text.parse().ok(), |digits| u32::from_str_radix(digits, 16).ok())
}

fn network(text: &str, family: Family) -> Option<Cidr> {
    match text {
        "default" => Some(Cidr::all(family)),
        _ => Cidr::parse(text).or_else(|| parse_ip_lenient(text).map(Cidr::host)),
    }
}

/// `ADDRESS/LENGTH`, or an address alone.
fn interface_addr(text: &str) -> Option<(IpAddr, u8)> {
    let (addr, len) = text.split_once('/').map_or((text, None), |(addr, len)| (addr, Some(len)));
    let addr = parse_ip_lenient(addr)?;
    let len = len.map_or(Some(Family::of(addr).bits()), |len| len.parse().ok())?;
    Cidr::new(addr, len).map(|_| (addr, len))
}

#[cfg(test)]
mod tests {
    use kdp_netfilter::conntrack::Settings;
    use kdp_sim::Chance;

    use super::*;

    fn says(host: &mut Host, command: &str) -> Result<u8, String> {
        let words: Vec<&str> = command.split(' ').collect();
        host.ip(&words).map_err(|error| error.to_string())
    }

    #[test]
    fn routes_devices_and_addresses_change() {
        let mut host = Host::new("box", Settings::default(), Chance::new(1));
        host.add_device("a0", &["10.0.0.1/24", "fd00::1/64"]).unwrap();
        let a0 = host.device("a0").unwrap();
        let to = |host: &Host, addr: [u8; 4]| host.routes.lookup(addr.into());
        for (command, wanted) in [
            ("route add blackhole 10.7.0.0/16", 0),
            ("route add blackhole 10.7.0.0/16", 2),
            ("route replace 10.7.0.0/16 via 10.0.0.9", 0),
            ("-6 route add unreachable fd00:7::/64", 0),
            ("route del 10.8.0.0/16", 2),
            ("route add default dev a0", 0),
            ("route add 10.9.0.0/16 dev a0 table 100", 0),
            ("rule add fwmark 1 table 100", 0),
            ("rule add fwmark 1 table 100", 2),
            ("rule del fwmark 0x1/0xffffffff lookup 100", 0),
            ("link set dev a0 mtu 1400", 0),
            ("addr add 10.2.0.1/16 dev a0", 0),
            ("addr del 10.2.0.1/16 dev a0", 0),
        ] {
            assert_eq!(says(&mut host, command), Ok(wanted), "{command}");
        }
        let via = Some([10, 0, 0, 9].into());
        assert_eq!(to(&host, [10, 7, 1, 1]), Some(RouteKind::Unicast { device: a0, via }));
        assert_eq!(to(&host, [10, 2, 1, 1]), Some(RouteKind::Unicast { device: a0, via: None }));
        assert_eq!(host.devices.get(a0).mtu, 1400);
        assert_eq!(says(&mut host, "link set a0 down"), Ok(0));
        assert_eq!(to(&host, [10, 0, 0, 5]), None);
        assert_eq!(says(&mut host, "link set a0 up"), Ok(0));
        assert!(to(&host, [10, 0, 0, 5]).is_some());
        assert_eq!(host.devices.get(a0).addrs.len(), 1, "IPv6 addresses do not come back");
        for command in
            ["rule add from 10.0.0.0/8 table 100", "route add 10.9.0.0/16 dev a0 metric 5", "neigh show"]
        {
            assert_eq!(says(&mut host, command), Err(format!("topology: ip {command} is not modelled")));
        }
    }
}
