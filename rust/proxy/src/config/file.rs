//! kube-proxy's configuration file: `kind: KubeProxyConfiguration`, `kubeproxy.config.k8s.io/v1alpha1`.

use serde_json::{Map, Value, json};

use crate::error::{Error, Result};

/// The group and version of the file.
const API_VERSION: &str = "kubeproxy.config.k8s.io/v1alpha1";
/// Its kind.
const KIND: &str = "KubeProxyConfiguration";

/// Fields by section; the empty section is the file itself. Sections without fields of their own are kept unread: what is in
/// them changes no rule.
/// Source: k8s.io/kube-proxy, `config/v1alpha1/types.go`, 1.36.
const FIELDS: [(&str, &[&str]); 5] = [
    (
        "",
        &[
            "apiVersion",
            "kind",
            "featureGates",
            "clientConnection",
            "logging",
            "hostnameOverride",
            "bindAddress",
            "healthzBindAddress",
            "metricsBindAddress",
            "bindAddressHardFail",
            "enableProfiling",
            "showHiddenMetricsForVersion",
            "mode",
            "iptables",
            "ipvs",
            "nftables",
            "winkernel",
            "detectLocalMode",
            "detectLocal",
            "clusterCIDR",
            "nodePortAddresses",
            "oomScoreAdj",
            "conntrack",
            "configSyncPeriod",
            "portRange",
            "windowsRunAsService",
            // Of files that older releases wrote.
            "udpIdleTimeout",
            "resourceContainer",
        ],
    ),
    ("iptables", &["masqueradeBit", "masqueradeAll", "localhostNodePorts", "syncPeriod", "minSyncPeriod"]),
    ("nftables", &["masqueradeBit", "masqueradeAll", "syncPeriod", "minSyncPeriod"]),
    ("detectLocal", &["bridgeInterface", "interfaceNamePrefix"]),
    (
        "conntrack",
        &[
            "maxPerCore",
            "min",
            "tcpEstablishedTimeout",
            "tcpCloseWaitTimeout",
            "tcpBeLiberal",
            "udpTimeout",
            "udpStreamTimeout",
            "max",
        ],
    ),
];

/// The file's options in the form of a `proxy` block. A field that is not known is an error that names it.
///
/// DEVIATION(proxy-config-strict): kube-proxy reads a file with unknown fields leniently and warns; here they are errors.
/// Source: `cmd/kube-proxy/app/options.go` (`loadConfig`), `pkg/proxy/apis/config/v1alpha1/conversion.go`.
pub fn block_of_file(file: &Value) -> Result<Map<String, Value>> {
    let text = |key: &str| file.get(key).and_then(Value::as_str).unwrap_or_default();
    if text("kind") != KIND || text("apiVersion") != API_VERSION {
        let found = format!("{} of {}", shown(text("kind")), shown(text("apiVersion")));
        return Err(Error::ConfigKind { found });
    }
    for (section, fields) in FIELDS {
        check_fields(file, section, fields)?;
    }
    let mode = match text("mode") {
        "" => "iptables",
        mode => mode,
    };
    let mut block = Map::new();
    block.insert("mode".into(), mode.into());
    let section = if mode == "nftables" { "nftables" } else { "iptables" };
    for key in ["masqueradeBit", "masqueradeAll", "localhostNodePorts"] {
        copy(&file[section], key, key, &mut block);
    }
    for key in ["syncPeriod", "minSyncPeriod"] {
        // Zero is what a file has where nobody set it; kube-proxy then takes its default.
        if !is_zero(&file[section][key]) || key == "minSyncPeriod" {
            copy(&file[section], key, key, &mut block);
        }
    }
    copy(file, "hostnameOverride", "hostnameOverride", &mut block);
    copy(file, "featureGates", "featureGates", &mut block);
    copy(&file["conntrack"], "tcpBeLiberal", "tcpBeLiberal", &mut block);
    if file["nodePortAddresses"].as_array().is_some_and(|list| !list.is_empty()) {
        copy(file, "nodePortAddresses", "nodePortAddresses", &mut block);
    }
    block.insert("detectLocal".into(), detect_local(file));
    Ok(block)
}

/// `detectLocalMode`, and the one field that it reads.
fn detect_local(file: &Value) -> Value {
    let mode = file["detectLocalMode"].as_str().filter(|mode| !mode.is_empty()).unwrap_or("ClusterCIDR");
    let mut detect = json!({"mode": mode});
    let of = |key: &str| file["detectLocal"][key].clone();
    match mode {
        "ClusterCIDR" => detect["clusterCIDR"] = file["clusterCIDR"].clone(),
        "BridgeInterface" => detect["interface"] = of("bridgeInterface"),
        "InterfaceNamePrefix" => detect["interface"] = of("interfaceNamePrefix"),
        _ => {}
    }
    detect
}

fn copy(from: &Value, key: &str, option: &str, block: &mut Map<String, Value>) {
    if let Some(value) = from.get(key).filter(|value| !value.is_null()) {
        block.insert(option.to_owned(), value.clone());
    }
}

fn is_zero(value: &Value) -> bool {
    value.as_str().is_none_or(|text| text.is_empty() || text == "0s" || text == "0")
}

fn check_fields(file: &Value, section: &str, fields: &[&str]) -> Result<()> {
    let value = if section.is_empty() { file } else { &file[section] };
    let map = match value {
        Value::Null => return Ok(()),
        Value::Object(map) => map,
        other => return Err(Error::option(section, other, "an object")),
    };
    let dot = if section.is_empty() { "" } else { "." };
    match map.keys().find(|key| !fields.contains(&key.as_str())) {
        Some(key) => {
            Err(Error::OptionUnknown { option: format!("{section}{dot}{key}"), allowed: fields.join(", ") })
        }
        None => Ok(()),
    }
}

fn shown(text: &str) -> &str {
    if text.is_empty() { "nothing" } else { text }
}
