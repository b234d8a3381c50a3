//! Time that runs: workloads act, and somebody watches.

use std::collections::BTreeSet;

use kdp_kube::Change;
use kdp_kube::object::{KindName, Object};
use kdp_kube::workload::{Epoch, Workloads, fresh_uid};
use kdp_sim::Time;
use serde_json::{Value, json};

use crate::Error;
use crate::cluster::Cluster;

/// Changes of some kinds, kept until somebody reads them.
#[derive(Default)]
pub(crate) struct Watch {
    kinds: BTreeSet<KindName>,
    seen: Vec<(Time, Change)>,
}

impl Watch {
    pub(crate) fn see(&mut self, now: Time, change: &Change) {
        if self.kinds.contains(&change.object().kind.name()) {
            self.seen.push((now, change.clone()));
        }
    }

    /// What was seen since the last time.
    pub(crate) fn take(&mut self) -> Vec<(Time, Change)> {
        std::mem::take(&mut self.seen)
    }

    pub(crate) fn has_seen(&self) -> bool {
        !self.seen.is_empty()
    }

    /// Changes of these kinds are kept from now on, of others no longer.
    pub(crate) fn set(&mut self, kinds: BTreeSet<KindName>) {
        self.seen.retain(|(_, change)| kinds.contains(&change.object().kind.name()));
        self.kinds = kinds;
    }
}

impl Cluster {
    /// Starts the controllers of workloads, unless they run already. What was loaded is theirs from now on: a Deployment
    /// without Pods gets some.
    pub fn start_workloads(&mut self) -> &mut Workloads {
        let (world, timing) = (&self.world, self.world.options.timing);
        self.workloads.get_or_insert_with(|| {
            Workloads::start(timing, Epoch::behind(&world.store), &world.store, world.now)
        })
    }

    /// Lets time run: workloads act, and what follows from it follows.
    pub fn run(&mut self, to: Time) -> Result<(), Error> {
        self.start_workloads();
        self.advance(to)
    }

    /// Lets time run until an object of one of the kinds changes, or until `to`: then the list is empty. JSON array of
    /// `{"type": "ADDED" | "MODIFIED" | "DELETED", "at", "object", "before"}`, all changes of one moment together.
    pub fn watch(&mut self, to: Time, kinds: BTreeSet<KindName>) -> Result<Value, Error> {
        self.start_workloads();
        self.watch.set(kinds);
        self.stop_when_seen = true;
        let ran = if self.watch.has_seen() { Ok(()) } else { self.advance(to) };
        self.stop_when_seen = false;
        ran?;
        let seen = self.watch.take();
        Ok(seen.iter().map(|(at, change)| told(*at, change)).collect())
    }

    /// One thing that a controller of workloads does; each of its writes is seen on its own. Whether there was one.
    pub(crate) fn work(&mut self) -> Result<bool, Error> {
        let Some(workloads) = &mut self.workloads else { return Ok(false) };
        if !workloads.step(&mut self.world.store, self.world.now) {
            return Ok(false);
        }
        for change in self.read_changes() {
            self.send_off(change);
            self.deliver()?;
        }
        Ok(true)
    }

    /// Gives an object that somebody writes a uid, as the API server does: that of the object it replaces, or its own.
    pub(crate) fn identify(&self, object: &mut Object) {
        if object.meta().uid.is_empty() {
            let old = self.world.store.get(&object.key()).map(|old| old.meta().uid.clone());
            let version = self.world.store.version() + 1;
            object.meta_mut().uid = old.unwrap_or_else(|| fresh_uid(&object.key(), version));
        }
    }

    /// A moment of virtual time, as the API writes it.
    pub fn moment(&self, at: Time) -> String {
        let epoch = match &self.workloads {
            Some(workloads) => workloads.epoch(),
            None => Epoch::behind(&self.world.store),
        };
        epoch.text(at)
    }
}

fn told(at: Time, change: &Change) -> Value {
    let kind = match (&change.before, &change.after) {
        (None, _) => "ADDED",
        (Some(_), Some(_)) => "MODIFIED",
        (Some(_), None) => "DELETED",
    };
    let value = |object: Option<&std::sync::Arc<Object>>| object.map(|object| object.to_value());
    json!({
        "type": kind, "at": at.as_nanos(), "object": value(Some(change.object())),
        "before": value(change.before.as_ref()),
    })
}
