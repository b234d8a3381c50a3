//! Services: cluster addresses and node ports.

use std::net::IpAddr;

use hashbrown::HashSet;
use kdp_packet::{Cidr, parse_ip_lenient};

use super::{Made, Options};
use crate::error::Error;
use crate::object::{Object, ObjectKey, Service, ServiceSpec};

/// The first number given in a range of cluster addresses: those below are for the API server, DNS and the like.
const FIRST: u64 = 10;

/// Gives cluster addresses and node ports to Services that should have them and do not.
pub(super) fn allocate(objects: &mut [Object], options: &Options, made: &mut Made) -> Result<(), Error> {
    let mut free = Free::of(objects, options);
    for object in objects {
        let key = object.key();
        let Some(service) = object.get_mut::<Service>() else { continue };
        let spec = &mut service.spec;
        if spec.type_ == "ExternalName" {
            continue;
        }
        if spec.cluster_ip.is_empty() {
            free.cluster_ips(&key, spec)?;
            made.count("cluster IP", "cluster IPs");
        }
        if wants_node_ports(spec) {
            free.node_ports(&key, spec, made)?;
        }
    }
    Ok(())
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
    fn of(objects: &[Object], options: &Options) -> Free {
        let specs =
            || objects.iter().filter_map(|object| object.get::<Service>()).map(|service| &service.spec);
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
