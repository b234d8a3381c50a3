//! `kdp._core.Host`: one Linux box.

use std::sync::Mutex;

use kdp_cluster::{nft_listing, topology};
use kdp_host::{Held, Host as Core};
use kdp_netfilter::{nft, text};
use kdp_packet::{Family, parse_ip_lenient};
use kdp_sim::Time;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};
use serde_json::Value;

use crate::columns::give;
use crate::errors::{raise, usage};
use crate::guarded::Guarded;
use crate::interrupt::Interrupt;
use crate::packet_columns::{Columns, Given};

/// One Linux box: devices, addresses, routes, sysctls, rules, connection tracking.
#[pyclass(frozen, module = "kdp._core")]
pub(crate) struct Host {
    core: Guarded<Core>,
    /// Packets that a queue holds, by the numbers that Python knows them by.
    held: Mutex<Vec<Held>>,
}

/// What became of a packet; one that a queue holds is kept in `held`, in order.
fn told(core: &Core, exchange: kdp_host::Exchange, held: &Mutex<Vec<Held>>) -> Value {
    let told = kdp_cluster::exchange_json(&exchange, core.name());
    let mut held = held.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    held.extend(exchange.held.map(|waiting| *waiting));
    told
}

fn family(py: Python<'_>, tool: &str) -> PyResult<Family> {
    match tool {
        "iptables" => Ok(Family::V4),
        "ip6tables" => Ok(Family::V6),
        _ => Err(usage(py, &format!("tool {tool:?} is not iptables, ip6tables, nft or ipset"))),
    }
}

#[pymethods]
impl Host {
    #[new]
    fn new(py: Python<'_>, topology: &str, seed: u64) -> PyResult<Host> {
        let made = kdp_cluster::topology::host(topology, seed);
        made.map(|core| Host { core: Guarded::new(core), held: Mutex::default() }).map_err(|e| raise(py, &e))
    }

    #[pyo3(signature = (tool, text, noflush, now=0))]
    fn load_rules(&self, py: Python<'_>, tool: &str, text: &str, noflush: bool, now: u64) -> PyResult<()> {
        if tool == "nft" {
            return self.core.run(py, |core| Ok(core.load_nft(text, tool, Time(now))?));
        }
        if tool == "ipset" {
            return self.core.run(py, |core| Ok(core.effects.sets.load(text, tool, Time(now))?));
        }
        let family = self::family(py, tool)?;
        self.core.run(py, |core| {
            let transaction = text::parse(text, tool, family, noflush)?;
            core.apply(&transaction)?;
            Ok(())
        })
    }

    #[pyo3(signature = (tool, now=0))]
    fn rules(&self, py: Python<'_>, tool: &str, now: u64) -> PyResult<String> {
        if tool == "ipset" {
            return self.core.run(py, |core| Ok(core.effects.sets.print(Time(now))));
        }
        if tool == "nft" {
            return self.core.run(py, |core| Ok(nft::print(core.nft())));
        }
        let family = self::family(py, tool)?;
        self.core.run(py, |core| Ok(text::print(core.ruleset(family))))
    }

    #[pyo3(signature = (device, packet, now, mark=0))]
    fn receive<'py>(
        &self,
        py: Python<'py>,
        device: &str,
        packet: &[u8],
        now: u64,
        mark: u32,
    ) -> PyResult<Bound<'py, PyBytes>> {
        self.core.json(py, |core| {
            let exchange = core.exchange_marked(Some(device), packet, mark, Time(now))?;
            Ok(told(core, exchange, &self.held))
        })
    }

    #[pyo3(signature = (packet, now, mark=0))]
    fn send_local<'py>(
        &self,
        py: Python<'py>,
        packet: &[u8],
        now: u64,
        mark: u32,
    ) -> PyResult<Bound<'py, PyBytes>> {
        self.core.json(py, |core| {
            let exchange = core.exchange_marked(None, packet, mark, Time(now))?;
            Ok(told(core, exchange, &self.held))
        })
    }

    fn devices(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        self.core.run(py, |core| Ok(core.devices.iter().map(|(_, device)| device.name.to_string()).collect()))
    }

    fn way_in(&self, py: Python<'_>, src: &str) -> PyResult<Option<String>> {
        let src = parse_ip_lenient(src).ok_or_else(|| usage(py, &format!("{src:?} is no IP address")))?;
        self.core.run(py, |core| {
            let device = core.way_in(src);
            Ok(device.map(|device| device.map_or(String::new(), |id| core.devices.get(id).name.to_string())))
        })
    }

    fn send_packets<'py>(&self, py: Python<'py>, columns: &Bound<'py, PyDict>) -> PyResult<Columns<'py>> {
        let given = Given::read(columns)?;
        let (out, interrupt) = self.core.run(py, move |core| {
            let interrupt = Interrupt::new();
            let out = core.send_packets(&given.columns(), || interrupt.go_on())?;
            Ok((out, interrupt))
        })?;
        interrupt.check()?;
        Ok((
            give(py, out.verdict),
            give(py, out.device),
            give(py, out.src),
            give(py, out.sport),
            give(py, out.dst),
            give(py, out.dport),
            give(py, out.state),
            give(py, out.rules_walked),
        ))
    }

    fn ip(&self, py: Python<'_>, arguments: Vec<String>) -> PyResult<u8> {
        let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
        self.core.run(py, |core| Ok(core.ip(&words)?))
    }

    fn hold(&self, py: Python<'_>, holds: bool) -> PyResult<()> {
        self.core.run(py, |core| {
            core.holds = holds;
            Ok(())
        })
    }

    fn release<'py>(&self, py: Python<'py>, number: usize, now: u64) -> PyResult<Bound<'py, PyBytes>> {
        let waiting =
            self.held.lock().unwrap_or_else(std::sync::PoisonError::into_inner).get(number).cloned();
        let waiting = waiting.ok_or_else(|| usage(py, &format!("no packet {number} is held")))?;
        self.core.json(py, |core| {
            let exchange = core.exchange_held(waiting, Time(now))?;
            Ok(told(core, exchange, &self.held))
        })
    }

    fn conntrack<'py>(&self, py: Python<'py>, now: u64) -> PyResult<Bound<'py, PyBytes>> {
        self.core.json(py, |core| Ok(topology::entries(core, Time(now))))
    }

    fn set_sysctl(&self, py: Python<'_>, name: &str, value: &str) -> PyResult<()> {
        self.core.run(py, |core| topology::set_sysctl(core, name, &Value::from(value)))
    }

    fn tool<'py>(&self, py: Python<'py>, arguments: Vec<String>, now: u64) -> PyResult<Bound<'py, PyBytes>> {
        self.core.json(py, |core| topology::conntrack_tool(core, &arguments, Time(now)))
    }

    fn stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        self.core.json(py, |core| Ok(topology::stats(core)))
    }

    fn recent<'py>(&self, py: Python<'py>, tool: &str, name: &str) -> PyResult<Bound<'py, PyBytes>> {
        let family = self::family(py, tool)?;
        self.core.json(py, |core| Ok(topology::recent(core, family, name)))
    }

    fn counters<'py>(&self, py: Python<'py>, tool: &str, table: &str) -> PyResult<Bound<'py, PyBytes>> {
        let family = self::family(py, tool)?;
        self.core.json(py, |core| topology::counters(core, family, table))
    }

    fn nft_counters<'py>(&self, py: Python<'py>, family: &str, table: &str) -> PyResult<Bound<'py, PyBytes>> {
        self.core.json(py, |core| Ok(nft_listing::counters(core, &nft_listing::table(family, table)?)))
    }

    fn nft_reset_counters(&self, py: Python<'_>, family: &str, table: &str) -> PyResult<bool> {
        self.core.run(py, |core| Ok(core.reset_nft_counters(&nft_listing::table(family, table)?)))
    }

    fn nft_elements<'py>(
        &self,
        py: Python<'py>,
        family: &str,
        table: &str,
        name: &str,
        now: u64,
    ) -> PyResult<Bound<'py, PyBytes>> {
        self.core.json(py, |core| {
            Ok(nft_listing::elements(core, &nft_listing::table(family, table)?, name, Time(now)))
        })
    }
}
