//! From an EndpointSlice to endpoints.

use std::net::IpAddr;
use std::sync::Arc;

use kdp_kube::object::{Endpoint as ApiEndpoint, EndpointSlice};
use kdp_packet::{Family, parse_ip_lenient};

use super::service::protocol;
use crate::error::{Error, Result};
use crate::names::PortName;
use crate::profile::Profile;

/// What the proxy keeps of a slice: its ports by number and its endpoints by address, so that order is no change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SliceFacts {
    /// Ports with a name and a number that is not 0.
    pub ports: Vec<(PortName, u16)>,
    /// Endpoints of the slice's family.
    pub endpoints: Vec<Arc<Backend>>,
}

/// One endpoint of a slice, whatever the port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backend {
    /// The address as names and comments spell it.
    pub text: Box<str>,
    /// The address. Only the first of an endpoint's addresses counts.
    pub ip: IpAddr,
    /// The node it is on.
    pub node: Option<Arc<str>>,
    /// Whether it takes new connections.
    pub ready: bool,
    /// Whether it answers.
    pub serving: bool,
    /// Whether it is going away.
    pub terminating: bool,
    /// The zone it is in. Not read by rules, but a change of it is a change.
    pub zone: Option<Box<str>>,
    /// Zones that should use it.
    pub zone_hints: Vec<Arc<str>>,
    /// Nodes that should use it.
    pub node_hints: Vec<Arc<str>>,
}

impl Backend {
    /// Whether it is on `node`. An endpoint without a node is on none.
    pub fn is_local(&self, node: &str) -> bool {
        self.node.as_deref() == Some(node)
    }

    /// Whether it may serve where no endpoint is ready: going away, but still answering.
    pub fn is_serving_terminating(&self) -> bool {
        self.serving && self.terminating
    }
}

/// One endpoint of a service port. Ordered by text, as kube-proxy orders them: `10.1.1.11:11` before `10.1.1.1:11`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// `IP:port`, or `[IPv6]:port`.
    pub text: Arc<str>,
    /// Its port.
    pub port: u16,
    /// The rest.
    pub backend: Arc<Backend>,
}

/// Reads a slice. `None` if it is not of this family.
///
/// An absent `serving` counts as true, and is not derived from `ready`.
/// Source: kube-proxy, `newEndpointSliceInfo` and `addEndpoints` (pkg/proxy/endpointslicecache.go).
pub fn slice_facts(slice: &EndpointSlice, family: Family, profile: &Profile) -> Result<Option<SliceFacts>> {
    if slice.address_type != family.as_str() {
        return Ok(None);
    }
    let mut endpoints = Vec::with_capacity(slice.endpoints.len());
    for (i, endpoint) in slice.endpoints.iter().enumerate() {
        endpoints.extend(backend(slice, i, endpoint, family, profile)?.map(Arc::new));
    }
    endpoints.sort_by(|a: &Arc<Backend>, b| a.text.cmp(&b.text));
    Ok(Some(SliceFacts { ports: ports(slice)?, endpoints }))
}

fn object(slice: &EndpointSlice) -> String {
    format!("EndpointSlice {}/{}", slice.meta.namespace, slice.meta.name)
}

fn ports(slice: &EndpointSlice) -> Result<Vec<(PortName, u16)>> {
    let mut ports = Vec::new();
    for (i, port) in slice.ports.iter().enumerate() {
        let text = port.protocol.as_deref().unwrap_or_default();
        let protocol = protocol(text).ok_or_else(|| Error::ObjectNotValid {
            object: object(slice),
            field: format!(".ports[{i}].protocol"),
            found: text.to_owned(),
            allowed: "TCP, UDP or SCTP",
        })?;
        if let (Some(name), Some(number @ 1..)) = (&port.name, port.port) {
            let number = u16::try_from(number).map_err(|_| Error::ObjectNotValid {
                object: object(slice),
                field: format!(".ports[{i}].port"),
                found: number.to_string(),
                allowed: "1..=65535",
            })?;
            ports.push((PortName { name: name.as_str().into(), protocol }, number));
        }
    }
    ports.sort_by_key(|(_, number)| *number);
    Ok(ports)
}

fn backend(
    slice: &EndpointSlice,
    i: usize,
    endpoint: &ApiEndpoint,
    family: Family,
    profile: &Profile,
) -> Result<Option<Backend>> {
    let Some(address) = endpoint.addresses.first() else { return Ok(None) };
    let field = || format!(".endpoints[{i}].addresses[0]");
    let ip = parse_ip_lenient(address).ok_or_else(|| Error::ObjectNotValid {
        object: object(slice),
        field: field(),
        found: address.clone(),
        allowed: "an IP address",
    })?;
    if Family::of(ip) != family {
        return Ok(None);
    }
    let strict = address.parse::<IpAddr>().is_ok();
    if !profile.canonical_endpoint_text && !strict {
        return Err(Error::EndpointTextRefused {
            object: object(slice),
            field: field(),
            found: address.clone(),
        });
    }
    let text = if profile.canonical_endpoint_text { ip.to_string() } else { address.clone() };
    let hints = endpoint.hints.as_ref();
    let names =
        |list: &[kdp_kube::object::HintName]| list.iter().map(|hint| hint.name.as_str().into()).collect();
    Ok(Some(Backend {
        text: text.into(),
        ip,
        node: endpoint.node_name.as_deref().map(Into::into),
        ready: endpoint.conditions.ready.unwrap_or(true),
        serving: endpoint.conditions.serving.unwrap_or(true),
        terminating: endpoint.conditions.terminating.unwrap_or(false),
        zone: endpoint.zone.as_deref().map(Into::into),
        zone_hints: hints.map(|hints| names(&hints.for_zones)).unwrap_or_default(),
        node_hints: hints.map(|hints| names(&hints.for_nodes)).unwrap_or_default(),
    }))
}

impl Endpoint {
    /// A backend at a port.
    pub fn new(backend: &Arc<Backend>, port: u16) -> Endpoint {
        let text = match backend.ip {
            IpAddr::V4(_) => format!("{}:{port}", backend.text),
            IpAddr::V6(_) => format!("[{}]:{port}", backend.text),
        };
        Endpoint { text: text.into(), port, backend: backend.clone() }
    }
}
