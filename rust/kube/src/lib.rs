//! Kubernetes objects, their store, labels, endpoints, workloads and names.
//!
//! Bytes come in through [`load`], become [`object::Object`]s, and every change after that is a write to the store.

pub mod endpoints;
pub mod labels;
pub mod object;
