//! Flow tables: what the rules of a node do with the first packet of a flow, as it is seen on PREROUTING.

mod nft;
#[cfg(test)]
mod tests;

use std::net::IpAddr;

use kdp_netfilter::vm::{
    Effects, Engine, Explore, Frame, Locality, Recorder, Surroundings, Verdict, What, explore,
};
use kdp_netfilter::{AddrType, CtState, CtStates, Hook, Table};
use kdp_packet::{Family, Headers, Proto, parse_ip_lenient};
use kdp_proxy::conformance::NodeRules;
use serde_json::{Value, json};

use crate::Error;

/// More endpoints than a table has.
const BRANCHES_MAX: usize = 10_000;

/// Runs the flows of a case: a list of `{"verdict", "backends", "masquerade"}`.
pub fn run_flows(case: &Value) -> Result<Value, Error> {
    let objects = case["objects"].as_array().map_or(&[][..], |objects| objects);
    let node = Node::of(case, objects)?;
    let flows = case["flows"].as_array().map_or(&[][..], |flows| flows);
    flows.iter().map(|flow| node.decide(flow)).collect()
}

/// A node as a flow table has it: rules, and addresses that are its own.
struct Node {
    rules: NodeRules,
    own: Vec<IpAddr>,
}

impl Locality for Node {
    fn addr_type(&self, addr: IpAddr) -> AddrType {
        if addr.is_loopback() || self.own.contains(&addr) { AddrType::Local } else { AddrType::Unicast }
    }
}

/// What one branch comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Outcome {
    Dnat { backend: String, masquerade: bool },
    Reject,
    Drop,
    Accept,
    Nothing,
}

impl Node {
    fn of(case: &Value, objects: &[Value]) -> Result<Node, Error> {
        let own = case["proxy"]["nodeIPs"].as_array().map_or(&[][..], |ips| ips);
        let own = own.iter().filter_map(|ip| parse_ip_lenient(ip.as_str()?)).collect();
        Ok(Node { rules: NodeRules::new(objects, &case["proxy"])?, own })
    }

    fn decide(&self, flow: &Value) -> Result<Value, Error> {
        let headers = first_packet(flow)?;
        let walk = |choose: &mut Explore| match self.rules.nft() {
            Some(ruleset) => self.walk_nft(ruleset, &headers, choose),
            None => self.walk(&headers, choose),
        };
        let outcomes = explore(BRANCHES_MAX, walk).merged();
        let mut backends: Vec<String> = Vec::new();
        let mut masquerades = false;
        let mut verdict = "none";
        for (outcome, _) in outcomes {
            verdict = match outcome {
                Outcome::Dnat { backend, masquerade } => {
                    backends.push(backend);
                    masquerades |= masquerade;
                    "dnat"
                }
                Outcome::Reject => "reject",
                Outcome::Drop => "drop",
                Outcome::Accept => "accept",
                Outcome::Nothing => "none",
            };
        }
        backends.sort();
        backends.dedup();
        Ok(json!({"verdict": verdict, "backends": backends, "masquerade": masquerades}))
    }

    fn walk(&self, headers: &Headers, choose: &mut Explore) -> Outcome {
        let mut headers = headers.clone();
        let mut states = CtStates::of(&[CtState::New]);
        let mut mark = 0;
        let (dnat, _) = self.at(Table::Nat, Hook::Prerouting, &headers, states, &mut mark, choose);
        let to = if let Verdict::Dnat(range) = dnat { range.addrs.map(|(addr, _)| addr) } else { None };
        if let (Some(addr), Verdict::Dnat(range)) = (to, dnat) {
            headers.dst = addr;
            headers.dport = range.ports.map_or(headers.dport, |ports| ports.first);
            states = states.with(CtState::Dnat);
        }
        let local = self.addr_type(headers.dst) == AddrType::Local;
        let hook = if local { Hook::Input } else { Hook::Forward };
        let (filter, by_rule) = self.at(Table::Filter, hook, &headers, states, &mut mark, choose);
        match filter {
            Verdict::Drop => return Outcome::Drop,
            Verdict::Reject(_) => return Outcome::Reject,
            _ if to.is_none() => return if by_rule && local { Outcome::Accept } else { Outcome::Nothing },
            _ => {}
        }
        let (snat, _) = self.at(Table::Nat, Hook::Postrouting, &headers, states, &mut mark, choose);
        let masquerade = matches!(snat, Verdict::Masquerade(_));
        Outcome::Dnat { backend: backend(&headers), masquerade }
    }

    /// What a table says at a hook, and whether a rule said it.
    fn at(
        &self,
        table: Table,
        hook: Hook,
        headers: &Headers,
        ct: CtStates,
        mark: &mut u32,
        choose: &mut Explore,
    ) -> (Verdict, bool) {
        let Some(ruleset) = self.rules.ruleset(headers.family()) else { return (Verdict::Accept, false) };
        let mut frame = Frame { mark: *mark, ct, ..Frame::new(headers) };
        let (mut effects, mut recorder) = (Effects::new(), Recorder::default());
        let mut around = Surroundings { locality: self, effects: &mut effects, choose, trace: &mut recorder };
        let walk = Engine::scan().evaluate(ruleset, table, hook, &mut frame, &mut around);
        *mark = frame.mark;
        let by_rule = recorder.events.last().is_some_and(|event| matches!(event.what, What::Rule { .. }));
        (walk.verdict, by_rule)
    }
}

/// Where a packet goes, as case files spell it.
fn backend(headers: &Headers) -> String {
    match headers.dst {
        IpAddr::V4(addr) => format!("{addr}:{}", headers.dport),
        IpAddr::V6(addr) => format!("[{addr}]:{}", headers.dport),
    }
}

fn first_packet(flow: &Value) -> Result<Headers, Error> {
    let wrong = |field: &str| Error::Case {
        kind: "run_flows".to_owned(),
        why: format!("flow {}: {field} {} is not one", flow["name"], flow[field]),
    };
    let addr = |field: &str| flow[field].as_str().and_then(parse_ip_lenient).ok_or_else(|| wrong(field));
    let port =
        flow["port"].as_u64().and_then(|port| u16::try_from(port).ok()).ok_or_else(|| wrong("port"))?;
    let proto = match flow["protocol"].as_str() {
        None => Proto::TCP,
        Some(text) => Proto::parse(text).ok_or_else(|| wrong("protocol"))?,
    };
    let (src, dst) = (addr("from")?, addr("to")?);
    if Family::of(src) != Family::of(dst) {
        return Err(wrong("to"));
    }
    Ok(Headers::plain(proto, (src, 12_345), (dst, port)))
}
