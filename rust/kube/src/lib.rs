//! Kubernetes objects, their store, labels, endpoints, workloads and names.
//!
//! Bytes come in through [`load`], become [`object::Object`]s, and every change after that is a write to the store.

pub mod api;
pub mod complete;
pub mod defaults;
pub mod dns;
pub mod endpoints;
mod error;
pub mod labels;
pub mod load;
pub mod nearest;
mod note;
pub mod object;
pub mod published;
mod store;
pub mod validate;
pub mod workload;

pub use error::{CODES, Error, Place};
pub use note::Note;
pub use store::{Change, Cursor, Store};
