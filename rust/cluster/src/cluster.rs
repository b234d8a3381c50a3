//! The cluster: one way in, by writes to the store, and virtual time that carries what follows.

use std::collections::BTreeSet;

use kdp_kube::endpoints::{Controller, ServiceKey, Settings, perform, words};
use kdp_kube::load::{Source, load};
use kdp_kube::object::{EndpointSlice, Endpoints, KindName, Object, ObjectKey};
use kdp_kube::workload::Workloads;
use kdp_kube::{Change, Cursor, Store, complete, defaults, validate};
use kdp_packet::Family;
use kdp_proxy::{Changed, View};
use kdp_sim::Time;

use crate::directory::Directory;
use crate::edges::{Edge, InFlight};
use crate::options::Options;
use crate::proxy::Trigger;
use crate::running::Watch;
use crate::served::Served;
use crate::world::{Nodes, World};
use crate::{Error, node::Node};

/// A cluster on virtual time.
pub struct Cluster {
    pub(crate) world: World,
    pub(crate) nodes: Nodes,
    controllers: Controller,
    in_flight: InFlight,
    read: Cursor,
    notes: Vec<String>,
    /// The controllers of workloads, once time runs.
    pub(crate) workloads: Option<Workloads>,
    pub(crate) watch: Watch,
    /// Whether time stops when the watch has seen something.
    pub(crate) stop_when_seen: bool,
    /// The API server's part, once somebody serves the cluster.
    pub(crate) served: Option<Served>,
    /// Connections that were tried: each gets a client port of its own.
    pub(crate) connections: u64,
}

impl Cluster {
    /// A cluster of the objects in the sources; nothing of them if one is refused.
    pub fn load(sources: &[Source<'_>], options: Options) -> Result<Cluster, Error> {
        let loaded = load(sources)?;
        let ranges = complete::Options { service_cidr: options.service_cidr, ..complete::Options::default() };
        let (store, notes) = if options.complete {
            complete::prepare(loaded, &ranges).map_err(Error::all)?
        } else {
            as_it_is(loaded)?
        };
        let mut controllers = Controller::rebuild(Settings::default(), &store);
        let (slices, endpoints) = left_by_others(&store);
        controllers.settle(&slices, &endpoints);
        let notes = notes.iter().map(ToString::to_string).collect();
        let view = View::new(options.profile);
        let world = World {
            options,
            store,
            directory: Directory::default(),
            view,
            now: Time::ZERO,
            triggers: Vec::new(),
        };
        let mut cluster = Cluster {
            world,
            nodes: Nodes::default(),
            controllers,
            in_flight: InFlight::default(),
            read: Cursor::default(),
            notes,
            workloads: None,
            watch: Watch::default(),
            stop_when_seen: false,
            served: None,
            connections: 0,
        };
        cluster.see_all()?;
        cluster.settle()?;
        if cluster.world.options.proxy_timers {
            // A timer asks: from here on every node has its own.
            for name in cluster.node_names() {
                cluster.node(&name)?;
            }
        }
        Ok(cluster)
    }

    /// What loading had to say.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The objects.
    pub fn store(&self) -> &Store {
        &self.world.store
    }

    /// The mode that kube-proxy runs in: `iptables` or `nftables`.
    pub fn mode(&self) -> &str {
        self.world.options.proxy.get("mode").and_then(serde_json::Value::as_str).unwrap_or("iptables")
    }

    /// Virtual time.
    pub fn now(&self) -> Time {
        self.world.now
    }

    /// The seed.
    pub fn seed(&self) -> u64 {
        self.world.options.seed
    }

    /// Writes objects; what follows from them follows on virtual time. Nothing is written if one is refused.
    pub fn put(&mut self, sources: &[Source<'_>]) -> Result<(), Error> {
        let mut objects = load(sources)?.objects;
        objects.iter_mut().for_each(defaults::apply);
        let faults = validate::check_writes(&objects, &self.world.store);
        if !faults.is_empty() {
            return Err(Error::all(faults));
        }
        for mut object in objects {
            self.identify(&mut object);
            self.world.store.put(object);
        }
        self.settle()
    }

    /// Deletes an object.
    pub fn delete(&mut self, kind: &KindName, namespace: &str, name: &str) -> Result<(), Error> {
        let key = ObjectKey::new(kind.clone(), namespace, name);
        self.world.store.require(&key)?;
        self.world.store.delete(&key);
        self.settle()
    }

    /// Moves virtual time on; what is due until then happens at its time.
    pub fn advance(&mut self, to: Time) -> Result<(), Error> {
        if to < self.world.now {
            return Err(Error::TimeGoesBack { now: self.world.now.as_nanos(), to: to.as_nanos() });
        }
        while let Some(at) = self.next_at().filter(|at| *at <= to) {
            self.world.now = at.max(self.world.now);
            self.settle()?;
            if self.stop_when_seen && self.watch.has_seen() {
                return Ok(());
            }
        }
        self.world.now = to;
        Ok(())
    }

    /// When something happens next: a change arrives, or the sync of a controller or a kube-proxy is due.
    fn next_at(&mut self) -> Option<Time> {
        let work = self.workloads.as_ref().and_then(Workloads::next_at);
        let next = [self.in_flight.next_at(), self.controllers.next_at(), self.nodes.next_at(), work];
        next.into_iter().flatten().min()
    }

    /// A node, in line with what it knows by now.
    pub(crate) fn node(&mut self, name: &str) -> Result<&mut Node, Error> {
        self.nodes.open(&self.world, name)
    }

    /// The start: everybody has seen every object, however long events take later.
    fn see_all(&mut self) -> Result<(), Error> {
        let objects: Vec<_> = self.world.store.objects().cloned().collect();
        for object in &objects {
            self.world.directory.apply(None, Some(object));
            see(&mut self.world.view, None, Some(object))?;
        }
        self.read = self.world.store.cursor();
        self.world.store.trim(self.read);
        self.sync_controllers();
        for change in self.read_changes() {
            self.world.directory.apply(change.before.as_deref(), change.after.as_deref());
            self.controllers.apply(self.world.now, &change);
            see(&mut self.world.view, change.before.as_deref(), change.after.as_deref())?;
        }
        self.world.view.drain();
        Ok(())
    }

    /// Lets everything happen that is due now.
    pub(crate) fn settle(&mut self) -> Result<(), Error> {
        for change in self.read_changes() {
            self.send_off(change);
        }
        self.deliver()?;
        while self.work()? {}
        let changed = self.world.view.drain();
        if self.world.options.proxy_timers { self.wake(&changed) } else { Ok(()) }
    }

    /// Changes that have arrived are seen, and what the endpoint controllers make of them, until all is quiet.
    pub(crate) fn deliver(&mut self) -> Result<(), Error> {
        loop {
            while let Some((_, edge, change)) = self.in_flight.receive(self.world.now) {
                if edge == Edge::ObjectToSlice {
                    self.controllers.apply(self.world.now, &change);
                } else {
                    see(&mut self.world.view, change.before.as_deref(), change.after.as_deref())?;
                    self.trigger(edge);
                }
            }
            if self.controllers.next_at().is_none_or(|at| at > self.world.now) {
                return Ok(());
            }
            self.sync_controllers();
            for change in self.read_changes() {
                self.send_off(change);
            }
        }
    }

    /// Notes when a slice came, and when it was written.
    fn trigger(&mut self, edge: Edge) {
        if edge == Edge::SliceToNode {
            let arrived = self.world.now;
            let written = self.world.options.latency.departure(edge, arrived);
            self.world.triggers.push(Trigger { written, arrived });
        }
    }

    fn wake(&mut self, changed: &Changed) -> Result<(), Error> {
        let families = [(Family::V4, &changed.v4), (Family::V6, &changed.v6)];
        let families = families.into_iter().filter(|(_, names)| !names.is_empty()).map(|(family, _)| family);
        self.nodes.wake(&self.world, &families.collect::<Vec<_>>())
    }

    /// The changes since the last time, taken off the store's log.
    pub(crate) fn read_changes(&mut self) -> Vec<Change> {
        let changes = self.world.store.changes_since(self.read);
        let changes: Vec<Change> = changes.expect("nobody trims beyond this cursor").cloned().collect();
        self.read = self.world.store.cursor();
        self.world.store.trim(self.read);
        if let Some(served) = &mut self.served {
            for change in &changes {
                served.api.record(change);
            }
        }
        changes
    }

    /// A change leaves along the edges that it concerns. Where Pods and nodes are is known at once.
    pub(crate) fn send_off(&mut self, change: Change) {
        self.watch.see(self.world.now, &change);
        if let Some(workloads) = &mut self.workloads {
            workloads.apply(&change, self.world.now);
        }
        self.world.directory.apply(change.before.as_deref(), change.after.as_deref());
        let (latency, now) = (self.world.options.latency, self.world.now);
        let to_node = match change.object().key().kind {
            KindName::Service => Some(Edge::ServiceToNode),
            KindName::EndpointSlice => Some(Edge::SliceToNode),
            _ => None,
        };
        if let Some(edge) = to_node {
            self.in_flight.send(edge, change.clone(), &latency, now);
        }
        self.in_flight.send(Edge::ObjectToSlice, change, &latency, now);
    }

    fn sync_controllers(&mut self) {
        let store = &mut self.world.store;
        self.controllers.drain(self.world.now, &mut |write| perform(store, write));
    }
}

/// A proxy's eyes: Services and EndpointSlices.
fn see(view: &mut View, before: Option<&Object>, after: Option<&Object>) -> Result<(), Error> {
    let Some(object) = after.or(before) else { return Ok(()) };
    let meta = object.meta();
    match (&object.kind, after.is_some()) {
        (kdp_kube::object::Kind::Service(service), true) => view.apply_service(service)?,
        (kdp_kube::object::Kind::Service(_), false) => view.delete_service(&meta.namespace, &meta.name),
        (kdp_kube::object::Kind::EndpointSlice(slice), true) => view.apply_slice(slice)?,
        (kdp_kube::object::Kind::EndpointSlice(_), false) => view.delete_slice(&meta.namespace, &meta.name),
        _ => {}
    }
    Ok(())
}

/// Objects as they are: nothing is filled in, nothing is made.
fn as_it_is(loaded: kdp_kube::load::Loaded) -> Result<(Store, Vec<kdp_kube::Note>), Error> {
    let faults = validate::check(&loaded.objects);
    if !faults.is_empty() {
        return Err(Error::all(faults));
    }
    let mut store = Store::new();
    for object in loaded.objects {
        store.put(object);
    }
    Ok((store, loaded.notes))
}

/// The Services whose slices, and whose Endpoints, are among the objects.
fn left_by_others(store: &Store) -> (BTreeSet<ServiceKey>, BTreeSet<ServiceKey>) {
    let of_slice = |slice: &EndpointSlice| {
        let service = slice.meta.labels.get(words::SERVICE_NAME)?;
        Some(ServiceKey::new(&slice.meta.namespace, service))
    };
    let slices = store.all::<EndpointSlice>(None).filter_map(of_slice).collect();
    let endpoints = store.all::<Endpoints>(None).map(|object| ServiceKey::of(&object.meta)).collect();
    (slices, endpoints)
}
