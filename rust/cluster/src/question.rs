//! What a trace is asked: from whom, to where.

use std::net::IpAddr;

use kdp_packet::{Proto, parse_ip_lenient};
use serde::Deserialize;

use crate::Error;

/// A question as it comes from outside, every field a text.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    from: String,
    to: String,
    #[serde(default)]
    protocol: Option<String>,
    #[serde(default)]
    sport: Option<u16>,
    #[serde(default)]
    namespace: Option<String>,
    #[serde(default)]
    via: Option<String>,
}

/// One connection to be tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Who asks.
    pub from: From,
    /// The text before the port: a name or an address.
    pub host: String,
    /// The port.
    pub port: u16,
    /// TCP or UDP.
    pub proto: Proto,
    /// The client's port, if it is to be a certain one.
    pub sport: Option<u16>,
    /// The namespace that a name is looked up from, where `from` has none.
    pub namespace: String,
    /// The node that packets from outside come to first, if it is to be a certain one.
    pub via: Option<String>,
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum From {
    /// A Pod, by namespace and name.
    Pod(String, String),
    /// A process on a node, by the node's name.
    Node(String),
    /// An address outside of the cluster.
    Outside(IpAddr),
}

impl Question {
    /// Reads a question from JSON.
    pub fn parse(text: &str) -> Result<Question, Error> {
        let asked: Asked = serde_json::from_str(text).map_err(|e| Error::Question { why: e.to_string() })?;
        let namespace = asked.namespace.unwrap_or_else(|| "default".to_owned());
        let from = From::parse(&asked.from, &namespace)?;
        let (host, port) = split_host_port(&asked.to)?;
        let proto = protocol(asked.protocol.as_deref().unwrap_or("tcp"))?;
        Ok(Question { from, host, port, proto, sport: asked.sport, namespace, via: asked.via })
    }
}

impl Question {
    /// `HOST:PORT`, IPv6 in brackets, as it was asked.
    pub fn target(&self) -> String {
        let Question { host, port, .. } = self;
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    }
}

impl From {
    /// `pod/NS/NAME`, `pod/NAME`, `node/NAME` or an address.
    pub(crate) fn parse(text: &str, namespace: &str) -> Result<From, Error> {
        let parts: Vec<&str> = text.split('/').collect();
        match parts[..] {
            ["pod" | "pods" | "po", name] => Ok(From::Pod(namespace.to_owned(), name.to_owned())),
            ["pod" | "pods" | "po", namespace, name] => Ok(From::Pod(namespace.to_owned(), name.to_owned())),
            ["node" | "nodes" | "no", name] => Ok(From::Node(name.to_owned())),
            [addr] if parse_ip_lenient(addr).is_some() => {
                Ok(From::Outside(parse_ip_lenient(addr).expect("checked by the guard")))
            }
            _ => Err(Error::Source { found: text.to_owned() }),
        }
    }
}

/// `HOST:PORT`, `[V6]:PORT`.
fn split_host_port(to: &str) -> Result<(String, u16), Error> {
    let bad = || Error::Target { found: to.to_owned() };
    let (host, port) = to.rsplit_once(':').ok_or_else(bad)?;
    let host = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
    let port: u16 = port.parse().ok().filter(|port| *port != 0).ok_or_else(bad)?;
    if host.is_empty() || (host.contains(':') && parse_ip_lenient(host).is_none()) {
        return Err(bad());
    }
    Ok((host.to_owned(), port))
}

fn protocol(text: &str) -> Result<Proto, Error> {
    match Proto::parse(text) {
        Some(proto @ (Proto::TCP | Proto::UDP)) => Ok(proto),
        Some(_) => Err(Error::ProtocolNotModelled { found: text.to_owned() }),
        None => {
            Err(Error::Question { why: format!("protocol {text:?} is not one; a connection has tcp or udp") })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(from: &str, to: &str) -> Result<Question, Error> {
        Question::parse(&serde_json::json!({"from": from, "to": to, "namespace": "shop"}).to_string())
    }

    #[test]
    fn who_and_where_are_read() {
        let q = ask("pod/web-1", "checkout:80").unwrap();
        assert_eq!(q.from, From::Pod("shop".into(), "web-1".into()));
        assert_eq!((q.host.as_str(), q.port, q.proto), ("checkout", 80, Proto::TCP));
        assert_eq!(ask("203.0.113.9", "[fd00::1]:53").unwrap().host, "fd00::1");
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert_eq!(ask("web-1", "x:80").unwrap_err().code(), "trace-source-invalid");
        for to in ["checkout", "checkout:0", "checkout:70000", ":80", "a:b:80"] {
            assert_eq!(ask("pod/web-1", to).unwrap_err().code(), "trace-target-invalid", "{to}");
        }
    }
}
