//! The rule sets of one node from plain objects: what conformance cases ask for.

use kdp_kube::object::{EndpointSlice, Node, Service};
use kdp_netfilter::{Ruleset, nft, text};
use kdp_packet::{Cidr, Family};
use kdp_sim::Time;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::config::{Config, Mode, Settings};
use crate::decide::{Arrival, Decider, Decision};
use crate::error::{Error, Result};
use crate::nftables::NftProxier;
use crate::node::NodeFacts;
use crate::sync::{Extent, Proxier};
use crate::view::View;

/// The Services, EndpointSlices and the own Node among API objects, taken as they are: nothing is defaulted.
#[derive(Clone, Debug, Default)]
pub struct Objects {
    services: Vec<Service>,
    slices: Vec<EndpointSlice>,
    nodes: Vec<Node>,
    service_cidrs: Vec<Cidr>,
}

/// A ServiceCIDR object: networks that cluster IPs are taken from.
#[derive(Default, Deserialize)]
#[serde(default)]
struct ServiceCidr {
    spec: ServiceCidrSpec,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ServiceCidrSpec {
    cidrs: Vec<String>,
}

#[derive(Deserialize)]
struct TypeMeta {
    #[serde(default)]
    kind: String,
}

impl Objects {
    /// Of API objects as JSON. Kinds that kube-proxy does not read are passed over.
    pub fn read(objects: &[Value]) -> Result<Objects> {
        let mut read = Objects::default();
        for object in objects {
            let TypeMeta { kind } = typed(object)?;
            match kind.as_str() {
                "Service" => read.services.push(typed(object)?),
                "EndpointSlice" => read.slices.push(typed(object)?),
                "Node" => read.nodes.push(typed(object)?),
                "ServiceCIDR" => {
                    let ServiceCidr { spec } = typed(object)?;
                    // The API server lets no other text through.
                    read.service_cidrs.extend(spec.cidrs.iter().filter_map(|cidr| Cidr::parse(cidr)));
                }
                _ => {}
            }
        }
        Ok(read)
    }

    /// What kube-proxy reads of the node called `name`; nothing if it is not there.
    pub fn node(&self, name: &str) -> NodeFacts {
        self.nodes.iter().find(|node| node.meta.name == name).map(NodeFacts::of).unwrap_or_default()
    }

    /// Puts every Service and slice into `view`.
    pub fn apply(&self, view: &mut View) -> Result<()> {
        self.services.iter().try_for_each(|service| view.apply_service(service))?;
        self.slices.iter().try_for_each(|slice| view.apply_slice(slice))
    }

    /// Takes out of `view` what is here and not in `after`.
    fn delete_missing(&self, after: &Objects, view: &mut View) {
        let name = |meta: &kdp_kube::object::Meta| (meta.namespace.clone(), meta.name.clone());
        for (namespace, name_) in self.services.iter().map(|service| name(&service.meta)) {
            if !after.services.iter().any(|other| name(&other.meta) == (namespace.clone(), name_.clone())) {
                view.delete_service(&namespace, &name_);
            }
        }
        for (namespace, name_) in self.slices.iter().map(|slice| name(&slice.meta)) {
            if !after.slices.iter().any(|other| name(&other.meta) == (namespace.clone(), name_.clone())) {
                view.delete_slice(&namespace, &name_);
            }
        }
    }
}

fn typed<T: DeserializeOwned>(object: &Value) -> Result<T> {
    T::deserialize(object).map_err(|error| Error::ObjectNotValid {
        object: format!("{} {}", object["kind"].as_str().unwrap_or("object"), object["metadata"]["name"]),
        field: String::new(),
        found: error.to_string(),
        allowed: "what the API has there",
    })
}

/// The rules of a node after each of its syncs, in the mode that its proxy runs in.
#[derive(Clone)]
pub struct NodeRules {
    config: Config,
    view: View,
    objects: Objects,
    proxies: Proxies,
}

/// A node's proxiers, one a family, and its kernel.
#[derive(Clone)]
enum Proxies {
    Iptables(Vec<(Proxier, Ruleset)>),
    Nftables(Vec<NftProxier>, nft::Ruleset),
}

impl NodeRules {
    /// After the first sync, into an empty kernel, of the node that `proxy` (a case's proxy block) names.
    pub fn new(objects: &[Value], proxy: &Value) -> Result<NodeRules> {
        let config = Config::from_block(proxy)?;
        let objects = Objects::read(objects)?;
        let node = objects.node(&config.node_name);
        let mut view = View::new(config.profile);
        objects.apply(&mut view)?;
        let families = config.families.iter().copied();
        let proxies = match config.mode {
            Mode::Iptables => {
                let proxier = |family| (Proxier::new(&config, &node, family), Ruleset::new(family));
                Proxies::Iptables(families.map(proxier).collect())
            }
            Mode::Nftables => {
                let proxiers = families.map(|family| NftProxier::new(&config, &node, family));
                Proxies::Nftables(proxiers.collect(), nft::Ruleset::new())
            }
        };
        let mut rules = NodeRules { config, view, objects, proxies };
        rules.sync(Time::ZERO)?;
        Ok(rules)
    }

    /// After one more sync, a second later, with the objects as they are then. In nftables mode another one follows, which
    /// deletes chains that have become stale.
    pub fn change(&mut self, after: &[Value]) -> Result<()> {
        let after = Objects::read(after)?;
        self.objects.delete_missing(&after, &mut self.view);
        after.apply(&mut self.view)?;
        let node = after.node(&self.config.node_name);
        match &mut self.proxies {
            Proxies::Iptables(families) => {
                for (proxier, _) in families {
                    proxier.set_node(&node);
                }
            }
            Proxies::Nftables(proxiers, _) => {
                for proxier in proxiers {
                    proxier.set_node(&node);
                }
            }
        }
        self.objects = after;
        self.sync(Time::from_secs(1))?;
        if matches!(self.proxies, Proxies::Nftables(..)) {
            self.sync(Time::from_secs(3))?;
        }
        Ok(())
    }

    fn sync(&mut self, now: Time) -> Result<()> {
        const FITS: &str = "a proxier's transaction fits the rule set it was made for";
        self.view.drain();
        match &mut self.proxies {
            Proxies::Iptables(families) => {
                for (proxier, ruleset) in families {
                    let synced = proxier.sync(&self.view, ruleset, now, Extent::Whole);
                    ruleset.apply(&synced.transaction).expect(FITS);
                }
            }
            Proxies::Nftables(proxiers, ruleset) => {
                let mut cidrs = self.config.service_cidrs.clone();
                cidrs.extend(&self.objects.service_cidrs);
                for proxier in proxiers {
                    proxier.set_service_cidrs(&cidrs);
                    let synced = proxier.sync(&self.view, now)?;
                    for transaction in synced.cleanup.iter().chain([&synced.transaction]) {
                        ruleset.apply(transaction, now).expect(FITS);
                    }
                }
            }
        }
        Ok(())
    }

    /// The iptables rule set of a family, if the proxy runs for it and in that mode.
    pub fn ruleset(&self, family: Family) -> Option<&Ruleset> {
        self.rulesets().find(|ruleset| ruleset.family() == family)
    }

    /// The iptables rule sets, IPv4 first; none in another mode.
    pub fn rulesets(&self) -> impl Iterator<Item = &Ruleset> {
        let families = match &self.proxies {
            Proxies::Iptables(families) => families.as_slice(),
            Proxies::Nftables(..) => &[],
        };
        families.iter().map(|(_, ruleset)| ruleset)
    }

    /// The nftables rule set, in that mode.
    pub fn nft(&self) -> Option<&nft::Ruleset> {
        match &self.proxies {
            Proxies::Iptables(_) => None,
            Proxies::Nftables(_, ruleset) => Some(ruleset),
        }
    }

    /// The rules as they are listed, by tool: `{"iptables": TEXT, "ip6tables": TEXT}`, or `{"nft": TEXT}`.
    pub fn texts(&self) -> Value {
        let text = |ruleset: &Ruleset| {
            let tool = match ruleset.family() {
                Family::V4 => "iptables",
                Family::V6 => "ip6tables",
            };
            (tool.to_owned(), Value::String(text::print(ruleset)))
        };
        let nft = self.nft().map(|ruleset| ("nft".to_owned(), Value::String(nft::print(ruleset))));
        Value::Object(self.rulesets().map(text).chain(nft).collect())
    }
}

/// The rules of a node after its first sync, into an empty kernel: see [`NodeRules::texts`]. iptables-restore and `nft -f` take them.
pub fn render_rules(objects: &[Value], proxy: &Value) -> Result<Value> {
    Ok(NodeRules::new(objects, proxy)?.texts())
}

/// The rules after a first sync and after a second one: a list of two answers of [`render_rules`].
pub fn render_rules_after(objects: &[Value], objects_after: &[Value], proxy: &Value) -> Result<Value> {
    let mut rules = NodeRules::new(objects, proxy)?;
    let first = rules.texts();
    rules.change(objects_after)?;
    Ok(Value::Array(vec![first, rules.texts()]))
}

/// What the node decides of flows, without rules: of each, `{"verdict", "backends", "masquerade"}` as case files have it.
pub fn decide_flows(objects: &[Value], proxy: &Value, arrivals: &[Arrival<'_>]) -> Result<Vec<Value>> {
    let config = Config::from_block(proxy)?;
    let objects = Objects::read(objects)?;
    let node = objects.node(&config.node_name);
    let mut view = View::new(config.profile);
    objects.apply(&mut view)?;
    view.drain();
    let decided = arrivals.iter().map(|arrival| {
        let family = Family::of(arrival.dst);
        let own = |cidr: &&Cidr| cidr.family() == family;
        let cidrs = config.service_cidrs.iter().chain(&objects.service_cidrs).filter(own);
        let decider = Decider {
            mode: config.mode,
            settings: &Settings::new(&config, &node, family),
            zone: node.zone.as_deref(),
            own: &config.node_ips,
            service_cidrs: &cidrs.copied().collect::<Vec<_>>(),
        };
        shown(&decider.decide(view.family(family), arrival))
    });
    Ok(decided.collect())
}

fn shown(decision: &Decision<'_>) -> Value {
    let (verdict, to) = match decision {
        Decision::Nothing => ("none", &[][..]),
        Decision::Accepted => ("accept", &[][..]),
        Decision::Rejected => ("reject", &[][..]),
        Decision::Dropped => ("drop", &[][..]),
        Decision::Translated(to) => ("dnat", &to[..]),
    };
    let mut backends: Vec<&str> = to.iter().map(|to| &*to.endpoint.text).collect();
    backends.sort_unstable();
    json!({"verdict": verdict, "backends": backends, "masquerade": to.iter().any(|to| to.masquerade)})
}

#[cfg(test)]
mod tests;
