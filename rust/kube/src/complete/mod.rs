//! Bare manifests: what controllers, scheduler and allocators would have made of them.
//!
//! Everything here is a function of the input alone, and said in notes. An object that was read from a cluster (it has
//! a `uid`, a Pod has a `phase`) is left as it was: a Deployment without Pods or a Pod without an address is then a fact.

pub(crate) mod names;
mod nodes;
mod pods;
mod services;
mod statuses;
#[cfg(test)]
mod tests;
mod workloads;

use std::collections::{BTreeMap, BTreeSet};

use kdp_packet::Cidr;

use crate::error::Error;
use crate::load::Loaded;
use crate::note::Note;
use crate::object::{Kind, Namespace, Object};
use crate::store::Store;
use crate::{defaults, validate};

pub(crate) use names::suffix;
pub use names::uid;
pub use services::allocate_one;

/// The ranges from which things are given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Cluster addresses of IPv4 Services. Source: kubeadm's `10.96.0.0/12`.
    pub service_cidr: Cidr,
    /// Cluster addresses of IPv6 Services.
    pub service_cidr_v6: Cidr,
    /// The networks of Pods: each node gets a /24. Source: flannel's `10.244.0.0/16`.
    pub pod_cidr: Cidr,
    /// The addresses of nodes.
    pub node_cidr: Cidr,
    /// Node ports, first and last. Source: kube-apiserver `--service-node-port-range`.
    pub node_ports: (u16, u16),
}

impl Default for Options {
    fn default() -> Options {
        let network = |text| Cidr::parse(text).expect("a network in the source");
        Options {
            service_cidr: network("10.96.0.0/12"),
            service_cidr_v6: network("fd00:10:96::/112"),
            pod_cidr: network("10.244.0.0/16"),
            node_cidr: network("192.168.0.0/16"),
            node_ports: (30_000, 32_767),
        }
    }
}

/// Defaults, checks and completes what was loaded, and puts it into a store: all of it, or every fault there is.
pub fn prepare(loaded: Loaded, options: &Options) -> Result<(Store, Vec<Note>), Vec<Error>> {
    let Loaded { mut objects, mut notes } = loaded;
    objects.iter_mut().for_each(defaults::apply);
    let faults = validate::check(&objects);
    if !faults.is_empty() {
        return Err(faults);
    }
    notes.extend(complete(&mut objects, options).map_err(|error| vec![error])?);
    let mut store = Store::new();
    for object in objects {
        store.put(object);
    }
    Ok((store, notes))
}

/// Makes what bare manifests leave out. The objects have their defaults and are valid.
pub fn complete(objects: &mut Vec<Object>, options: &Options) -> Result<Vec<Note>, Error> {
    let mut made = Made::default();
    name_generated(objects);
    workloads::make_pods(objects, &mut made);
    nodes::make(objects, options, &mut made)?;
    pods::place(objects, &mut made);
    pods::address(objects, options, &mut made)?;
    services::allocate(objects, options, &mut made)?;
    statuses::fill(objects);
    make_namespaces(objects, &mut made);
    identify(objects);
    Ok(made.notes())
}

/// What was made, by name, in the order in which it was first made.
#[derive(Default)]
struct Made(Vec<(&'static str, &'static str, usize)>);

impl Made {
    /// Counts one more of a thing, named in the singular and the plural.
    fn count(&mut self, one: &'static str, many: &'static str) {
        self.add(one, many, 1);
    }

    fn add(&mut self, one: &'static str, many: &'static str, more: usize) {
        match self.0.iter_mut().find(|(name, ..)| *name == one) {
            Some((.., count)) => *count += more,
            None if more == 0 => {}
            None => self.0.push((one, many, more)),
        }
    }

    fn notes(self) -> Vec<Note> {
        let note = |(one, many, count): (&str, &str, usize)| Note::Made {
            what: if count == 1 { one } else { many }.to_owned(),
            count,
        };
        self.0.into_iter().map(note).collect()
    }
}

/// Gives a name to objects that have only a `generateName`.
fn name_generated(objects: &mut [Object]) {
    let mut taken: BTreeSet<_> = BTreeSet::new();
    for object in objects.iter_mut().filter(|object| object.meta().name.is_empty()) {
        let prefix = object.meta().generate_name.clone();
        for ordinal in 0.. {
            object.meta_mut().name = format!("{prefix}{}", names::suffix(&prefix, ordinal));
            if taken.insert(object.key()) {
                break;
            }
        }
    }
}

fn make_namespaces(objects: &mut Vec<Object>, made: &mut Made) {
    let mut missing: BTreeMap<String, bool> = BTreeMap::new();
    for object in objects.iter() {
        match &object.kind {
            Kind::Namespace(namespace) => _ = missing.insert(namespace.meta.name.clone(), false),
            _ if object.meta().namespace.is_empty() => {}
            _ if missing.contains_key(&object.meta().namespace) => {}
            _ => _ = missing.insert(object.meta().namespace.clone(), true),
        }
    }
    for (name, _) in missing.into_iter().filter(|(_, missing)| *missing) {
        let mut namespace = Namespace::default();
        namespace.meta.name = name;
        let mut object = Object::new(namespace);
        defaults::apply(&mut object);
        objects.push(object);
        made.count("namespace", "namespaces");
    }
    for object in objects {
        if let Some(namespace) = object.get_mut::<Namespace>() {
            // Source: the API server sets this label on every namespace since 1.21.
            let name = namespace.meta.name.clone();
            namespace.meta.labels.entry("kubernetes.io/metadata.name".to_owned()).or_insert(name);
        }
    }
}

/// Gives every object that has none a unique id: a digest of its key, so that owners can be named before.
fn identify(objects: &mut [Object]) {
    for object in objects.iter_mut() {
        if object.meta().uid.is_empty() {
            object.meta_mut().uid = names::uid(&object.key().to_string());
        }
    }
}
