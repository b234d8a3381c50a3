//! How a cluster is run.

use std::collections::BTreeMap;

use kdp_host::Evaluator;
use kdp_kube::workload::{AddressOrder, Timing, node_grace};
use kdp_packet::{Cidr, Family};
use kdp_proxy::{DetectLocal, Profile};
use serde::Deserialize;
use serde_json::Value;

use crate::Error;
use crate::edges::{Edge, Latency};

/// The options as they come from outside: every one may be left out.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Given {
    seed: u64,
    k8s: Option<String>,
    mode: Option<String>,
    cluster_cidr: Option<String>,
    service_cidr: Option<String>,
    complete: Option<bool>,
    evaluator: Option<String>,
    latency: BTreeMap<String, u64>,
    proxy: Option<serde_json::Map<String, Value>>,
    proxy_flags: Option<serde_json::Map<String, Value>>,
    proxy_config: Option<ProxyFile>,
    proxy_timers: bool,
    timing: BTreeMap<String, Value>,
}

/// kube-proxy's configuration file: its name and its text.
#[derive(Debug, Deserialize)]
struct ProxyFile {
    name: String,
    text: String,
}

/// How a cluster is run.
#[derive(Clone, Debug)]
pub struct Options {
    /// The seed of every draw.
    pub seed: u64,
    /// The Kubernetes release.
    pub profile: Profile,
    /// `--cluster-cidr`: where Pods are; `None` to take it from the objects.
    pub cluster_cidr: Option<Vec<Cidr>>,
    /// Where cluster IPs are given from.
    pub service_cidr: Cidr,
    /// Whether what a bare manifest leaves out is made.
    pub complete: bool,
    /// How rules are evaluated.
    pub evaluator: Evaluator,
    /// How long events take from stage to stage.
    pub latency: Latency,
    /// Other options of kube-proxy, in the form of a `proxy` block.
    pub proxy: serde_json::Map<String, Value>,
    /// Whether syncs wait as `minSyncPeriod` and `syncPeriod` say; else a node is in line whenever it is asked.
    pub proxy_timers: bool,
    /// How long workloads take for what they do.
    pub timing: Timing,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            seed: 0,
            profile: Profile::default(),
            cluster_cidr: None,
            service_cidr: Cidr::parse("10.96.0.0/12").expect("a CIDR"),
            complete: true,
            evaluator: Evaluator::default(),
            latency: Latency::default(),
            proxy: serde_json::Map::new(),
            proxy_timers: false,
            timing: Timing::default(),
        }
    }
}

impl Options {
    /// Reads options from a JSON object.
    pub fn parse(text: &str) -> Result<Options, Error> {
        let given: Given = serde_json::from_str(text)
            .map_err(|e| Error::Option { option: "options", why: e.to_string() })?;
        let default = Options::default();
        let proxy = proxy_block(&given)?;
        // Nodes read the options when they are asked; what is wrong with them is said now.
        kdp_proxy::Config::from_block(&Value::Object(proxy.clone()))?;
        let profile = given.k8s.map_or(Ok(default.profile), |text| text.parse::<Profile>())?;
        Ok(Options {
            seed: given.seed,
            profile,
            cluster_cidr: given.cluster_cidr.map(|text| cidrs("cluster_cidr", &text)).transpose()?,
            service_cidr: match given.service_cidr {
                Some(text) => one_cidr("service_cidr", &text)?,
                None => default.service_cidr,
            },
            complete: given.complete.unwrap_or(true),
            evaluator: given.evaluator.map_or(Ok(default.evaluator), |text| evaluator(&text))?,
            latency: latency(&given.latency)?,
            proxy,
            proxy_timers: given.proxy_timers,
            timing: timing(&given.timing, profile)?,
        })
    }

    /// How proxies tell local Pods, given what the Nodes say if nothing was set.
    pub fn detect_local(&self, pod_cidrs: &[Cidr]) -> DetectLocal {
        let cidrs = self.cluster_cidr.clone();
        DetectLocal::ClusterCidr(cidrs.unwrap_or_else(|| {
            let of = |family| {
                let own = pod_cidrs.iter().copied().filter(|cidr| cidr.family() == family);
                cover(&own.collect::<Vec<_>>())
            };
            [Family::V4, Family::V6].into_iter().filter_map(of).collect()
        }))
    }
}

/// kube-proxy's options from wherever they come: a block, flags or a file, and the mode.
fn proxy_block(given: &Given) -> Result<serde_json::Map<String, Value>, Error> {
    let mut proxy = given.proxy.clone().unwrap_or_default();
    let flags = given.proxy_flags.as_ref().filter(|flags| !flags.is_empty());
    if let Some(flags) = flags {
        proxy.extend(kdp_proxy::block_of_flags(flags)?);
    }
    if let Some(file) = &given.proxy_config {
        let first = flags.and_then(|flags| flags.keys().next()).map(String::as_str);
        if let Some(flag) = first.or(given.cluster_cidr.as_ref().map(|_| "cluster-cidr")) {
            let why = "with --config kube-proxy passes over its other options";
            return Err(kdp_proxy::Error::exclusive("config", flag, why).into());
        }
        proxy.extend(read_proxy_file(file)?);
    }
    match (given.mode.as_deref(), proxy.get("mode").and_then(Value::as_str)) {
        (Some(mode), Some(other)) if mode != other => {
            let why = format!("the other one says {other}");
            return Err(kdp_proxy::Error::exclusive(&format!("mode={mode}"), "config", &why).into());
        }
        (Some("iptables") | None, _) => {}
        (Some("nftables"), _) => drop(proxy.insert("mode".to_owned(), "nftables".into())),
        (Some(mode), _) => return Err(kdp_proxy::Error::ModeNotModelled { mode: mode.to_owned() }.into()),
    }
    Ok(proxy)
}

/// A KubeProxyConfiguration, bare or in the ConfigMap that kubeadm keeps it in.
fn read_proxy_file(file: &ProxyFile) -> Result<serde_json::Map<String, Value>, Error> {
    let read = |name: &str, text: &str| -> Result<Value, Error> {
        let loaded = kdp_kube::load::load(&[kdp_kube::load::Source { name, bytes: text.as_bytes() }])?;
        let mut objects = loaded.objects.iter();
        Ok(objects.next().map_or(Value::Null, kdp_kube::object::Object::to_value))
    };
    let mut whole = read(&file.name, &file.text)?;
    if whole["kind"] == "ConfigMap" {
        let texts = whole["data"].as_object().into_iter().flatten();
        let mut found = texts.filter(|(_, text)| text.as_str().is_some_and(|text| text.contains(FILE_KIND)));
        if let Some((key, text)) = found.next() {
            whole = read(&format!("{} .data[{key:?}]", file.name), text.as_str().unwrap_or_default())?;
        }
    }
    Ok(kdp_proxy::block_of_file(&whole)?)
}

/// What the text of kube-proxy's configuration has in it.
const FILE_KIND: &str = "KubeProxyConfiguration";

/// The smallest network that holds all of them.
fn cover(cidrs: &[Cidr]) -> Option<Cidr> {
    let first = cidrs.first()?;
    let shortest = cidrs.iter().map(|cidr| cidr.prefix_len()).min()?;
    let fits = |len: &u8| {
        let net = Cidr::new(first.addr(), *len).expect("shorter than a length that is right");
        cidrs.iter().all(|cidr| net.contains(cidr.addr()))
    };
    let len = (0..=shortest).rev().find(fits)?;
    Cidr::new(first.addr(), len)
}

fn cidrs(option: &'static str, text: &str) -> Result<Vec<Cidr>, Error> {
    text.split(',').map(|part| one_cidr(option, part.trim())).collect()
}

fn one_cidr(option: &'static str, text: &str) -> Result<Cidr, Error> {
    let why = || format!("{text:?} is not a CIDR such as 10.244.0.0/16");
    Cidr::parse(text).filter(|_| text.contains('/')).ok_or_else(|| Error::Option { option, why: why() })
}

fn evaluator(text: &str) -> Result<Evaluator, Error> {
    match text {
        "scan" => Ok(Evaluator::Scan),
        "indexed" => Ok(Evaluator::Indexed),
        _ => Err(Error::Option { option: "evaluator", why: format!("{text:?} is not scan or indexed") }),
    }
}

/// Nanoseconds by name, and `addresses`: the order in which a node gives addresses to Pods.
fn timing(given: &BTreeMap<String, Value>, profile: Profile) -> Result<Timing, Error> {
    let minor = profile.to_string().split('.').nth(1).and_then(|minor| minor.parse().ok());
    let mut timing = Timing { node_grace: node_grace(minor.unwrap_or(u32::MAX)), ..Timing::default() };
    for (name, value) in given {
        let why = if name == "addresses" {
            timing.addresses = match value.as_str() {
                Some("lowest") => AddressOrder::Lowest,
                Some("round-robin") => AddressOrder::RoundRobin,
                _ => {
                    return Err(Error::Option {
                        option: "timing",
                        why: format!("addresses {value} is not round-robin or lowest"),
                    });
                }
            };
            continue;
        } else if let Some(nanos) = value.as_u64() {
            let known = timing.set(name, std::time::Duration::from_nanos(nanos));
            (!known).then(|| format!("{name:?} is not one of {}, addresses", Timing::NAMES.join(", ")))
        } else {
            Some(format!("{name}: {value} is no number of nanoseconds"))
        };
        if let Some(why) = why {
            return Err(Error::Option { option: "timing", why });
        }
    }
    Ok(timing)
}

fn latency(given: &BTreeMap<String, u64>) -> Result<Latency, Error> {
    let mut latency = Latency::default();
    for (name, nanos) in given {
        let edge = Edge::parse(name).ok_or_else(|| Error::Option {
            option: "latency",
            why: format!("edge {name:?} is not one of {}", Edge::ALL.map(Edge::as_str).join(", ")),
        })?;
        latency.set(edge, *nanos);
    }
    Ok(latency)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cover_is_the_smallest_network_that_holds_all() {
        let of = |texts: &[&str]| {
            cover(&texts.iter().map(|t| Cidr::parse(t).unwrap()).collect::<Vec<_>>()).map(|c| c.to_string())
        };
        assert_eq!(of(&["10.244.0.0/24", "10.244.1.0/24"]).as_deref(), Some("10.244.0.0/23"));
        assert_eq!(of(&["10.0.1.0/24", "10.0.2.0/24"]).as_deref(), Some("10.0.0.0/22"));
        assert_eq!(of(&["10.0.1.0/24"]).as_deref(), Some("10.0.1.0/24"));
        assert_eq!(of(&[]), None);
    }

    #[test]
    fn an_option_that_is_not_one_is_named() {
        for (text, code) in [
            (r#"{"sede": 1}"#, "option-invalid"),
            (r#"{"cluster_cidr": "10.0.0.0"}"#, "option-invalid"),
            (r#"{"evaluator": "magic"}"#, "option-invalid"),
            (r#"{"latency": {"a->b": 1}}"#, "option-invalid"),
            (r#"{"mode": "ipvs"}"#, "proxy-mode-not-modelled"),
            (r#"{"proxy_flags": {"iptables-masquerade-bit": 40}}"#, "proxy-option-not-valid"),
            (r#"{"mode": "nftables", "proxy_flags": {"proxy-mode": "iptables"}}"#, "proxy-options-exclusive"),
        ] {
            assert_eq!(Options::parse(text).unwrap_err().code(), code, "{text}");
        }
        assert_eq!(Options::parse("{}").unwrap().seed, 0);
    }

    fn with_file(text: &str, rest: &Value) -> Result<Options, Error> {
        let mut given = serde_json::json!({"proxy_config": {"name": "proxy.yaml", "text": text}});
        given.as_object_mut().unwrap().extend(rest.as_object().cloned().unwrap_or_default());
        Options::parse(&given.to_string())
    }

    const FILE: &str = "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\nmode: nftables\n\
        clusterCIDR: 10.1.0.0/16\nnftables: {masqueradeAll: true, syncPeriod: 0s}\niptables: {masqueradeBit: 3}\n";

    #[test]
    fn a_configuration_file_is_read_bare_or_in_its_config_map() {
        let indented = FILE.replace('\n', "\n    ");
        let map = format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: kube-proxy}}\ndata:\n  config.conf: |-\n    {indented}"
        );
        let none = serde_json::json!({});
        let expected = serde_json::json!({
            "mode": "nftables", "masqueradeAll": true,
            "detectLocal": {"mode": "ClusterCIDR", "clusterCIDR": "10.1.0.0/16"},
        });
        for text in [FILE, map.as_str()] {
            assert_eq!(Value::Object(with_file(text, &none).unwrap().proxy), expected);
        }
    }

    #[test]
    fn a_configuration_file_stands_alone() {
        let code = |text: &str, rest: Value| with_file(text, &rest).unwrap_err().code();
        assert_eq!(code(FILE, serde_json::json!({"mode": "iptables"})), "proxy-options-exclusive");
        assert_eq!(code(FILE, serde_json::json!({"cluster_cidr": "10.0.0.0/8"})), "proxy-options-exclusive");
        let flags = serde_json::json!({"proxy_flags": {"masquerade-all": true}});
        assert_eq!(code(FILE, flags), "proxy-options-exclusive");
        assert_eq!(code("apiVersion: v1\nkind: Pod\nmetadata: {name: a}", Value::Null), "proxy-config-kind");
        let typo = FILE.replace("clusterCIDR", "clusterCidr");
        assert_eq!(code(&typo, Value::Null), "proxy-option-unknown");
    }
}
