//! Kubernetes objects, their store, labels, endpoints, workloads and names.
//!
//! Bytes come in through [`load`], become [`object::Object`]s, and every change after that is a write to the store.

pub mod endpoints;
mod error;
pub mod labels;
pub mod load;
mod note;
pub mod object;

pub use error::{CODES, Error, Place};
pub use note::Note;
