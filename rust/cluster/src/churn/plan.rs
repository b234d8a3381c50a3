//! What an experiment does: when it ends, what people do meanwhile, and who talks to whom.

use serde::Deserialize;

use crate::Error;
use crate::action::Action;

/// An experiment. Times are nanoseconds of virtual time.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// When it ends.
    pub(super) until: u64,
    /// What people do.
    #[serde(default)]
    pub(super) actions: Vec<Timed>,
    /// Who talks to whom.
    #[serde(default)]
    pub(super) traffic: Vec<Traffic>,
    /// Whether every node's rules are made anew before each packet: the slow twin.
    #[serde(default)]
    pub(super) rebuild: bool,
}

/// An action and its time.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Timed {
    pub(super) at: u64,
    pub(super) action: Action,
}

/// One kind of traffic.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Traffic {
    /// Services; each connection draws one.
    pub(super) to: Vec<Target>,
    /// Pods; each connection draws one.
    pub(super) from: Vec<Client>,
    /// `tcp` or `udp`.
    pub(super) protocol: String,
    /// Connections a second, evenly spaced, whatever becomes of them: an open loop.
    #[serde(default)]
    pub(super) rate: Option<f64>,
    /// Clients that begin anew when they are done: a closed loop.
    #[serde(default)]
    pub(super) clients: Option<u32>,
    /// From the first connection on.
    #[serde(default)]
    pub(super) begin: u64,
    /// How long a connection is held.
    pub(super) hold: u64,
    /// Time between two requests of a connection.
    pub(super) interval: u64,
    /// How long a client waits for an answer.
    pub(super) timeout: u64,
    /// How many source ports a client goes through before it takes the first again.
    pub(super) ports: u16,
}

/// A Service and a port of it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Target {
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) port: u16,
}

/// A Pod that sends.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Client {
    pub(super) namespace: String,
    pub(super) name: String,
}

impl Plan {
    /// Reads a plan from a JSON object.
    pub fn parse(text: &str) -> Result<Plan, Error> {
        let plan: Plan = serde_json::from_str(text).map_err(|error| wrong(error.to_string()))?;
        for (at, traffic) in plan.traffic.iter().enumerate() {
            traffic.check().map_err(|why| wrong(format!("traffic {}: {why}", at + 1)))?;
        }
        Ok(plan)
    }
}

impl Traffic {
    fn check(&self) -> Result<(), String> {
        if self.to.is_empty() || self.from.is_empty() {
            return Err("it needs a Service to go to and a Pod to come from".to_owned());
        }
        if self.rate.is_some() == self.clients.is_some() {
            return Err("either rate or clients is needed".to_owned());
        }
        if self.rate.is_some_and(|rate| !(rate > 0.0 && rate <= 1e9)) {
            return Err("rate is a number of connections a second above 0".to_owned());
        }
        if !matches!(self.protocol.as_str(), "tcp" | "udp") {
            return Err(format!("protocol {:?} is not tcp or udp", self.protocol));
        }
        if self.interval == 0 || self.timeout == 0 || self.ports == 0 || self.ports > 28_232 {
            return Err("interval and timeout are above 0, ports from 1 to 28232".to_owned());
        }
        Ok(())
    }
}

fn wrong(why: String) -> Error {
    Error::Action { why }
}
