//! Who asks: its address, its node, and the name it asks for.

use std::net::IpAddr;
use std::sync::Arc;

use kdp_kube::object::{KindName, ObjectKey, Pod};
use kdp_packet::{Family, parse_ip_lenient};
use serde_json::{Value, json};

use crate::Error;
use crate::path::{Entry, Way};
use crate::question::{From, Question};
use crate::world::World;

/// A client.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    /// Its addresses, the first being its own choice.
    pub(crate) addrs: Vec<IpAddr>,
    /// Where its packets enter; `None` for an address outside, whose packets enter where they are routed to.
    pub(crate) entry: Option<Entry>,
    /// Namespace and name, if it is a Pod.
    pub(crate) pod: Option<(String, String)>,
    /// As JSON.
    pub(crate) shown: Value,
}

impl Client {
    /// The client of a question.
    pub(crate) fn asking(world: &World, question: &Question) -> Result<Client, Error> {
        Client::of(world, &question.from, question.via.as_deref(), &question.host)
    }

    /// A client. One outside enters by the node `via`, or by the node that `target` belongs to.
    pub(crate) fn of(world: &World, from: &From, via: Option<&str>, target: &str) -> Result<Client, Error> {
        match from {
            From::Pod(namespace, name) => Client::pod(world, namespace, name),
            From::Node(name) => Client::node(world, name),
            From::Outside(addr) => Ok(Client::outside(world, *addr, via, target)),
        }
    }

    fn pod(world: &World, namespace: &str, name: &str) -> Result<Client, Error> {
        let key = ObjectKey::new(KindName::Pod, namespace, name);
        let object = world.store.require(&key)?;
        let pod = object.get::<Pod>().expect("a key leads to its kind");
        let addrs: Vec<IpAddr> = pod.addresses().filter_map(parse_ip_lenient).collect();
        let node = pod.spec.node_name.as_str();
        if addrs.is_empty() || node.is_empty() {
            let phase = if pod.status.phase.is_empty() { "unknown" } else { &pod.status.phase };
            return Err(Error::PodWithoutAddress {
                pod: format!("{namespace}/{name}"),
                phase: phase.to_owned(),
            });
        }
        let way = if pod.spec.host_network { Way::Local } else { Way::Bridge };
        let shown = json!({"kind": "pod", "namespace": namespace, "name": name, "node": node, "ip": addrs[0].to_string()});
        Ok(Client {
            addrs,
            entry: Some(Entry { node: node.into(), way }),
            pod: Some((namespace.to_owned(), name.to_owned())),
            shown,
        })
    }

    fn node(world: &World, name: &str) -> Result<Client, Error> {
        let place = world.directory.place(name).filter(|place| !place.addrs.is_empty());
        let addrs = place.ok_or_else(|| world.no_node(name))?.addrs.clone();
        let shown = json!({"kind": "node", "name": name, "node": name, "ip": addrs[0].to_string()});
        let entry = Some(Entry { node: name.into(), way: Way::Local });
        Ok(Client { addrs, entry, pod: None, shown })
    }

    /// An address outside enters at the node that it asks for: by `via`, or because the target is that node's own.
    fn outside(world: &World, addr: IpAddr, via: Option<&str>, target: &str) -> Client {
        let target = parse_ip_lenient(target);
        let node: Option<Arc<str>> = match via {
            Some(via) => Some(via.into()),
            None => target.and_then(|target| owner(world, target)),
        };
        let entry = node.map(|node| Entry { node, way: Way::Uplink });
        let shown = json!({"kind": "outside", "ip": addr.to_string()});
        Client { addrs: vec![addr], entry, pod: None, shown }
    }

    /// Its address of a family.
    pub(crate) fn addr(&self, family: Family) -> Option<IpAddr> {
        self.addrs.iter().copied().find(|addr| Family::of(*addr) == family)
    }

    /// Whether a reply to `addr` has come home when it is at this end.
    pub(crate) fn is_outside(&self) -> bool {
        self.entry.as_ref().is_none_or(|entry| entry.way == Way::Uplink)
    }
}

/// The node that packets to an address from outside go to first.
fn owner(world: &World, addr: IpAddr) -> Option<Arc<str>> {
    let pod = world.directory.resident(addr).map(|pod| pod.node.clone());
    pod.or_else(|| world.directory.node_of(addr).cloned())
}
