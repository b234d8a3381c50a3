//! The sysctls of a box that decide about packets (connection tracking's own are in its settings).

/// Source: Documentation/networking/ip-sysctl.rst; defaults are Linux', but for forwarding, which every node has on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sysctls {
    /// `net.ipv4.ip_forward`.
    pub ip_forward: bool,
    /// `net.ipv6.conf.all.forwarding`.
    pub ip6_forward: bool,
    /// `net.ipv4.conf.all.route_localnet`: 127/8 may be routed. kube-proxy sets it for node ports on localhost.
    pub route_localnet: bool,
    /// `net.ipv4.conf.all.rp_filter`: 0 off, 1 strict, 2 loose.
    pub rp_filter: u8,
}

impl Default for Sysctls {
    fn default() -> Sysctls {
        Sysctls { ip_forward: true, ip6_forward: true, route_localnet: false, rp_filter: 0 }
    }
}
