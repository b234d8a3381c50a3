//! The `proxy` block of a case file.

use std::net::IpAddr;

use kdp_packet::{Cidr, Family, parse_ip_lenient};
use serde_json::{Map, Value};

use super::{Config, DetectLocal, Mode, NodePortAddresses};
use crate::{Error, Profile, error::Result};

/// Every option of a block. `release` is for the record, `serviceCIDRs` is read by nftables mode alone.
const OPTIONS: [&str; 16] = [
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
];

pub(super) fn read(block: &Value) -> Result<Config> {
    let Value::Object(map) = block else {
        return Err(Error::option("proxy", &block, "an object"));
    };
    if let Some(option) = map.keys().find(|key| !OPTIONS.contains(&key.as_str())) {
        return Err(Error::OptionUnknown { option: option.clone(), allowed: OPTIONS.join(", ") });
    }
    let block = Block(map);
    let default = Config::new(block.text("nodeName")?.unwrap_or_default());
    let mode = block.mode()?;
    let config = Config {
        mode,
        profile: block.text("version")?.map_or(Ok(default.profile), str::parse::<Profile>)?,
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
