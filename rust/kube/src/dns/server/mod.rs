//! A cluster's DNS server, message by message: CoreDNS with the plugins `kubernetes`, `forward` and `loadbalance`.
//!
//! Source: CoreDNS 1.14 core/dnsserver and plugin/kubernetes; Kubernetes DNS-based service discovery 1.1.0.

mod answer;
mod case;
mod config;
mod find;
pub(super) mod record;
mod size;
#[cfg(test)]
mod tests;
pub(super) mod upstream;
mod world;

use std::fmt;

use crate::object::{EndpointSlice, Namespace, Pod, Service};
use crate::store::Store;
pub use case::{answer_json, run_dns};
pub use config::{Config, PodsMode};
pub use record::{RecordData, ResourceRecord};
pub(super) use size::truncate as cut_to;
pub use upstream::Upstream;
use world::World;

/// A case that cannot be run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {reason}")]
pub struct CaseError {
    /// The field at fault.
    pub field: String,
    /// What is wrong.
    pub reason: String,
}

impl CaseError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        "case-invalid"
    }

    pub(super) fn new(field: &str, reason: impl fmt::Display) -> CaseError {
        CaseError { field: field.to_owned(), reason: reason.to_string() }
    }
}

/// The type that a question is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum QueryType {
    /// IPv4 addresses.
    A,
    /// IPv6 addresses.
    Aaaa,
    /// Servers of named ports.
    Srv,
    /// Names of addresses.
    Ptr,
    /// Texts.
    Txt,
    /// The start of a zone.
    Soa,
    /// Name servers.
    Ns,
    /// Another name.
    Cname,
    /// Mail exchangers.
    Mx,
    /// A whole zone, or its changes.
    Transfer,
    /// Any other, which no name of a cluster has.
    Other(String),
}

impl QueryType {
    /// Reads a type's mnemonic.
    pub fn parse(text: &str) -> QueryType {
        match text {
            "A" => QueryType::A,
            "AAAA" => QueryType::Aaaa,
            "SRV" => QueryType::Srv,
            "PTR" => QueryType::Ptr,
            "TXT" => QueryType::Txt,
            "SOA" => QueryType::Soa,
            "NS" => QueryType::Ns,
            "CNAME" => QueryType::Cname,
            "MX" => QueryType::Mx,
            "AXFR" | "IXFR" => QueryType::Transfer,
            other => QueryType::Other(other.to_owned()),
        }
    }

    /// Whether a record is of this type.
    pub fn is(&self, data: &RecordData) -> bool {
        matches!(
            (self, data),
            (QueryType::A, RecordData::A(_))
                | (QueryType::Aaaa, RecordData::Aaaa(_))
                | (QueryType::Srv, RecordData::Srv { .. })
                | (QueryType::Ptr, RecordData::Ptr(_))
                | (QueryType::Txt, RecordData::Txt(_))
                | (QueryType::Soa, RecordData::Soa { .. })
                | (QueryType::Ns, RecordData::Ns(_))
                | (QueryType::Cname, RecordData::Cname(_))
                | (QueryType::Mx, RecordData::Mx { .. })
        )
    }
}

/// The OPT record of a question. Source: RFC 6891.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edns {
    /// The size of UDP message that the client takes, in bytes.
    pub size: u16,
    /// Whether it asks for DNSSEC records.
    pub wants_dnssec: bool,
    /// The version of EDNS; there is only 0.
    pub version: u8,
}

/// One question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The absolute name.
    pub name: String,
    /// The type.
    pub rtype: QueryType,
    /// Whether it came over UDP, where an answer may not fit.
    pub is_udp: bool,
    /// Its OPT record.
    pub edns: Option<Edns>,
    /// Whether the class is IN.
    pub is_internet: bool,
}

/// How a question ended. Source: RFC 1035 section 4.1.1, RFC 6891.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ResponseCode {
    /// The name exists.
    NoError,
    /// The name does not exist.
    NxDomain,
    /// The server could not find out.
    ServFail,
    /// The server does not do that.
    Refused,
    /// The version of EDNS is unknown.
    BadVers,
}

impl fmt::Display for ResponseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ResponseCode::NoError => "NOERROR",
            ResponseCode::NxDomain => "NXDOMAIN",
            ResponseCode::ServFail => "SERVFAIL",
            ResponseCode::Refused => "REFUSED",
            ResponseCode::BadVers => "BADVERS",
        })
    }
}

/// An answer: what is in the message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// How it ended.
    pub rcode: ResponseCode,
    /// Whether the server speaks for the zone.
    pub aa: bool,
    /// Whether the message was cut.
    pub tc: bool,
    /// Whether the server asks others.
    pub ra: bool,
    /// CNAMEs first, then other records, then addresses.
    pub answers: Vec<ResourceRecord>,
    /// The SOA record of an empty answer.
    pub authority: Vec<ResourceRecord>,
    /// Addresses of names in the answers.
    pub additional: Vec<ResourceRecord>,
    /// Size and DO of the OPT record.
    pub edns: Option<(u16, bool)>,
}

impl Message {
    pub(super) fn of(rcode: ResponseCode) -> Message {
        let (answers, authority, additional) = (Vec::new(), Vec::new(), Vec::new());
        Message { rcode, aa: false, tc: false, ra: false, answers, authority, additional, edns: None }
    }
}

/// A DNS server of a cluster.
#[derive(Clone, Debug)]
pub struct Server {
    config: Config,
    upstream: Option<Upstream>,
    world: World,
}

impl Server {
    /// A server that knows no object yet, with the resolver that it forwards to.
    pub fn new(config: Config, upstream: Option<Upstream>) -> Server {
        Server { config, upstream, world: World::default() }
    }

    /// A server that knows the objects of a store.
    pub fn of(config: Config, upstream: Option<Upstream>, store: &Store) -> Server {
        let mut server = Server::new(config, upstream);
        store.all::<Namespace>(None).for_each(|it| server.add_namespace(it));
        store.all::<Service>(None).for_each(|it| server.add_service(it));
        store.all::<EndpointSlice>(None).for_each(|it| server.add_slice(it));
        store.all::<Pod>(None).for_each(|it| server.add_pod(it));
        server
    }

    /// Makes a namespace known.
    pub fn add_namespace(&mut self, namespace: &Namespace) {
        self.world.add_namespace(namespace, &self.config);
    }

    /// Makes a Service known, once.
    pub fn add_service(&mut self, service: &Service) {
        self.world.add_service(service, &self.config);
    }

    /// Makes a slice known, once.
    pub fn add_slice(&mut self, slice: &EndpointSlice) {
        self.world.add_slice(slice, &self.config);
    }

    /// Makes a Pod known, once.
    pub fn add_pod(&mut self, pod: &Pod) {
        self.world.add_pod(pod);
    }
}
