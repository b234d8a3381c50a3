//! The `proxy` block of a case file.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use kdp_packet::{Cidr, Family, parse_ip_lenient};
use serde_json::{Map, Value};

use super::{Config, DetectLocal, Mode, NodePortAddresses, duration};
use crate::profile::Cleanup;
use crate::{Error, Profile, error::Result};

/// Every option of a block. `release` is for the record, `serviceCIDRs` is read by nftables mode alone.
const OPTIONS: [&str; 21] = [
    "mode",
    "version",
    "release",
    "ipFamily",
    "nodeName",
    "nodeIPs",
    "primaryNodeIP",
    "primaryNodeIPv6",
    "detectLocal",
    "masqueradeAll",
    "localhostNodePorts",
    "nodePortAddresses",
    "masqueradeBit",
    "nfacct",
    "tcpBeLiberal",
    "serviceCIDRs",
    "hostnameOverride",
    "syncPeriod",
    "minSyncPeriod",
    "featureGates",
    "conntrackCleanup",
];

pub(super) fn read(block: &Value) -> Result<Config> {
    let Value::Object(map) = block else {
        return Err(Error::option("proxy", &block, "an object"));
    };
    if let Some(option) = map.keys().find(|key| !OPTIONS.contains(&key.as_str())) {
        return Err(Error::OptionUnknown { option: option.clone(), allowed: OPTIONS.join(", ") });
    }
    let block = Block(map);
    let hostname_override: Option<Arc<str>> =
        block.text("hostnameOverride")?.filter(|name| !name.is_empty()).map(Into::into);
    let name = block.text("nodeName")?.unwrap_or_default();
    let default = Config::new(hostname_override.clone().unwrap_or_else(|| name.into()));
    let mode = block.mode()?;
    let config = Config {
        mode,
        hostname_override,
        profile: block.profile(default.profile)?,
        families: block.families()?.unwrap_or(default.families),
        node_ips: block.list("nodeIPs", "an IP address", parse_ip_lenient)?,
        primary_node_ips: block.primary_node_ips()?,
        detect_local: block.detect_local()?.unwrap_or(default.detect_local),
        masquerade_all: block.flag("masqueradeAll")?.unwrap_or(default.masquerade_all),
        iptables_localhost_nodeports: block
            .flag("localhostNodePorts")?
            .unwrap_or(default.iptables_localhost_nodeports),
        nodeport_addresses: block.nodeport_addresses(mode)?,
        masquerade_bit: block.masquerade_bit()?.unwrap_or(default.masquerade_bit),
        nfacct: block.flag("nfacct")?.unwrap_or(default.nfacct),
        tcp_be_liberal: block.flag("tcpBeLiberal")?.unwrap_or(default.tcp_be_liberal),
        sync_period: block.duration("syncPeriod")?.unwrap_or(default.sync_period),
        min_sync_period: block.duration("minSyncPeriod")?.unwrap_or(default.min_sync_period),
        service_cidrs: block.list("serviceCIDRs", "a CIDR", cidr)?,
        node_name: default.node_name,
    };
    config.check()?;
    Ok(config)
}

struct Block<'a>(&'a Map<String, Value>);

impl<'a> Block<'a> {
    /// The value of an option; `null` is as if it were not there.
    fn get(&self, option: &str) -> Option<&'a Value> {
        self.0.get(option).filter(|value| !value.is_null())
    }

    fn read<T>(
        &self,
        option: &str,
        allowed: &str,
        read: impl Fn(&'a Value) -> Option<T>,
    ) -> Result<Option<T>> {
        let Some(value) = self.get(option) else { return Ok(None) };
        read(value).map(Some).ok_or_else(|| Error::option(option, &value, allowed))
    }

    fn text(&self, option: &str) -> Result<Option<&'a str>> {
        self.read(option, "a text", Value::as_str)
    }

    fn flag(&self, option: &str) -> Result<Option<bool>> {
        self.read(option, "true or false", Value::as_bool)
    }

    fn list<T>(&self, option: &str, allowed: &str, item: impl Fn(&str) -> Option<T>) -> Result<Vec<T>> {
        let Some(list) = self.read(option, "a list", Value::as_array)? else { return Ok(Vec::new()) };
        let item = |(i, value): (usize, &Value)| {
            let read = value.as_str().and_then(&item);
            read.ok_or_else(|| Error::option(format!("{option}[{i}]"), &value, allowed))
        };
        list.iter().enumerate().map(item).collect()
    }

    /// The release, with the feature gates and the generation of cleanup that were chosen.
    fn profile(&self, default: Profile) -> Result<Profile> {
        let profile = self.gated(self.text("version")?.map_or(Ok(default), str::parse::<Profile>)?)?;
        let cleanup =
            self.read("conntrackCleanup", "events, reconciler or fixed", |value| match value.as_str()? {
                "events" => Some(Cleanup::Events),
                "reconciler" => Some(Cleanup::Reconciler),
                "fixed" => Some(Cleanup::Fixed),
                _ => None,
            })?;
        Ok(Profile { cleanup: cleanup.unwrap_or(profile.cleanup), ..profile })
    }

    fn duration(&self, option: &str) -> Result<Option<Duration>> {
        self.read(option, "a duration such as 30s", |value| duration::parse(value.as_str()?))
    }

    /// The release with the feature gates that rules depend on; other gates change nothing here.
    /// Source: kube-proxy, `pkg/features/kube_features.go`: alpha in 1.33, beta and on in 1.34, locked from 1.35 on.
    fn gated(&self, profile: Profile) -> Result<Profile> {
        const GATE: &str = "PreferSameTrafficDistribution";
        let gates = self.read("featureGates", "an object", Value::as_object)?;
        let Some(value) = gates.and_then(|gates| gates.get(GATE)) else { return Ok(profile) };
        let option = || format!("featureGates.{GATE}");
        match (value.as_bool(), profile.minor) {
            (Some(on), 33 | 34) => Ok(Profile { same_node_hints: on, ..profile }),
            (Some(true), 35..) => Ok(profile),
            (_, ..33) => Err(Error::option(option(), value, "nothing: the gate is from 1.33 on")),
            (Some(false), 35..) => {
                Err(Error::option(option(), value, "true: the gate is locked from 1.35 on"))
            }
            (None, _) => Err(Error::option(option(), value, "true or false")),
        }
    }

    fn mode(&self) -> Result<Mode> {
        match self.text("mode")? {
            None | Some("iptables") => Ok(Mode::Iptables),
            Some("nftables") => Ok(Mode::Nftables),
            Some(mode @ ("ipvs" | "kernelspace")) => Err(Error::ModeNotModelled { mode: mode.to_owned() }),
            Some(mode) => Err(Error::option("mode", &mode, "iptables or nftables")),
        }
    }

    fn families(&self) -> Result<Option<Vec<Family>>> {
        self.read("ipFamily", "IPv4 or IPv6", |value| match value.as_str()? {
            "IPv4" => Some(vec![Family::V4]),
            "IPv6" => Some(vec![Family::V6]),
            _ => None,
        })
    }

    fn primary_node_ips(&self) -> Result<Vec<IpAddr>> {
        let read = |option| self.read(option, "an IP address", |value| parse_ip_lenient(value.as_str()?));
        Ok([read("primaryNodeIP")?, read("primaryNodeIPv6")?].into_iter().flatten().collect())
    }

    fn masquerade_bit(&self) -> Result<Option<u8>> {
        self.read("masqueradeBit", "0..=31", |value| u8::try_from(value.as_u64()?).ok())
    }

    /// Source of the default: kube-proxy, `pkg/proxy/apis/config/v1alpha1/defaults.go`.
    fn nodeport_addresses(&self, mode: Mode) -> Result<NodePortAddresses> {
        const OPTION: &str = "nodePortAddresses";
        if mode == Mode::Nftables && self.get(OPTION).is_none() {
            return Ok(NodePortAddresses::Primary);
        }
        let primary = |value: &Value| value.as_str() == Some("primary");
        if let Some(Value::Array(list)) = self.get(OPTION)
            && list.iter().any(primary)
        {
            let alone = list.len() == 1;
            return if alone {
                Ok(NodePortAddresses::Primary)
            } else {
                Err(Error::option(
                    OPTION,
                    self.get(OPTION).unwrap_or(&Value::Null),
                    "CIDRs, or the word primary alone",
                ))
            };
        }
        self.list(OPTION, "a CIDR", cidr).map(NodePortAddresses::Cidrs)
    }

    fn detect_local(&self) -> Result<Option<DetectLocal>> {
        let Some(detect) = self.read("detectLocal", "an object", Value::as_object)? else { return Ok(None) };
        let known = ["mode", "clusterCIDR", "interface"];
        if let Some(option) = detect.keys().find(|key| !known.contains(&key.as_str())) {
            return Err(Error::OptionUnknown {
                option: format!("detectLocal.{option}"),
                allowed: known.join(", "),
            });
        }
        let detect = Block(detect);
        let interface = || {
            let name = detect.text("interface")?.filter(|name| !name.is_empty());
            name.ok_or_else(|| {
                Error::option("detectLocal.interface", &"nothing", "the name of a device, or its beginning")
            })
        };
        Ok(Some(match detect.text("mode")?.unwrap_or("ClusterCIDR") {
            "None" => DetectLocal::None,
            "ClusterCIDR" => DetectLocal::ClusterCidr(detect.cluster_cidrs()?),
            "NodeCIDR" => DetectLocal::NodeCidr,
            "BridgeInterface" => DetectLocal::BridgeInterface(interface()?.into()),
            "InterfaceNamePrefix" => DetectLocal::InterfaceNamePrefix(interface()?.into()),
            mode => {
                let allowed = "ClusterCIDR, NodeCIDR, BridgeInterface, InterfaceNamePrefix or None";
                return Err(Error::option("detectLocal.mode", &mode, allowed));
            }
        }))
    }

    fn cluster_cidrs(&self) -> Result<Vec<Cidr>> {
        let text = self.text("clusterCIDR")?.unwrap_or_default();
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        parts
            .map(|part| cidr(part).ok_or_else(|| Error::option("detectLocal.clusterCIDR", &part, "a CIDR")))
            .collect()
    }
}

/// A CIDR proper: a bare address is none.
fn cidr(text: &str) -> Option<Cidr> {
    text.contains('/').then(|| Cidr::parse(text))?
}
