//! The endpoints that Endpoints ask for, by address type and ports.

use std::collections::BTreeMap;

use kdp_packet::{Family, parse_ip_lenient};

use crate::endpoints::legacy::{Repeats, repack};
use crate::endpoints::slices::{PortKey, port_key};
use crate::object::{Endpoint, EndpointAddress, EndpointConditions, EndpointPort, EndpointSubset, Endpoints};

/// Address type, and ports without regard to their order.
pub(super) type GroupKey = (AddressType, PortKey);

/// The address type of a slice, as text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct AddressType(Box<str>);

/// Endpoints are the same by addresses, hostname, and namespace and name of the target.
pub(super) type Identity = (Vec<String>, Option<String>, String, String);

#[derive(Default)]
pub(super) struct Group {
    pub(super) ports: Vec<EndpointPort>,
    pub(super) endpoints: BTreeMap<Identity, Endpoint>,
}

/// What is asked for, and how much of it cannot be.
#[derive(Default)]
pub(super) struct Desired {
    pub(super) groups: BTreeMap<GroupKey, Group>,
    /// Addresses that are none.
    pub(super) invalid: usize,
    /// Addresses that are left out for whatever reason.
    pub(super) skipped: usize,
}

impl AddressType {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

pub(super) fn group_key(address_type: &str, ports: &[EndpointPort]) -> GroupKey {
    (AddressType(address_type.into()), port_key(ports))
}

pub(super) fn identity(endpoint: &Endpoint) -> Identity {
    let mut addresses = endpoint.addresses.clone();
    addresses.sort_unstable();
    let target = endpoint.target_ref.as_ref();
    let (namespace, name) = target.map(|r| (r.namespace.clone(), r.name.clone())).unwrap_or_default();
    (addresses, endpoint.hostname.clone(), namespace, name)
}

impl Desired {
    pub(super) fn of(endpoints: &Endpoints, max: usize) -> Desired {
        let mut desired = Desired::default();
        for subset in repack(&endpoints.subsets, Repeats::Keep) {
            desired.add(&subset, max);
        }
        desired
    }

    /// Ready addresses come first, and no more than `max` of both families together.
    fn add(&mut self, subset: &EndpointSubset, max: usize) {
        let ports: Vec<EndpointPort> = subset.ports.iter().map(slice_port).collect();
        for family in [Family::V4, Family::V6] {
            let group = self.groups.entry(group_key(family.as_str(), &ports)).or_default();
            group.ports.clone_from(&ports);
        }
        let all = subset.addresses.len() + subset.not_ready_addresses.len();
        let mut added = 0;
        for (addresses, ready) in [(&subset.addresses, true), (&subset.not_ready_addresses, false)] {
            for address in addresses {
                if added >= max {
                    break;
                }
                match endpoint_of(address, ready) {
                    None => self.invalid += 1,
                    Some((family, endpoint)) => {
                        let key = group_key(family.as_str(), &ports);
                        let group = self.groups.get_mut(&key).expect("both families have a group");
                        group.endpoints.insert(identity(&endpoint), endpoint);
                        added += 1;
                    }
                }
            }
        }
        self.skipped += all - added;
    }
}

fn slice_port(port: &EndpointPort) -> EndpointPort {
    let text = |text: &Option<String>| Some(text.clone().unwrap_or_default());
    EndpointPort {
        name: text(&port.name),
        port: Some(port.port.unwrap_or_default()),
        protocol: text(&port.protocol),
        app_protocol: port.app_protocol.clone(),
    }
}

/// Read and printed again, so that IPv6 is canonical; nobody says whether it is serving or terminating.
fn endpoint_of(address: &EndpointAddress, ready: bool) -> Option<(Family, Endpoint)> {
    let ip = parse_ip_lenient(&address.ip)?;
    let endpoint = Endpoint {
        addresses: vec![ip.to_string()],
        conditions: EndpointConditions { ready: Some(ready), ..EndpointConditions::default() },
        hostname: (!address.hostname.is_empty()).then(|| address.hostname.clone()),
        target_ref: address.target_ref.clone(),
        node_name: address.node_name.clone(),
        ..Endpoint::default()
    };
    Some((Family::of(ip), endpoint))
}
