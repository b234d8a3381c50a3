//! A node: a Linux box with Pods on a bridge, and a kube-proxy that keeps its rules.

use std::net::IpAddr;
use std::sync::Arc;

use kdp_host::{Device, DeviceId, Host, RouteKind, Routes};
use kdp_netfilter::conntrack::Settings as ConntrackSettings;
use kdp_packet::{Cidr, Family};
use kdp_proxy::{Config, Mode, NodeFacts, View};
use kdp_sim::{Chance, Time};

use crate::Error;
use crate::directory::Place;
use crate::options::Options;
use crate::path::Way;
use crate::proxy::{Proxy, Trigger};

/// The device towards other nodes and the world.
pub(crate) const UPLINK: &str = "eth0";
/// The bridge that Pods are on.
pub(crate) const BRIDGE: &str = "cni0";

/// A node that somebody asked for.
pub(crate) struct Node {
    pub(crate) host: Host,
    uplink: DeviceId,
    bridge: DeviceId,
    pub(crate) proxy: Proxy,
    placed: u64,
}

impl Node {
    /// A node as it boots: devices, routes, no rules yet.
    pub(crate) fn boot(
        name: &str,
        place: &Place,
        facts: &NodeFacts,
        options: &Options,
        pod_cidrs: &[Cidr],
        triggers: usize,
        now: Time,
    ) -> Result<Node, Error> {
        let config = config(name, place, options, pod_cidrs)?;
        let mut host = Host::new(name, ConntrackSettings::default(), Chance::new(options.seed));
        host.set_evaluator(options.evaluator);
        // Source: kube-proxy sets route_localnet for node ports on localhost.
        host.sysctls.route_localnet = config.mode == Mode::Iptables && config.iptables_localhost_nodeports;
        let uplink = host.devices.add(Device::new(UPLINK, &[]));
        let bridge = host.devices.add(Device::new(BRIDGE, &[]));
        let proxy = Proxy::new(config, facts, triggers, options.proxy_timers, now);
        let mut node = Node { uplink, bridge, proxy, host, placed: 0 };
        node.place(place);
        Ok(node)
    }

    /// Brings devices and routes in line with the place, if it changed.
    pub(crate) fn place(&mut self, place: &Place) {
        if self.placed == place.version {
            return;
        }
        self.placed = place.version;
        let host_addr = |addr: IpAddr| (addr, Family::of(addr).bits());
        self.host.devices.get_mut(self.uplink).addrs = place.addrs.iter().copied().map(host_addr).collect();
        self.host.devices.get_mut(self.bridge).addrs = bridge_addrs(place);
        self.host.routes.replace(self.routes(place));
    }

    /// Pods are on the bridge, everybody else is behind the uplink.
    fn routes(&self, place: &Place) -> Routes {
        let by = |device| RouteKind::Unicast { device, via: None };
        let mut routes = Routes::default();
        for family in [Family::V4, Family::V6] {
            routes.add(Cidr::all(family), by(self.uplink));
        }
        for cidr in &place.pod_cidrs {
            routes.add(*cidr, by(self.bridge));
        }
        let outside = |addr: &&IpAddr| !place.pod_cidrs.iter().any(|cidr| cidr.contains(**addr));
        for addr in place.pods.iter().filter(outside) {
            routes.add(Cidr::host(*addr), by(self.bridge));
        }
        routes
    }

    /// Brings the rules in line with the view, or does what is due. The cost follows what changed since the last time.
    pub(crate) fn sync(&mut self, view: &View, triggers: &[Trigger], now: Time) -> Result<(), Error> {
        self.proxy.sync(&mut self.host, view, triggers, now)
    }

    /// Whether its rules are nftables'.
    pub(crate) fn is_nftables(&self) -> bool {
        self.proxy.is_nftables()
    }

    /// The device that a packet comes in by; `None` for one of the node itself.
    pub(crate) fn device(&self, way: Way) -> Option<DeviceId> {
        match way {
            Way::Bridge => Some(self.bridge),
            Way::Uplink => Some(self.uplink),
            Way::Local => None,
        }
    }

    /// The device towards everybody who is no Pod of this node.
    pub(crate) fn uplink(&self) -> DeviceId {
        self.uplink
    }
}

/// The bridge has the first address of each Pod network, unless a Pod has it; without one it borrows the node's own.
fn bridge_addrs(place: &Place) -> Vec<(IpAddr, u8)> {
    let own = place.pod_cidrs.iter().filter_map(|cidr| Some((cidr.nth(1)?, cidr.prefix_len())));
    let own = own.filter(|(addr, _)| !place.pods.contains(addr));
    let addrs: Vec<(IpAddr, u8)> = own.collect();
    if addrs.is_empty() {
        place.addrs.iter().map(|addr| (*addr, Family::of(*addr).bits())).collect()
    } else {
        addrs
    }
}

/// kube-proxy's options on this node: what was given, and what the Node says where nothing was.
fn config(name: &str, place: &Place, options: &Options, pod_cidrs: &[Cidr]) -> Result<Config, Error> {
    let mut config = if options.proxy.is_empty() {
        let profile = options.profile;
        Config { detect_local: options.detect_local(pod_cidrs), profile, ..Config::new(name) }
    } else {
        let mut block = options.proxy.clone();
        block.entry("version").or_insert_with(|| options.profile.to_string().into());
        let config = Config::from_block(&serde_json::Value::Object(block))?;
        if options.proxy.contains_key("detectLocal") {
            config
        } else {
            Config { detect_local: options.detect_local(pod_cidrs), ..config }
        }
    };
    config.node_name = config.hostname_override.clone().unwrap_or_else(|| Arc::from(name));
    if !options.proxy.contains_key("nodeIPs") {
        let bridge = bridge_addrs(place).into_iter().map(|(addr, _)| addr);
        config.node_ips.clone_from(&place.addrs);
        config.node_ips.extend(bridge.filter(|addr| !place.addrs.contains(addr)));
        config.primary_node_ips =
            [Family::V4, Family::V6].into_iter().filter_map(|family| place.primary(family)).collect();
    }
    config.check()?;
    config.check_single_stack()?;
    Ok(config)
}
