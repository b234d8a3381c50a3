//! The controllers that turn Services and Pods into endpoints.
//!
//! [`slices::reconcile`], [`legacy::reconcile`] and [`mirror::reconcile`] are the published controllers' syncs, step by
//! step, as functions. [`Controller`] feeds them: it sees changes of objects ([`Controller::apply`]), decides as the real
//! event filters do which Services need a sync and when, and syncs each that is due once ([`Controller::drain`]); a sync
//! looks at the Service's own Pods and slices alone.

mod api;
pub mod conformance;
mod controller;
pub mod legacy;
mod legacy_side;
pub mod mirror;
mod mirror_side;
mod pods;
mod queue;
mod slice_list;
mod slice_side;
pub mod slices;
mod timestamp;
mod tracker;
mod trigger;
mod view;
pub mod words;

pub use api::perform;
pub use controller::{Api, Controller, Settings, Synced};
pub use timestamp::Timestamp;
pub use trigger::TriggerTimes;

use std::fmt;
use std::sync::Arc;

use crate::object::{Kind, Meta};

/// Namespace and name of a Service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceKey {
    /// Its namespace.
    pub namespace: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
}

impl ServiceKey {
    /// The key of those parts.
    pub fn new(namespace: &str, name: &str) -> ServiceKey {
        ServiceKey { namespace: namespace.into(), name: name.into() }
    }

    /// The key of a Service with this metadata.
    pub fn of(meta: &Meta) -> ServiceKey {
        ServiceKey::new(&meta.namespace, &meta.name)
    }
}

impl fmt::Display for ServiceKey {
    /// `namespace/name`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// What a write does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// Makes an object.
    Create,
    /// Replaces an object.
    Update,
    /// Removes an object.
    Delete,
}

impl Op {
    /// `create`, `update`, `delete`.
    pub fn as_str(self) -> &'static str {
        match self {
            Op::Create => "create",
            Op::Update => "update",
            Op::Delete => "delete",
        }
    }
}

/// One write of a controller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// What it does.
    pub op: Op,
    /// The object as written; as last seen, for a delete.
    pub object: Kind,
}

#[cfg(test)]
mod tests;
