//! The metrics page.
//!
//! Names, labels and types: kube-proxy, pkg/proxy/metrics/metrics.go of each release; help texts are left out.

use std::fmt::{Display, Write as _};

use kdp_packet::Family;

use super::{Histogram, Metrics};
use crate::config::Mode;

/// What the page has beside the proxiers' own counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PageFacts {
    /// Events of Services, once for each family's tracker, and of slices.
    pub changes: ChangeCounts,
    /// Changes that no sync has taken yet.
    pub pending: ChangeCounts,
    /// Service ports of policy Local that have endpoints, but none here; by family, internal and external.
    pub no_local_endpoints: [(usize, usize); 2],
    /// Answers of `/healthz` and `/livez`, 200 and 503.
    pub healthz: (usize, usize),
    /// The same of `/livez`.
    pub livez: (usize, usize),
}

/// Numbers of changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChangeCounts {
    /// Of Services.
    pub services: usize,
    /// Of EndpointSlices.
    pub slices: usize,
}

/// The minor release from which on families are told apart, and the reconciler is measured.
const LABELLED: u8 = 33;

/// The page of a kube-proxy: Prometheus' text format.
pub fn print(families: &[(Family, &Metrics)], facts: &PageFacts) -> String {
    let Some(((family, first), rest)) = families.split_first() else { return String::new() };
    let minor = first.profile.minor;
    // Without the label there is one line for both.
    let merged = rest.iter().fold((*first).clone(), |all, (_, own)| all.merged(own));
    let one = [(*family, &merged)];
    let mut page = Page { text: String::new(), families: if minor >= LABELLED { families } else { &one } };
    page.syncs();
    page.changes(facts);
    match first.mode {
        Mode::Iptables => page.iptables(),
        Mode::Nftables => page.nftables(),
    }
    page.no_local_endpoints(facts);
    page.answers("proxy_healthz_total", facts.healthz);
    page.answers("proxy_livez_total", facts.livez);
    if minor >= LABELLED {
        page.histogram("conntrack_reconciler_sync_duration_seconds", |own| Some(&own.reconciler));
        page.each("conntrack_reconciler_deleted_entries_total", "counter", |own| {
            Some(own.reconciler_deleted)
        });
    }
    page.text
}

struct Page<'a> {
    text: String,
    families: &'a [(Family, &'a Metrics)],
}

impl Page<'_> {
    fn syncs(&mut self) {
        self.histogram("sync_proxy_rules_duration_seconds", |own| Some(&own.sync));
        self.histogram("sync_full_proxy_rules_duration_seconds", |own| Some(&own.full_sync));
        self.histogram("sync_partial_proxy_rules_duration_seconds", |own| Some(&own.partial_sync));
        self.each("sync_proxy_rules_last_timestamp_seconds", "gauge", |own| {
            own.synced_at.map(kdp_sim::Time::as_secs_f64)
        });
        self.each("sync_proxy_rules_last_queued_timestamp_seconds", "gauge", |own| {
            own.queued_at.map(kdp_sim::Time::as_secs_f64)
        });
        self.histogram("network_programming_duration_seconds", |own| Some(&own.programming));
    }

    fn changes(&mut self, facts: &PageFacts) {
        let PageFacts { changes, pending, .. } = facts;
        for (what, total, pending) in
            [("endpoint", changes.slices, pending.slices), ("service", changes.services, pending.services)]
        {
            self.one(&format!("sync_proxy_rules_{what}_changes_pending"), "gauge", pending);
            self.one(&format!("sync_proxy_rules_{what}_changes_total"), "counter", total);
        }
    }

    fn iptables(&mut self) {
        for (name, nat) in [("total", true), ("last", false)] {
            let name = format!("sync_proxy_rules_iptables_{name}");
            self.kind(&name, "gauge");
            self.lines(&name, |own| {
                let counts = own.counts.unwrap_or_default();
                let rules = if nat { counts.nat_rules } else { counts.nat_rules_written };
                vec![
                    ("table=\"filter\"".to_owned(), counts.filter_rules),
                    ("table=\"nat\"".to_owned(), rules),
                ]
            });
        }
        self.each("sync_proxy_rules_iptables_restore_failures_total", "counter", |own| Some(own.failures));
        self.each("sync_proxy_rules_iptables_partial_restore_failures_total", "counter", |own| {
            Some(own.partial_failures)
        });
    }

    fn nftables(&mut self) {
        self.each("sync_proxy_rules_nftables_sync_failures_total", "counter", |own| Some(own.failures));
        self.each("sync_proxy_rules_nftables_cleanup_failures_total", "counter", |_| Some(0));
    }

    fn no_local_endpoints(&mut self, facts: &PageFacts) {
        let name = "sync_proxy_rules_no_local_endpoints_total";
        self.kind(name, "gauge");
        let mut at = 0;
        self.lines(name, |_| {
            let (internal, external) = facts.no_local_endpoints[at];
            at += 1;
            let label = |policy: &str| format!("traffic_policy=\"{policy}\"");
            vec![(label("external"), external), (label("internal"), internal)]
        });
    }

    fn answers(&mut self, name: &str, (ok, not): (usize, usize)) {
        self.kind(name, "counter");
        for (code, count) in [(200, ok), (503, not)] {
            let _ = writeln!(self.text, "kubeproxy_{name}{{code=\"{code}\"}} {count}");
        }
    }

    fn kind(&mut self, name: &str, kind: &str) {
        let _ = writeln!(self.text, "# TYPE kubeproxy_{name} {kind}");
    }

    fn one(&mut self, name: &str, kind: &str, value: usize) {
        self.kind(name, kind);
        let _ = writeln!(self.text, "kubeproxy_{name} {value}");
    }

    fn each<T: Display>(&mut self, name: &str, kind: &str, value: impl Fn(&Metrics) -> Option<T>) {
        self.kind(name, kind);
        self.lines(name, |own| value(own).map(|value| (String::new(), value)).into_iter().collect());
    }

    /// Lines by family, each with more labels and a value.
    fn lines<T: Display>(&mut self, name: &str, mut values: impl FnMut(&Metrics) -> Vec<(String, T)>) {
        for (family, own) in self.families {
            for (labels, value) in values(own) {
                let parts = [family_label(own, *family), labels];
                let parts: Vec<&str> =
                    parts.iter().map(String::as_str).filter(|part| !part.is_empty()).collect();
                let braced =
                    if parts.is_empty() { String::new() } else { format!("{{{}}}", parts.join(",")) };
                let _ = writeln!(self.text, "kubeproxy_{name}{braced} {value}");
            }
        }
    }

    fn histogram(&mut self, name: &str, value: impl Fn(&Metrics) -> Option<&Histogram>) {
        self.kind(name, "histogram");
        for (family, own) in self.families {
            if let Some(histogram) = value(own) {
                histogram.print(&format!("kubeproxy_{name}"), &family_label(own, *family), &mut self.text);
            }
        }
    }
}

/// `ip_family`, from 1.33 on.
fn family_label(own: &Metrics, family: Family) -> String {
    if own.profile.minor >= LABELLED { format!("ip_family=\"{}\"", family.as_str()) } else { String::new() }
}
