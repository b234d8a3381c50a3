//! What a node's kube-proxy is asked from outside, and what is done to it.

use kdp_kube::object::Node as NodeObject;
use kdp_packet::Family;
use kdp_proxy::{NodeFacts, ServiceName};
use serde_json::{Value, json};

use crate::Error;
use crate::cluster::Cluster;
use crate::proxy::flush;

/// The taint of a node that the cluster autoscaler takes away. Source: kube-proxy, `ToBeDeletedTaint`.
const TO_BE_DELETED: &str = "ToBeDeletedByClusterAutoscaler";

impl Cluster {
    /// The metrics page of a node's kube-proxy.
    pub fn proxy_metrics(&mut self, node: &str) -> Result<String, Error> {
        self.node(node)?;
        let zone = self.facts_of(node).zone;
        let node = self.nodes.get(node);
        Ok(node.proxy.metrics(&self.world.view, zone.as_deref()))
    }

    /// What the health-check node port of a Service answers: `{"port", "status", "headers", "body"}`; null where the Service
    /// has no such port in this family.
    pub fn proxy_service_health(
        &mut self,
        node: &str,
        namespace: &str,
        name: &str,
        family: Family,
    ) -> Result<Value, Error> {
        self.node(node)?;
        let going = self.is_going(node);
        let (now, service) = (self.world.now, ServiceName::new(namespace, name));
        let answer =
            self.nodes.get(node).proxy.service_health(&self.world.view, &service, family, going, now);
        Ok(answer.map_or(Value::Null, |(port, answer)| {
            let headers = answer.headers.into_iter().map(|(name, value)| (name.to_owned(), value.into()));
            json!({
                "port": port, "status": answer.status, "body": answer.body,
                "headers": headers.collect::<serde_json::Map<_, _>>(),
            })
        }))
    }

    /// The status code of `/healthz`, or of `/livez`; each answer is counted.
    pub fn proxy_healthz(&mut self, node: &str, live: bool) -> Result<u16, Error> {
        self.node(node)?;
        let (going, now) = (self.is_going(node), self.world.now);
        let proxy = &mut self.nodes.get(node).proxy;
        Ok(if live { proxy.livez(now) } else { proxy.healthz(going, now) })
    }

    /// The kernel refuses the next syncs of a node's kube-proxy, so many.
    pub fn proxy_refuse(&mut self, node: &str, syncs: u32) -> Result<(), Error> {
        self.node(node)?.proxy.refuse(syncs);
        Ok(())
    }

    /// Starts a node's kube-proxy anew: it forgets what it knew, and finds the rules that it wrote.
    pub fn proxy_restart(&mut self, node: &str) -> Result<(), Error> {
        self.node(node)?;
        let (facts, triggers, now) = (self.facts_of(node), self.world.triggers.len(), self.world.now);
        self.nodes.get(node).proxy.restart(&facts, triggers, now);
        self.node(node).map(drop)
    }

    /// Somebody flushes iptables' rules on a node, with kube-proxy's canaries.
    pub fn flush_rules(&mut self, node: &str) -> Result<(), Error> {
        flush(&mut self.node(node)?.host)
    }

    fn facts_of(&self, node: &str) -> NodeFacts {
        self.store().find::<NodeObject>("", node).map(NodeFacts::of).unwrap_or_default()
    }

    /// Whether a node is being deleted, or about to be.
    /// Source: kube-proxy, `SyncNode` (pkg/proxy/healthcheck/proxy_health.go).
    fn is_going(&self, node: &str) -> bool {
        self.store().find::<NodeObject>("", node).is_some_and(|node| {
            node.meta.deletion_timestamp.is_some()
                || node.spec.taints.iter().any(|taint| taint.key == TO_BE_DELETED)
        })
    }
}
