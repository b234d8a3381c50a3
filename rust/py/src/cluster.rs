//! `kdp._core.Cluster`.

use kdp_cluster::{Action, Cluster as Core, Options, Plan, Question, exchange_json};
use kdp_kube::load::Source;
use kdp_kube::object::KindName;
use kdp_packet::{Family, FlowColumns};
use kdp_sim::Time;
use numpy::PyArray1;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;
use serde_json::json;

use crate::columns::{column, give};
use crate::errors::{by_code, raise, usage};
use crate::guarded::Guarded;
use crate::interrupt::Interrupt;

/// Objects, controllers, nodes and virtual time.
#[pyclass(frozen, module = "kdp._core")]
pub(crate) struct Cluster(pub(crate) Guarded<Core>);

/// Verdict, src, sport, dst, dport, rules walked.
type Columns<'py> = (
    Bound<'py, PyArray1<u8>>,
    Bound<'py, PyArray1<u32>>,
    Bound<'py, PyArray1<u16>>,
    Bound<'py, PyArray1<u32>>,
    Bound<'py, PyArray1<u16>>,
    Bound<'py, PyArray1<u32>>,
);

fn sources(given: &[(String, PyBackedBytes)]) -> Vec<Source<'_>> {
    given.iter().map(|(name, bytes)| Source { name, bytes }).collect()
}

fn family(py: Python<'_>, text: &str) -> PyResult<Family> {
    let all = [Family::V4, Family::V6];
    let found = all.into_iter().find(|family| family.as_str() == text);
    found.ok_or_else(|| usage(py, &format!("family {text:?} is not IPv4 or IPv6")))
}

#[pymethods]
impl Cluster {
    #[new]
    fn new(py: Python<'_>, sources: Vec<(String, PyBackedBytes)>, options: &str) -> PyResult<Cluster> {
        let made = py.detach(|| {
            let options = Options::parse(options)?;
            Core::load(&self::sources(&sources), options)
        });
        made.map(|core| Cluster(Guarded::new(core))).map_err(|e| raise(py, &e))
    }

    fn notes(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        self.0.run(py, |core| Ok(core.notes().to_vec()))
    }

    fn mode(&self, py: Python<'_>) -> PyResult<String> {
        self.0.run(py, |core| Ok(core.mode().to_owned()))
    }

    fn now(&self, py: Python<'_>) -> PyResult<u64> {
        self.0.run(py, |core| Ok(core.now().as_nanos()))
    }

    fn advance(&self, py: Python<'_>, to: u64) -> PyResult<()> {
        self.0.run(py, |core| core.advance(Time(to)))
    }

    fn run(&self, py: Python<'_>, to: u64) -> PyResult<()> {
        self.0.run(py, |core| core.run(Time(to)))
    }

    fn act(&self, py: Python<'_>, action: &str) -> PyResult<()> {
        self.0.run(py, |core| core.act(&Action::parse(action)?))
    }

    fn watch<'py>(&self, py: Python<'py>, to: u64, kinds: Vec<String>) -> PyResult<Bound<'py, PyBytes>> {
        let kinds = kinds.iter().map(|kind| kind_name(kind)).collect();
        self.0.json(py, |core| core.watch(Time(to), kinds))
    }

    fn churn<'py>(&self, py: Python<'py>, plan: &str) -> PyResult<Bound<'py, PyBytes>> {
        let (told, interrupt) = self.0.run(py, |core| {
            let interrupt = Interrupt::new();
            let told = core.churn(&Plan::parse(plan)?, || interrupt.go_on())?.to_string();
            Ok((told, interrupt))
        })?;
        interrupt.check()?;
        Ok(PyBytes::new(py, told.as_bytes()))
    }

    fn moment(&self, py: Python<'_>, at: u64) -> PyResult<String> {
        self.0.run(py, |core| Ok(core.moment(Time(at))))
    }

    #[pyo3(signature = (kind, namespace, selector, fields=None))]
    fn list<'py>(
        &self,
        py: Python<'py>,
        kind: &str,
        namespace: Option<&str>,
        selector: Option<&str>,
        fields: Option<&str>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let kind = kind_name(kind);
        let text = self.0.run(py, |core| core.list(&kind, namespace, selector, fields))?;
        Ok(PyBytes::new(py, text.as_bytes()))
    }

    fn kinds<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        self.0.json(py, |core| Ok(core.kinds()))
    }

    fn get<'py>(
        &self,
        py: Python<'py>,
        kind: &str,
        namespace: &str,
        name: &str,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let kind = kind_name(kind);
        self.0.json(py, |core| core.get(&kind, namespace, name))
    }

    fn put(&self, py: Python<'_>, sources: Vec<(String, PyBackedBytes)>) -> PyResult<()> {
        self.0.run(py, |core| core.put(&self::sources(&sources)))
    }

    fn delete(&self, py: Python<'_>, kind: &str, namespace: &str, name: &str) -> PyResult<()> {
        let kind = kind_name(kind);
        self.0.run(py, |core| core.delete(&kind, namespace, name))
    }

    fn resolve<'py>(&self, py: Python<'py>, question: &str) -> PyResult<Bound<'py, PyBytes>> {
        self.0.json(py, |core| core.resolve(question))
    }

    fn connect<'py>(&self, py: Python<'py>, question: &str) -> PyResult<Bound<'py, PyBytes>> {
        self.0.json(py, |core| core.connect(&Question::parse(question)?))
    }

    fn explore<'py>(&self, py: Python<'py>, question: &str) -> PyResult<Bound<'py, PyBytes>> {
        self.0.json(py, |core| core.explore(&Question::parse(question)?))
    }

    fn rules(&self, py: Python<'_>, node: &str, family: &str, form: &str) -> PyResult<String> {
        let family = self::family(py, family)?;
        match form.split(' ').collect::<Vec<_>>()[..] {
            ["save" | "restore"] => self.0.run(py, |core| core.rules_saved(node, family)),
            [table, chain] => self.0.run(py, |core| core.rules_listed(node, family, table, chain)),
            _ => Err(usage(py, &format!("form {form:?} is not save, restore or TABLE CHAIN"))),
        }
    }

    fn replace_rules(
        &self,
        py: Python<'_>,
        node: &str,
        tool: &str,
        text: &str,
        source: &str,
    ) -> PyResult<()> {
        self.0.run(py, |core| core.replace_rules(node, tool, text, source))
    }

    fn rule_counts<'py>(&self, py: Python<'py>, node: &str) -> PyResult<Bound<'py, PyBytes>> {
        self.0.json(py, |core| core.rule_counts(node))
    }

    fn receive<'py>(
        &self,
        py: Python<'py>,
        node: &str,
        device: &str,
        packet: &[u8],
    ) -> PyResult<Bound<'py, PyBytes>> {
        self.0.json(py, |core| core.receive(node, device, packet).map(|done| exchange_json(&done, node)))
    }

    fn send_local<'py>(&self, py: Python<'py>, node: &str, packet: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
        self.0.json(py, |core| core.send_local(node, packet).map(|done| exchange_json(&done, node)))
    }

    fn topology<'py>(&self, py: Python<'py>, node: &str) -> PyResult<Bound<'py, PyBytes>> {
        self.0.json(py, |core| core.topology(node))
    }

    fn proxy_metrics(&self, py: Python<'_>, node: &str) -> PyResult<String> {
        self.0.run(py, |core| core.proxy_metrics(node))
    }

    fn proxy_service_health<'py>(
        &self,
        py: Python<'py>,
        node: &str,
        namespace: &str,
        name: &str,
        family: &str,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let family = self::family(py, family)?;
        self.0.json(py, |core| core.proxy_service_health(node, namespace, name, family))
    }

    fn proxy_healthz(&self, py: Python<'_>, node: &str, live: bool) -> PyResult<u16> {
        self.0.run(py, |core| core.proxy_healthz(node, live))
    }

    fn proxy_refuse(&self, py: Python<'_>, node: &str, syncs: u32) -> PyResult<()> {
        self.0.run(py, |core| core.proxy_refuse(node, syncs))
    }

    fn proxy_restart(&self, py: Python<'_>, node: &str) -> PyResult<()> {
        self.0.run(py, |core| core.proxy_restart(node))
    }

    fn flush_rules(&self, py: Python<'_>, node: &str) -> PyResult<()> {
        self.0.run(py, |core| core.flush_rules(node))
    }

    fn conntrack(&self, py: Python<'_>, node: &str) -> PyResult<String> {
        self.0.run(py, |core| core.conntrack(node))
    }

    fn facts<'py>(
        &self,
        py: Python<'py>,
        kind: &str,
        namespace: &str,
        name: &str,
    ) -> PyResult<Bound<'py, PyBytes>> {
        self.0.json(py, |core| core.facts(kind, namespace, name))
    }

    fn nodes(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        self.0.run(py, |core| Ok(core.node_names()))
    }

    fn endpoints<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        self.0.json(py, |core| Ok(json!(core.residents())))
    }

    fn pod_ips<'py>(&self, py: Python<'py>, node: &str) -> PyResult<Bound<'py, PyArray1<u32>>> {
        Ok(give(py, self.0.run(py, |core| core.pod_ips(node))?))
    }

    #[expect(clippy::too_many_arguments, reason = "five columns, as the stub states them")]
    fn send<'py>(
        &self,
        py: Python<'py>,
        node: &str,
        src: &Bound<'_, PyAny>,
        sport: &Bound<'_, PyAny>,
        dst: &Bound<'_, PyAny>,
        dport: &Bound<'_, PyAny>,
        proto: &Bound<'_, PyAny>,
    ) -> PyResult<Columns<'py>> {
        let (src, sport) = (column(src, "src", "uint32")?, column(sport, "sport", "uint16")?);
        let (dst, dport) = (column(dst, "dst", "uint32")?, column(dport, "dport", "uint16")?);
        let proto = column::<u8>(proto, "proto", "uint8")?;
        if [sport.len(), dst.len(), dport.len(), proto.len()].iter().any(|len| *len != src.len()) {
            return Err(by_code(py, "flows-shape", "the columns differ in length"));
        }
        let (out, interrupt) = self.0.run(py, move |core| {
            let interrupt = Interrupt::new();
            let rows = FlowColumns { src: &src, sport: &sport, dst: &dst, dport: &dport, proto: &proto };
            let out = core.send(node, &rows, || interrupt.go_on())?;
            Ok((out, interrupt))
        })?;
        interrupt.check()?;
        Ok((
            give(py, out.verdict),
            give(py, out.src),
            give(py, out.sport),
            give(py, out.dst),
            give(py, out.dport),
            give(py, out.rules_walked),
        ))
    }
}

/// A kind by its name alone; one that is not typed is of any group.
/// A kind from `Service`, or from `apps/Deployment` with its group.
fn kind_name(text: &str) -> KindName {
    let (group, kind) = text.split_once('/').map_or((None, text), |(group, kind)| (Some(group), kind));
    let fits = |known: &&KindName| known.as_str() == kind && group.is_none_or(|group| known.group() == group);
    let typed = KindName::TYPED.iter().find(fits).cloned();
    typed.unwrap_or_else(|| KindName::Other { group: group.unwrap_or_default().into(), kind: kind.into() })
}
