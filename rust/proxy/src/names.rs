//! Names: of Services, of their ports, and of the chains that are made from them.

use std::fmt;
use std::sync::Arc;

use kdp_netfilter::Name;
use kdp_packet::Proto;

/// Namespace and name of a Service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceName {
    /// The namespace.
    pub namespace: Arc<str>,
    /// The name.
    pub name: Arc<str>,
}

impl ServiceName {
    /// Of these two.
    pub fn new(namespace: impl Into<Arc<str>>, name: impl Into<Arc<str>>) -> ServiceName {
        ServiceName { namespace: namespace.into(), name: name.into() }
    }
}

impl fmt::Display for ServiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// A port of a Service, and how slices speak of it: its name (may be empty) and its protocol.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortName {
    /// The name; empty if it has none.
    pub name: Arc<str>,
    /// TCP, UDP or SCTP.
    pub protocol: Proto,
}

/// The key of a service port: Service, port name and protocol.
///
/// Two ports of one number but with two protocols are two service ports. Ordered by namespace, name, port name, protocol:
/// the order in which kdp writes services. kube-proxy walks a map, that is, in no order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServicePortName {
    /// The Service.
    pub service: ServiceName,
    /// Its port.
    pub port: PortName,
}

impl ServicePortName {
    /// What the names of its chains are hashed from: the text, then the protocol in lower case.
    pub fn seed(&self) -> String {
        format!("{self}{}", self.port.protocol)
    }

    /// `KUBE-SVC-…`, `KUBE-SVL-…`, `KUBE-EXT-…` or `KUBE-FW-…`, by prefix. The four share the suffix.
    /// Source: kube-proxy, iptables `servicePortChainName`.
    pub fn chain(&self, prefix: &'static str) -> Name {
        Name::hashed(prefix, self.seed())
    }

    /// `KUBE-SEP-…` of an endpoint, given as `IP:port` (`[IPv6]:port`).
    /// Source: kube-proxy, iptables `servicePortEndpointChainName`.
    pub fn endpoint_chain(&self, endpoint: &str) -> Name {
        endpoint_chain(&self.seed(), endpoint)
    }
}

/// [`ServicePortName::endpoint_chain`], where the seed of the service port is at hand.
pub(crate) fn endpoint_chain(seed: &str, endpoint: &str) -> Name {
    Name::hashed("KUBE-SEP-", [seed, endpoint].concat())
}

impl fmt::Display for ServicePortName {
    /// `namespace/name:port`, or `namespace/name` for a port without a name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ServiceName { namespace, name } = &self.service;
        match &*self.port.name {
            "" => write!(f, "{namespace}/{name}"),
            port => write!(f, "{namespace}/{name}:{port}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spn(port: &str) -> ServicePortName {
        let port = PortName { name: port.into(), protocol: Proto::TCP };
        ServicePortName { service: ServiceName::new("ns1", "svc1"), port }
    }

    #[test]
    fn chains_are_named_as_kube_proxy_names_them() {
        assert_eq!(spn("p80").chain("KUBE-SVC-").as_str(), "KUBE-SVC-XPGD46QRK7WJZT7O");
        assert_eq!(spn("").chain("KUBE-EXT-").as_str(), "KUBE-EXT-AQI2S6QIMU7PVVRP");
        assert_eq!(spn("p80").endpoint_chain("10.180.0.1:80").as_str(), "KUBE-SEP-SXIVWICOYRO3J4NJ");
    }

    #[test]
    fn a_port_without_a_name_has_no_colon() {
        assert_eq!((spn("p80").to_string(), spn("").to_string()), ("ns1/svc1:p80".into(), "ns1/svc1".into()));
    }
}
