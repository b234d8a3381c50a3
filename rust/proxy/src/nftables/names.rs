//! Names of the chains and sets of one service port.

use std::sync::Arc;

use kdp_netfilter::Name;

use crate::names::ServicePortName;
use crate::view::Endpoint;

/// The longest name but for its prefix. Source: kube-proxy, nftables `chainNameBaseLengthMax`.
const BASE_MAX: usize = 240;

/// The names that a service port's chains and sets have behind their prefixes.
pub(super) struct PortNames {
    text: String,
    base: String,
}

impl PortNames {
    /// Source: kube-proxy, nftables `servicePortChainNameBase`.
    pub(super) fn new(key: &ServicePortName) -> PortNames {
        let text = format!("{}/{}/{}", key.service, key.port.protocol, key.port.name);
        let base = hash_and_truncate(&text);
        PortNames { text, base }
    }

    /// `service-…`, `local-…`, `external-…` or `firewall-…`.
    pub(super) fn chain(&self, prefix: &str) -> Name {
        Name::text([prefix, &*self.base].concat())
    }

    /// `endpoint-…` and `affinity-…`. A colon may not stand in a name, so IPv6 addresses have dots.
    /// Source: kube-proxy, nftables `servicePortEndpointChainNameBase`.
    pub(super) fn endpoint(&self, endpoint: &Endpoint) -> EndpointNames {
        let ip = endpoint.backend.text.replace(':', ".");
        let base = hash_and_truncate(&format!("{}__{ip}/{}", self.text, endpoint.port));
        EndpointNames {
            chain: Name::text(["endpoint-", &*base].concat()),
            affinity: ["affinity-", &*base].concat().into(),
        }
    }
}

/// The names of an endpoint's chain and of its set of clients.
pub(super) struct EndpointNames {
    pub(super) chain: Name,
    pub(super) affinity: Arc<str>,
}

/// Eight characters of the text's digest, a hyphen and the text, cut where it is too long.
/// Source: kube-proxy, nftables `hashAndTruncate`.
fn hash_and_truncate(text: &str) -> String {
    let mut name = format!("{}-{text}", &Name::hashed("", text).as_str()[..8]);
    if name.len() > BASE_MAX {
        // Names of Services and ports are ASCII.
        let cut = (0..=BASE_MAX - 3).rev().find(|cut| name.is_char_boundary(*cut)).unwrap_or_default();
        name.truncate(cut);
        name.push_str("...");
    }
    name
}

#[cfg(test)]
mod tests {
    use kdp_packet::Proto;

    use super::*;
    use crate::names::{PortName, ServiceName};

    fn names(service: &str, port: &str) -> PortNames {
        let port = PortName { name: port.into(), protocol: Proto::TCP };
        PortNames::new(&ServicePortName { service: ServiceName::new("ns1", service), port })
    }

    #[test]
    fn chains_are_named_as_kube_proxy_names_them() {
        assert_eq!(names("svc1", "p80").chain("service-").as_str(), "service-ULMVA6XW-ns1/svc1/tcp/p80");
    }

    #[test]
    fn long_names_are_cut() {
        let long = names(&"s".repeat(120), &"p".repeat(120));
        let name = long.chain("external-");
        let base = name.as_str().strip_prefix("external-").unwrap();
        assert!(base.len() == BASE_MAX && base.ends_with("p..."));
    }
}
