//! The API of a `kdp._core.Cluster`, for whoever has the sockets.

use kdp_cluster::{ApiReply, ApiRequest};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;

use crate::cluster::Cluster;
use crate::errors::usage;

/// Status, media type, warnings, body; the body of a watch is its number, kind, namespace and timeout.
type Answer<'py> = (u16, String, Vec<String>, Bound<'py, PyBytes>);

/// The API server of a cluster, without sockets.
#[pyclass(frozen, module = "kdp._core")]
pub(crate) struct Api(Py<Cluster>);

#[pymethods]
impl Api {
    #[new]
    fn new(py: Python<'_>, cluster: Py<Cluster>, schemas: &[u8], epoch: i128) -> PyResult<Api> {
        let parsed = serde_json::from_slice(schemas);
        let schemas = parsed.map_err(|error| usage(py, &format!("the schemas are no JSON: {error}")))?;
        cluster.get().0.run(py, |core| core.serve(schemas, epoch))?;
        Ok(Api(cluster))
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of a request, as the stub states them")]
    fn handle<'py>(
        &self,
        py: Python<'py>,
        method: &str,
        path: &str,
        query: Vec<(String, String)>,
        accept: &str,
        content_type: &str,
        body: PyBackedBytes,
    ) -> PyResult<Answer<'py>> {
        let request = ApiRequest { method, path, query: &query, accept, content_type, body: &body };
        let reply = self.0.get().0.run(py, |core| core.api(&request))?;
        Ok(match reply {
            ApiReply::Whole(it) => (it.status, it.content_type, it.warnings, PyBytes::new(py, &it.body)),
            ApiReply::Watch { id, kind, namespace, timeout } => {
                let body = serde_json::json!([id, kind, namespace, timeout]).to_string();
                (0, "watch".to_owned(), Vec::new(), PyBytes::new(py, body.as_bytes()))
            }
        })
    }

    fn poll(&self, py: Python<'_>, watch: u64) -> PyResult<Vec<String>> {
        self.0.get().0.run(py, |core| Ok(core.watch_poll(watch)))
    }

    fn bookmark(&self, py: Python<'_>, watch: u64) -> PyResult<Option<String>> {
        self.0.get().0.run(py, |core| Ok(core.watch_bookmark(watch)))
    }

    fn close(&self, py: Python<'_>, watch: u64) -> PyResult<()> {
        self.0.get().0.run(py, |core| {
            core.watch_close(watch);
            Ok(())
        })
    }

    fn touched(&self, py: Python<'_>, since: u64) -> PyResult<(u64, Vec<(String, String)>)> {
        self.0.get().0.run(py, |core| Ok(core.touched(since)))
    }

    fn dns<'py>(&self, py: Python<'py>, question: &str) -> PyResult<Bound<'py, PyBytes>> {
        let parsed = serde_json::from_str(question);
        let question: serde_json::Value =
            parsed.map_err(|error| usage(py, &format!("the question is no JSON: {error}")))?;
        self.0.get().0.json(py, |core| core.dns_answer(&question))
    }

    fn reap(&self, py: Python<'_>) -> PyResult<()> {
        self.0.get().0.run(py, kdp_cluster::Cluster::reap)
    }
}
