//! What nodes read of the cluster, and the nodes that somebody asked for.

use std::collections::BTreeMap;
use std::sync::Arc;

use kdp_host::{DeviceId, Host, Packet, Record, Walk};
use kdp_kube::Store;
use kdp_kube::object::{KindName, Node as NodeObject, ObjectKey};
use kdp_netfilter::vm::Choose;
use kdp_packet::{Cidr, Family};
use kdp_proxy::{NodeFacts, View};
use kdp_sim::Time;
use serde_json::Value;

use crate::Error;
use crate::directory::{Directory, Place};
use crate::node::Node;
use crate::options::Options;
use crate::proxy::Trigger;

/// Objects, and what is derived from them for all nodes together.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) options: Options,
    pub(crate) store: Store,
    pub(crate) directory: Directory,
    pub(crate) view: View,
    pub(crate) now: Time,
    /// Events of slices that came to the nodes, in order.
    pub(crate) triggers: Vec<Trigger>,
}

/// The nodes that somebody asked for.
#[derive(Default)]
pub(crate) struct Nodes(BTreeMap<Arc<str>, Node>);

impl World {
    /// The nearest names of a kind, for an error about one that is not there.
    pub(crate) fn no_node(&self, name: &str) -> Error {
        let key = ObjectKey::new(KindName::Node, "", name);
        match self.store.require(&key) {
            Err(error) => error.into(),
            Ok(_) => Error::NodeWithoutAddress { node: name.to_owned() },
        }
    }

    /// The networks that ServiceCIDR objects name, in order of creation.
    pub(crate) fn service_cidrs(&self) -> Vec<Cidr> {
        let kind = KindName::of("networking.k8s.io/v1", "ServiceCIDR");
        let objects = self.store.list(&kind, None).map(|object| object.to_value());
        let cidrs = |object: Value| -> Vec<Cidr> {
            let texts = object["spec"]["cidrs"].as_array().map_or(&[][..], |cidrs| cidrs);
            texts.iter().filter_map(|text| Cidr::parse(text.as_str()?)).collect()
        };
        objects.flat_map(cidrs).collect()
    }

    /// A node's place and facts. A Pod may name a node that has no object; it is a box all the same.
    fn place(&self, name: &str) -> Result<(Option<&Place>, NodeFacts), Error> {
        let object = self.store.find::<NodeObject>("", name);
        let place = self.directory.place(name);
        if object.is_none() && place.is_none_or(|place| place.pods.is_empty()) {
            return Err(self.no_node(name));
        }
        Ok((place, object.map(NodeFacts::of).unwrap_or_default()))
    }
}

impl Nodes {
    /// A node, booted if it was not, and in line with what it knows by now.
    pub(crate) fn open(&mut self, world: &World, name: &str) -> Result<&mut Node, Error> {
        let (place, facts) = world.place(name)?;
        let nowhere = Place::default();
        let place = place.unwrap_or(&nowhere);
        if !self.0.contains_key(name) {
            let node = Node::boot(
                name,
                place,
                &facts,
                &world.options,
                &world.directory.pod_cidrs(),
                world.triggers.len(),
                world.now,
            )?;
            self.0.insert(name.into(), node);
        }
        let node = self.0.get_mut(name).expect("it is there now");
        node.place(place);
        node.proxy.set_facts(&facts, &world.service_cidrs(), &world.view, world.now);
        node.sync(&world.view, &world.triggers, world.now)?;
        Ok(node)
    }

    /// A node that was opened before.
    pub(crate) fn get(&mut self, name: &str) -> &mut Node {
        self.0.get_mut(name).expect("it was opened just now")
    }

    /// The names of the nodes that were opened.
    pub(crate) fn opened(&self) -> Vec<String> {
        self.0.keys().map(ToString::to_string).collect()
    }

    /// When a node's kube-proxy does something by itself next.
    pub(crate) fn next_at(&self) -> Option<Time> {
        self.0.values().filter_map(|node| node.proxy.next_at()).min()
    }

    /// The view changed in a family, and what is due now is done.
    pub(crate) fn wake(&mut self, world: &World, changed: &[Family]) -> Result<(), Error> {
        for node in self.0.values_mut() {
            for family in changed {
                node.proxy.request(*family, world.now);
            }
            node.sync(&world.view, &world.triggers, world.now)?;
        }
        Ok(())
    }
}

/// Takes a packet through one box: in by a device, or from the box itself.
pub(crate) fn walk_box<C: Choose, R: Record>(
    host: &mut Host,
    device: Option<DeviceId>,
    packet: Packet,
    now: Time,
    choose: &mut C,
    record: &mut R,
) -> Result<Walk, Error> {
    Ok(match device {
        Some(device) => host.receive_choosing(device, packet, now, choose, record),
        None => host.send_local_choosing(packet, now, choose, record),
    }?)
}
