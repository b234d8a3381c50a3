//! What no two objects may share.

use std::net::IpAddr;

use hashbrown::{HashMap, HashSet};
use kdp_packet::parse_ip_lenient;

use crate::error::Error;
use crate::object::{Object, ObjectKey, Service};

type Fast = foldhash::fast::FixedState;

/// Finds objects, cluster addresses and node ports that are there twice.
pub(super) fn check<'o>(objects: impl IntoIterator<Item = &'o Object>, faults: &mut Vec<Error>) {
    let mut keys: HashSet<ObjectKey, Fast> = HashSet::default();
    let mut taken = Taken::default();
    for object in objects {
        let key = object.key();
        if let Some(service) = object.get::<Service>() {
            taken.addresses(&key, service, faults);
            taken.node_ports(&key, service, faults);
        }
        // Objects that are still to be named by their generateName cannot clash.
        if !key.name.is_empty()
            && let Some(object) = keys.replace(key)
        {
            faults.push(Error::DuplicateObject { object: Box::new(object) });
        }
    }
}

#[derive(Default)]
struct Taken<'o> {
    addresses: HashMap<IpAddr, ObjectKey, Fast>,
    node_ports: HashMap<(u16, &'o str), ObjectKey, Fast>,
}

impl<'o> Taken<'o> {
    fn addresses(&mut self, key: &ObjectKey, service: &Service, faults: &mut Vec<Error>) {
        for (i, text) in service.spec.cluster_ips.iter().enumerate() {
            let Some(address) = parse_ip_lenient(text) else { continue };
            if let Some(other) = self.addresses.get(&address).filter(|other| *other != key) {
                faults.push(Error::DuplicateClusterIp {
                    object: Box::new(key.clone()),
                    field: if i == 0 {
                        ".spec.clusterIP".to_owned()
                    } else {
                        format!(".spec.clusterIPs[{i}]")
                    },
                    found: address.to_string(),
                    other: Box::new(other.clone()),
                });
            }
            self.addresses.entry(address).or_insert_with(|| key.clone());
        }
    }

    fn node_ports(&mut self, key: &ObjectKey, service: &'o Service, faults: &mut Vec<Error>) {
        for (i, port) in service.spec.ports.iter().enumerate() {
            let Some(number) = port.node_port else { continue };
            let found = (number, port.protocol.as_str());
            match self.node_ports.get(&found) {
                Some(other) => faults.push(Error::DuplicateNodePort {
                    object: Box::new(key.clone()),
                    field: format!(".spec.ports[{i}].nodePort"),
                    found: format!("{}/{}", found.0, found.1),
                    other: Box::new(other.clone()),
                }),
                None => _ = self.node_ports.insert(found, key.clone()),
            }
        }
    }
}
