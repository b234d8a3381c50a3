//! Services: cluster addresses and node ports.

use std::net::IpAddr;

use hashbrown::HashSet;
use kdp_packet::{Cidr, parse_ip_lenient};

use super::{Made, Options};
use crate::error::Error;
use crate::object::{Object, ObjectKey, Service, ServiceSpec};
use crate::store::Store;

/// The first number given in a range of cluster addresses: those below are for the API server, DNS and the like.
const FIRST: u64 = 10;

/// Gives cluster addresses and node ports to Services that should have them and do not.
pub(super) fn allocate(objects: &mut [Object], options: &Options, made: &mut Made) -> Result<(), Error> {
    let specs = || objects.iter().filter_map(|object| object.get::<Service>()).map(|service| &service.spec);
    let mut free = Free::beside(specs, options);
    objects.iter_mut().try_for_each(|object| free.give(object, made))
}

/// Gives a Service of a store, or one that is to be put there, what it should have and does not.
pub fn allocate_one(store: &Store, object: &mut Object, options: &Options) -> Result<(), Error> {
    if object.get::<Service>().is_none_or(|service| is_served(&service.spec)) {
        return Ok(());
    }
    let key = object.key();
    let others = || {
        store
            .all::<Service>(None)
            .filter(|it| (&*it.meta.namespace, &*it.meta.name) != (&*key.namespace, &*key.name))
            .map(|service| &service.spec)
    };
    Free::beside(others, options).give(object, &mut Made::default())
}

/// Whether a Service has all that it should have.
fn is_served(spec: &ServiceSpec) -> bool {
    let has_ports = || {
        let local = spec.type_ == "LoadBalancer" && spec.external_traffic_policy == "Local";
        spec.ports.iter().all(|port| port.node_port.is_some())
            && (!local || spec.health_check_node_port.is_some())
    };
    spec.type_ == "ExternalName" || (!spec.cluster_ip.is_empty() && (!wants_node_ports(spec) || has_ports()))
}

/// Source: Service API: `allocateLoadBalancerNodePorts`.
fn wants_node_ports(spec: &ServiceSpec) -> bool {
    let balanced = spec.type_ == "LoadBalancer" && spec.allocate_load_balancer_node_ports != Some(false);
    spec.type_ == "NodePort" || balanced
}

struct Free {
    v4: (Cidr, u64),
    v6: (Cidr, u64),
    taken: HashSet<IpAddr, foldhash::fast::FixedState>,
    ports: (u16, u16),
    next_port: u16,
    taken_ports: HashSet<u16, foldhash::fast::FixedState>,
}

impl Free {
    /// What Services with these specs leave, and what the one at hand has may be among them.
    fn beside<'s, I: Iterator<Item = &'s ServiceSpec>>(specs: impl Fn() -> I, options: &Options) -> Free {
        let ports = specs().flat_map(|spec| &spec.ports).filter_map(|port| port.node_port);
        let health = specs().filter_map(|spec| spec.health_check_node_port);
        Free {
            v4: (options.service_cidr, FIRST),
            v6: (options.service_cidr_v6, FIRST),
            taken: specs().flat_map(|spec| &spec.cluster_ips).filter_map(|ip| parse_ip_lenient(ip)).collect(),
            ports: options.node_ports,
            next_port: options.node_ports.0,
            taken_ports: ports.chain(health).collect(),
        }
    }

    fn give(&mut self, object: &mut Object, made: &mut Made) -> Result<(), Error> {
        let key = object.key();
        let Some(service) = object.get_mut::<Service>() else { return Ok(()) };
        let spec = &mut service.spec;
        if spec.type_ == "ExternalName" {
            return Ok(());
        }
        if spec.cluster_ip.is_empty() {
            self.cluster_ips(&key, spec)?;
            made.count("cluster IP", "cluster IPs");
        }
        if wants_node_ports(spec) {
            // What the Service has already is not free for its other ports.
            self.taken_ports.extend(spec.ports.iter().filter_map(|port| port.node_port));
            self.node_ports(&key, spec, made)?;
        }
        Ok(())
    }

    /// One address for each family.
    fn cluster_ips(&mut self, key: &ObjectKey, spec: &mut ServiceSpec) -> Result<(), Error> {
        if spec.ip_family_policy == "RequireDualStack" && spec.ip_families.len() == 1 {
            let other = if spec.ip_families[0] == "IPv4" { "IPv6" } else { "IPv4" };
            spec.ip_families.push(other.to_owned());
        }
        for family in &spec.ip_families {
            let (range, next) = if family == "IPv6" { &mut self.v6 } else { &mut self.v4 };
            let address = loop {
                let Some(address) = range.nth(*next) else {
                    return Err(full(key, ".spec.clusterIP", range.to_string()));
                };
                *next += 1;
                if self.taken.insert(address) {
                    break address;
                }
            };
            spec.cluster_ips.push(address.to_string());
        }
        spec.cluster_ip.clone_from(&spec.cluster_ips[0]);
        Ok(())
    }

    fn node_ports(&mut self, key: &ObjectKey, spec: &mut ServiceSpec, made: &mut Made) -> Result<(), Error> {
        for i in 0..spec.ports.len() {
            if spec.ports[i].node_port.is_none() {
                let field = format!(".spec.ports[{i}].nodePort");
                spec.ports[i].node_port = Some(self.port(key, &field)?);
                made.count("node port", "node ports");
            }
        }
        let local = spec.type_ == "LoadBalancer" && spec.external_traffic_policy == "Local";
        if local && spec.health_check_node_port.is_none() {
            spec.health_check_node_port = Some(self.port(key, ".spec.healthCheckNodePort")?);
            made.count("node port", "node ports");
        }
        Ok(())
    }

    fn port(&mut self, key: &ObjectKey, field: &str) -> Result<u16, Error> {
        while self.next_port <= self.ports.1 {
            let port = self.next_port;
            self.next_port += 1;
            if self.taken_ports.insert(port) {
                return Ok(port);
            }
        }
        Err(full(key, field, format!("{}-{}", self.ports.0, self.ports.1)))
    }
}

fn full(object: &ObjectKey, field: &str, range: String) -> Error {
    Error::RangeFull { object: Box::new(object.clone()), field: field.to_owned(), range }
}
