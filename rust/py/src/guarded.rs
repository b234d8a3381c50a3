//! A core behind a lock: every call releases the GIL, takes the lock, calls once.

use std::sync::{Mutex, PoisonError};

use kdp_cluster::Error;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use serde_json::Value;

use crate::errors::raise;

/// Something of the core that Python holds.
pub(crate) struct Guarded<T>(Mutex<T>);

impl<T: Send> Guarded<T> {
    pub(crate) fn new(core: T) -> Guarded<T> {
        Guarded(Mutex::new(core))
    }

    /// Runs `work` on the core with the GIL released. An error becomes Python's.
    pub(crate) fn run<O: Send>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&mut T) -> Result<O, Error> + Send,
    ) -> PyResult<O> {
        let result = py.detach(|| {
            let mut core = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            work(&mut core)
        });
        result.map_err(|error| raise(py, &error))
    }

    /// The same, for work that gives JSON.
    pub(crate) fn json<'py>(
        &self,
        py: Python<'py>,
        work: impl FnOnce(&mut T) -> Result<Value, Error> + Send,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let text = self.run(py, |core| work(core).map(|value| value.to_string()))?;
        Ok(PyBytes::new(py, text.as_bytes()))
    }
}
