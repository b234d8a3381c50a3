//! Every outcome of a new connection, with its probability.

use std::collections::BTreeMap;
use std::sync::Arc;

use kdp_host::{Host, Packet, Silent};
use kdp_netfilter::vm::{Explore, Probability, explore};
use kdp_packet::{Family, Headers, parse_ip_lenient};
use serde_json::{Value, json};

use crate::Error;
use crate::answer::unfinished;
use crate::client::Client;
use crate::cluster::Cluster;
use crate::path::{End, Entry, carry};
use crate::question::Question;
use crate::world::{World, walk_box};

/// More endpoints than any Service has.
const BRANCHES_MAX: usize = 100_000;

impl Cluster {
    /// All that can become of a new connection: JSON of kind Exploration. Nothing in the cluster changes by it.
    ///
    /// The connection is new and the nodes are otherwise idle: connections that are there are not looked at, what `recent` lists
    /// hold is.
    pub fn explore(&mut self, question: &Question) -> Result<Value, Error> {
        let client = Client::asking(&self.world, question)?;
        let target = parse_ip_lenient(&question.host).or_else(|| {
            let found = self.look_up(&question.host, &client).addrs;
            found.into_iter().find(|addr| client.addr(Family::of(*addr)).is_some())
        });
        let outcomes = match (target, client.entry.clone()) {
            (Some(target), Some(entry)) => {
                let before = self.connections;
                let request = self.request(question, &client, target)?;
                self.connections = before;
                self.branches(&entry, &request)?
            }
            (None, _) => vec![only("name-not-found", "DNS has no address for the name")],
            (_, None) => vec![only("no-route", "nothing outside of the cluster has a route to it")],
        };
        Ok(json!({
            "apiVersion": "kdp.dev/v1alpha1", "kind": "Exploration", "seed": self.seed(),
            "from": client.shown, "to": question.target(),
            "protocol": question.proto.to_string(), "outcomes": outcomes,
        }))
    }

    fn branches(&mut self, entry: &Entry, request: &Headers) -> Result<Vec<Value>, Error> {
        let explored = explore(BRANCHES_MAX, |choose| self.branch(entry, request, choose));
        let mut merged: Vec<(Value, Probability, Probability)> = Vec::new();
        for branch in explored.branches {
            let (nominal, kernel) = (branch.nominal, branch.kernel());
            let outcome = branch.outcome?;
            match merged.iter_mut().find(|(seen, ..)| *seen == outcome) {
                Some((_, sum, exact)) => (*sum, *exact) = (sum.plus(nominal), exact.plus(kernel)),
                None => merged.push((outcome, nominal, kernel)),
            }
        }
        Ok(merged
            .into_iter()
            .map(|(outcome, nominal, kernel)| with_chance(outcome, nominal, kernel))
            .collect())
    }

    /// One way that it can go, on copies of the nodes that it meets.
    fn branch(&mut self, entry: &Entry, request: &Headers, choose: &mut Explore) -> Result<Value, Error> {
        let (world, nodes) = (&self.world, &mut self.nodes);
        let mut copies: BTreeMap<Arc<str>, Host> = BTreeMap::new();
        let path = carry(&world.directory, entry.clone(), Packet::of(request.clone()), &mut |at, packet| {
            let node = nodes.open(world, &at.node)?;
            let (device, uplink) = (node.device(at.way), node.uplink());
            let host = copies.entry(at.node.clone()).or_insert_with(|| node.host.without_connections());
            Ok((walk_box(host, device, packet, world.now, choose, &mut Silent)?, uplink))
        })?;
        Ok(outcome(world, &path.end, request))
    }
}

fn only(verdict: &str, reason: &str) -> Value {
    let outcome = json!({"verdict": verdict, "reason": reason, "endpoint": null, "masqueraded": null});
    with_chance(outcome, Probability::ONE, Probability::ONE)
}

fn with_chance(mut outcome: Value, nominal: Probability, kernel: Probability) -> Value {
    outcome["probability"] = nominal.to_string().into();
    outcome["exact"] = if kernel.is_exact() { kernel.to_string().into() } else { Value::Null };
    outcome["share"] = nominal.as_f64().into();
    outcome
}

fn outcome(world: &World, end: &End, request: &Headers) -> Value {
    let (verdict, reason) = unfinished(world, end);
    let masqueraded = match end {
        End::Pod { packet, .. } | End::Node { packet, .. } => Some(packet.headers.src != request.src),
        End::World { .. } | End::Nobody { .. } | End::Lost { .. } | End::Stopped { .. } => None,
    };
    json!({"verdict": verdict, "reason": reason, "endpoint": end.endpoint(), "masqueraded": masqueraded})
}
