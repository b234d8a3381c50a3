//! How a cluster's DNS server is set up: what a Corefile says.

use std::net::IpAddr;

use kdp_packet::Cidr;
use serde::Deserialize;
use serde_json::Value;

use super::CaseError;
use super::record::{absolute, is_below};
use crate::labels::Selector;

/// The option `pods`: whether `a-b-c-d.namespace.pod` names are answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PodsMode {
    /// Never.
    #[default]
    Disabled,
    /// Any address in any namespace that exists.
    Insecure,
    /// Addresses of Pods of that namespace.
    Verified,
}

/// The options of CoreDNS's plugin `kubernetes`. Zones are absolute and in lower case.
#[derive(Clone, Debug)]
#[allow(clippy::struct_excessive_bools)] // each is an option of its own in a Corefile
pub struct Config {
    /// Every zone, forward ones first.
    pub zones: Vec<String>,
    /// The zone that PTR records lead to.
    pub primary_zone: String,
    /// Whether Pods' addresses have names.
    pub pods: PodsMode,
    /// The TTL of records, in seconds.
    pub ttl: u32,
    /// Zones whose missing names are asked upstream; `.` for all of them.
    pub fallthrough: Vec<String>,
    /// Whether endpoints without hostname are called by their Pod.
    pub endpoint_pod_names: bool,
    /// Whether a ClusterIP Service without ready endpoint does not exist.
    pub ignore_empty_service: bool,
    /// The namespaces that are served; empty for all.
    pub namespaces: Vec<String>,
    /// Which namespaces are served, by their labels.
    pub namespace_labels: Selector,
    /// Which Services and EndpointSlices are served, by their labels.
    pub labels: Selector,
    /// Whether endpoints are left out.
    pub no_endpoints: bool,
    /// Whether `<zone>.pin._zone.<service>` names are answered.
    pub zonal: bool,
    /// Addresses of the machine that the server runs on.
    pub local_ips: Vec<IpAddr>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[allow(clippy::struct_excessive_bools)] // each is an option of its own in a Corefile
struct Given {
    zone: String,
    #[serde(default)]
    other_zones: Vec<String>,
    #[serde(default)]
    reverse: Vec<String>,
    #[serde(default)]
    pods: PodsMode,
    #[serde(default = "ttl_unless_said")]
    ttl: u32,
    #[serde(default)]
    fallthrough: Option<Vec<String>>,
    #[serde(default)]
    endpoint_pod_names: bool,
    #[serde(default)]
    ignore_empty_service: bool,
    #[serde(default)]
    namespaces: Option<Vec<String>>,
    #[serde(default)]
    namespace_labels: Option<Value>,
    #[serde(default)]
    labels: Option<Value>,
    #[serde(default)]
    no_endpoints: bool,
    #[serde(default)]
    zonal: bool,
    #[serde(default, rename = "localIPs")]
    local_ips: Vec<IpAddr>,
    /// Read by [`super::Upstream`].
    #[serde(default, rename = "upstream")]
    _upstream: Value,
}

/// Source: CoreDNS plugin/kubernetes, `defaultTTL`.
fn ttl_unless_said() -> u32 {
    5
}

impl Config {
    /// Reads the options from JSON.
    pub fn read(given: &Value) -> Result<Config, CaseError> {
        let given: Given = serde_json::from_value(given.clone()).map_err(|e| CaseError::new("config", e))?;
        let forward = std::iter::once(&given.zone).chain(&given.other_zones);
        let zones = forward.chain(&given.reverse).flat_map(|zone| zones_of(zone)).collect();
        let everywhere = |zones: Vec<String>| if zones.is_empty() { vec![".".to_owned()] } else { zones };
        let fallthrough = given.fallthrough.map(everywhere).unwrap_or_default();
        Ok(Config {
            zones,
            primary_zone: normal(&given.zone),
            pods: given.pods,
            ttl: given.ttl,
            fallthrough: fallthrough.iter().flat_map(|zone| zones_of(zone)).collect(),
            endpoint_pod_names: given.endpoint_pod_names,
            ignore_empty_service: given.ignore_empty_service,
            namespaces: given.namespaces.unwrap_or_default(),
            namespace_labels: selector("config.namespaceLabels", given.namespace_labels.as_ref())?,
            labels: selector("config.labels", given.labels.as_ref())?,
            no_endpoints: given.no_endpoints,
            zonal: given.zonal,
            local_ips: given.local_ips,
        })
    }

    /// The longest zone that the name is in, as long as it is in the name, so in its letter case.
    pub(super) fn zone_of<'n>(&self, name: &'n str) -> Option<&'n str> {
        let zones = self.zones.iter().filter(|zone| is_below(zone, name));
        zones.map(String::len).max().map(|len| &name[name.len() - len..])
    }

    pub(super) fn falls_through(&self, name: &str) -> bool {
        self.fallthrough.iter().any(|zone| is_below(zone, name))
    }
}

fn selector(field: &str, given: Option<&Value>) -> Result<Selector, CaseError> {
    let text = match given {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(words)) => words.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" "),
        Some(Value::Object(pairs)) => {
            let pairs = pairs.iter().map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or("")));
            pairs.collect::<Vec<_>>().join(",")
        }
        Some(other) => return Err(CaseError::new(field, format!("{other} is no label selector"))),
    };
    Selector::parse(&text).map_err(|e| CaseError::new(field, e))
}

fn normal(zone: &str) -> String {
    absolute(zone).to_ascii_lowercase()
}

/// The zones that a name or a network stands for: a network is cut at whole octets, or nibbles for IPv6.
/// Source: CoreDNS plugin/pkg/cidr.
fn zones_of(given: &str) -> Vec<String> {
    let Some(network) = Cidr::parse(given).filter(|_| given.contains('/')) else {
        return vec![normal(given)];
    };
    let (digits, bits, suffix): (Vec<u32>, usize, &str) = match network.addr() {
        IpAddr::V4(v4) => (v4.octets().iter().map(|it| u32::from(*it)).collect(), 8, "in-addr.arpa."),
        IpAddr::V6(v6) => {
            let nibbles = v6.octets().into_iter().flat_map(|it| [u32::from(it >> 4), u32::from(it & 15)]);
            (nibbles.collect(), 4, "ip6.arpa.")
        }
    };
    let len = usize::from(network.prefix_len());
    let whole = len.div_ceil(bits);
    let spread = 1_u32 << (whole * bits - len);
    let digit = |digit: u32| if bits == 8 { digit.to_string() } else { format!("{digit:x}") };
    let zone = |last: u32| {
        let mut kept = digits[..whole].to_vec();
        if let Some(end) = kept.last_mut() {
            *end += last;
        }
        let labels = kept.into_iter().rev().map(|it| digit(it) + ".");
        labels.collect::<String>() + suffix
    };
    (0..spread).map(zone).collect()
}
