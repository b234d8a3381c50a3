//! kube-proxy's command line: its options under their own names.

use serde_json::{Map, Value, json};

use crate::error::{Error, Result};

/// How the value of an option is read, where it comes as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Text,
    Flag,
    Number,
    List,
    Gates,
}

/// Options by their names on kube-proxy's command line, and in a `proxy` block.
/// Source: kube-proxy, `Options.AddFlags` (cmd/kube-proxy/app/options.go), 1.36.
const FLAGS: [(&str, &str, Form); 14] = [
    ("proxy-mode", "mode", Form::Text),
    ("cluster-cidr", "clusterCIDR", Form::Text),
    ("detect-local-mode", "mode", Form::Text),
    ("pod-bridge-interface", "interface", Form::Text),
    ("pod-interface-name-prefix", "interface", Form::Text),
    ("masquerade-all", "masqueradeAll", Form::Flag),
    ("iptables-masquerade-bit", "masqueradeBit", Form::Number),
    ("iptables-localhost-nodeports", "localhostNodePorts", Form::Flag),
    ("nodeport-addresses", "nodePortAddresses", Form::List),
    ("iptables-sync-period", "syncPeriod", Form::Text),
    ("iptables-min-sync-period", "minSyncPeriod", Form::Text),
    ("conntrack-tcp-be-liberal", "tcpBeLiberal", Form::Flag),
    ("hostname-override", "hostnameOverride", Form::Text),
    ("feature-gates", "featureGates", Form::Gates),
];

/// Options that say how local Pods are told.
const DETECT_LOCAL: [&str; 4] =
    ["cluster-cidr", "detect-local-mode", "pod-bridge-interface", "pod-interface-name-prefix"];

/// The options of a command line in the form of a `proxy` block. Values are texts, or what they mean.
///
/// Two options of which kube-proxy would pass over one in silence are an error.
pub fn block_of_flags(flags: &Map<String, Value>) -> Result<Map<String, Value>> {
    let mut block = Map::new();
    for (name, value) in flags {
        let Some((_, option, form)) = FLAGS.into_iter().find(|(known, ..)| known == name) else {
            let allowed = FLAGS.map(|(known, ..)| known).join(", ");
            return Err(Error::OptionUnknown { option: name.clone(), allowed });
        };
        let value = form.read(name, value)?;
        if !DETECT_LOCAL.contains(&name.as_str()) {
            block.insert(option.to_owned(), value);
        }
    }
    if let Some(detect) = detect_local(flags)? {
        block.insert("detectLocal".to_owned(), detect);
    }
    Ok(block)
}

fn detect_local(flags: &Map<String, Value>) -> Result<Option<Value>> {
    let given = |name: &str| flags.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let by_bridge = ("pod-bridge-interface", "BridgeInterface");
    let by_prefix = ("pod-interface-name-prefix", "InterfaceNamePrefix");
    if let (Some(_), Some(_)) = (given(by_bridge.0), given(by_prefix.0)) {
        return Err(Error::exclusive(
            by_bridge.0,
            by_prefix.0,
            "each is read by a detect-local-mode of its own",
        ));
    }
    let mode = given("detect-local-mode").unwrap_or("ClusterCIDR");
    for (option, own) in [by_bridge, by_prefix] {
        if given(option).is_some() && mode != own {
            let why = format!("the option is read with --detect-local-mode={own} alone");
            return Err(Error::exclusive(option, &format!("detect-local-mode={mode}"), &why));
        }
    }
    let interface = given(by_bridge.0).or(given(by_prefix.0));
    Ok(match (mode, given("cluster-cidr")) {
        // The default mode without a CIDR: as if nothing was said.
        ("ClusterCIDR", None) => None,
        ("ClusterCIDR", Some(cidr)) => Some(json!({"mode": mode, "clusterCIDR": cidr})),
        _ => Some(json!({"mode": mode, "interface": interface})),
    })
}

impl Form {
    fn read(self, name: &str, value: &Value) -> Result<Value> {
        let text = value.as_str();
        let read = match self {
            Form::Text => text.map(Value::from),
            Form::Flag => value.as_bool().or_else(|| flag(text?)).map(Value::from),
            Form::Number => value.as_u64().or_else(|| text?.parse().ok()).map(Value::from),
            Form::List if value.is_array() => Some(value.clone()),
            Form::List => {
                text.map(|text| text.split(',').map(str::trim).filter(|part| !part.is_empty()).collect())
            }
            Form::Gates if value.is_object() => Some(value.clone()),
            Form::Gates => text.and_then(gates),
        };
        read.ok_or_else(|| Error::option(name, value, self.allowed()))
    }

    const fn allowed(self) -> &'static str {
        match self {
            Form::Text => "a text",
            Form::Flag => "true or false",
            Form::Number => "a whole number",
            Form::List => "a list, or texts with commas between them",
            Form::Gates => "NAME=true or NAME=false, with commas between them",
        }
    }
}

fn flag(text: &str) -> Option<bool> {
    match text {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

fn gates(text: &str) -> Option<Value> {
    let gate = |part: &str| {
        let (name, value) = part.split_once('=')?;
        Some((name.trim().to_owned(), flag(value.trim())?.into()))
    };
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    parts.map(gate).collect::<Option<Map<_, _>>>().map(Value::Object)
}
