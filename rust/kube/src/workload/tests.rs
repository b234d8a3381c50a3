//! Stories of state: a small cluster, and what its controllers do second by second.

mod invariants;
mod stories;

use std::time::Duration;

use kdp_sim::Time;

use super::writes::edit_spec;
use super::{Epoch, Timing, Workloads};
use crate::complete;
use crate::load::{Source, load};
use crate::object::{
    DaemonSet, Deployment, IntOrString, KindName, Node, ObjectKey, Pod, ReplicaSet, RollingUpdate,
    StatefulSet,
};
use crate::store::{Cursor, Store};

/// A store, the controllers over it, and time.
struct World {
    store: Store,
    workloads: Workloads,
    read: Cursor,
    now: Time,
    /// Looked at after each write.
    check: fn(&Store),
}

impl World {
    /// A cluster of a manifest, with everything in place, whose controllers start now.
    fn of(yaml: &str) -> World {
        World::with(yaml, Timing::default())
    }

    fn with(yaml: &str, timing: Timing) -> World {
        let loaded = load(&[Source { name: "test", bytes: yaml.as_bytes() }]).unwrap();
        let (store, _) = complete::prepare(loaded, &complete::Options::default()).unwrap();
        let workloads = Workloads::start(timing, Epoch::behind(&store), &store, Time::ZERO);
        let read = store.cursor();
        World { store, workloads, read, now: Time::ZERO, check: |_| () }
    }

    /// Lets time run; everything due until then happens at its time.
    fn run(&mut self, seconds: f64) {
        let until = Time::ZERO + Duration::from_secs_f64(seconds);
        loop {
            self.settle();
            match self.workloads.next_at().filter(|at| *at <= until) {
                Some(at) => self.now = at.max(self.now),
                None => break,
            }
        }
        self.now = until;
    }

    fn settle(&mut self) {
        loop {
            let changes: Vec<_> = self.store.changes_since(self.read).unwrap().cloned().collect();
            self.read = self.store.cursor();
            self.store.trim(self.read);
            for change in &changes {
                self.workloads.apply(change, self.now);
            }
            (self.check)(&self.store);
            if !self.workloads.step(&mut self.store, self.now) {
                return;
            }
        }
    }

    fn scale(&mut self, name: &str, replicas: i32) {
        edit_spec::<Deployment>(&mut self.store, &key(KindName::Deployment, name), |it| {
            it.spec.replicas = Some(replicas);
        });
    }

    fn image(&mut self, name: &str, image: &str) {
        edit_spec::<Deployment>(&mut self.store, &key(KindName::Deployment, name), |it| {
            it.spec.template.spec.containers[0].image = image.to_owned();
        });
    }

    fn deployment(&self, name: &str) -> &Deployment {
        self.store.find("default", name).unwrap()
    }

    fn pods(&self) -> Vec<&Pod> {
        self.store.all::<Pod>(None).collect()
    }

    /// Names with phase, readiness and whether they end: `web-0 Running ready`.
    fn shown(&self) -> Vec<String> {
        let show = |pod: &Pod| {
            let ready = if pod.is_ready() { " ready" } else { "" };
            let ends = if pod.meta.is_terminating() { " ending" } else { "" };
            format!("{} {}{ready}{ends}", pod.meta.name, pod.status.phase)
        };
        let mut shown: Vec<String> = self.pods().into_iter().map(show).collect();
        shown.sort();
        shown
    }

    fn delete(&mut self, name: &str) {
        self.workloads.delete_pod(&mut self.store, &key(KindName::Pod, name), None, self.now);
    }

    fn ready(&self) -> usize {
        self.pods().iter().filter(|pod| pod.is_ready() && !pod.meta.is_terminating()).count()
    }

    fn sets(&self) -> Vec<&ReplicaSet> {
        self.store.all::<ReplicaSet>(None).collect()
    }
}

fn key(kind: KindName, name: &str) -> ObjectKey {
    let namespace = if kind == KindName::Node { "" } else { "default" };
    ObjectKey::new(kind, namespace, name)
}

const WEB: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 10
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: web:1}]}
";

const DB: &str = "
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  replicas: 3
  serviceName: db
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec: {containers: [{name: db, image: db:1}]}
";

const AGENT: &str = "
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent}
spec:
  selector: {matchLabels: {app: agent}}
  template:
    metadata: {labels: {app: agent}}
    spec: {containers: [{name: agent, image: agent:1}]}
";
