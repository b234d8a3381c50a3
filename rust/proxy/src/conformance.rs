//! The rule sets of one node from plain objects: what conformance cases ask for.

use kdp_kube::object::{EndpointSlice, Node, Service};
use kdp_netfilter::{Ruleset, text};
use kdp_packet::Family;
use kdp_sim::Time;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::config::{Config, Mode};
use crate::error::{Error, Result};
use crate::node::NodeFacts;
use crate::sync::{Extent, Proxier};
use crate::view::View;

/// The Services, EndpointSlices and the own Node among API objects, taken as they are: nothing is defaulted.
#[derive(Clone, Debug, Default)]
pub struct Objects {
    services: Vec<Service>,
    slices: Vec<EndpointSlice>,
    nodes: Vec<Node>,
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

/// A node's rule sets, one a family, after each of its syncs.
#[derive(Clone)]
pub struct NodeRules {
    config: Config,
    view: View,
    objects: Objects,
    families: Vec<(Proxier, Ruleset)>,
}

impl NodeRules {
    /// After the first sync, into empty kernels, of the node that `proxy` (a case's proxy block) names.
    pub fn new(objects: &[Value], proxy: &Value) -> Result<NodeRules> {
        let config = Config::from_block(proxy)?;
        if config.mode == Mode::Nftables {
            return Err(Error::ModeNotModelled { mode: "nftables".to_owned() });
        }
        let objects = Objects::read(objects)?;
        let node = objects.node(&config.node_name);
        let mut view = View::new(config.profile);
        objects.apply(&mut view)?;
        let families = config.families.iter();
        let families =
            families.map(|family| (Proxier::new(&config, &node, *family), Ruleset::new(*family))).collect();
        let mut rules = NodeRules { config, view, objects, families };
        rules.sync(Time::ZERO);
        Ok(rules)
    }

    /// After one more sync, a second later, with the objects as they are then.
    pub fn change(&mut self, after: &[Value]) -> Result<()> {
        let after = Objects::read(after)?;
        self.objects.delete_missing(&after, &mut self.view);
        after.apply(&mut self.view)?;
        let node = after.node(&self.config.node_name);
        self.families.iter_mut().for_each(|(proxier, _)| proxier.set_node(&node));
        self.objects = after;
        self.sync(Time::from_secs(1));
        Ok(())
    }

    fn sync(&mut self, now: Time) {
        self.view.drain();
        for (proxier, ruleset) in &mut self.families {
            let synced = proxier.sync(&self.view, ruleset, now, Extent::Whole);
            ruleset
                .apply(&synced.transaction)
                .expect("a proxier's transaction fits the rule set it was made for");
        }
    }

    /// The rule set of a family, if the proxy runs for it.
    pub fn ruleset(&self, family: Family) -> Option<&Ruleset> {
        self.families.iter().map(|(_, ruleset)| ruleset).find(|ruleset| ruleset.family() == family)
    }

    /// The rule sets, IPv4 first.
    pub fn rulesets(&self) -> impl Iterator<Item = &Ruleset> {
        self.families.iter().map(|(_, ruleset)| ruleset)
    }

    /// The rules as iptables-save lists them, by tool: `{"iptables": TEXT, "ip6tables": TEXT}`.
    pub fn texts(&self) -> Value {
        let text = |ruleset: &Ruleset| {
            let tool = match ruleset.family() {
                Family::V4 => "iptables",
                Family::V6 => "ip6tables",
            };
            (tool.to_owned(), Value::String(text::print(ruleset)))
        };
        Value::Object(self.rulesets().map(text).collect())
    }
}

/// The rules of a node after its first sync, into empty kernels: see [`NodeRules::texts`]. iptables-restore takes them.
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

#[cfg(test)]
mod tests;
