//! What can be wrong with what a cluster is asked.

use thiserror::Error;

/// An error of this crate, or of one below.
#[derive(Debug, Error)]
pub enum Error {
    /// The objects.
    #[error(transparent)]
    Kube(#[from] kdp_kube::Error),
    /// A label selector.
    #[error(transparent)]
    Selector(kdp_kube::labels::Error),
    /// A field that objects of a kind do not publish to field selectors.
    #[error("field selector of {kind}: no field {field}; it has {}", .known.join(", "))]
    FieldUnknown {
        /// The kind.
        kind: String,
        /// The field as asked.
        field: String,
        /// The fields that there are.
        known: Vec<&'static str>,
    },
    /// Several faults of the objects.
    #[error("{first} (and {more} more: {})", .others.join("; "))]
    Faults {
        /// The first.
        first: Box<kdp_kube::Error>,
        /// How many more there are.
        more: usize,
        /// The next few, as texts.
        others: Vec<String>,
    },
    /// The rules.
    #[error(transparent)]
    Netfilter(#[from] kdp_netfilter::Error),
    /// kube-proxy's options.
    #[error(transparent)]
    Proxy(#[from] kdp_proxy::Error),
    /// The box.
    #[error(transparent)]
    Host(#[from] kdp_host::Error),
    /// A question that is not one.
    #[error("the question cannot be read: {why}")]
    Question {
        /// What is wrong.
        why: String,
    },
    /// An option that is not one.
    #[error("option {option}: {why}")]
    Option {
        /// The option.
        option: &'static str,
        /// What is wrong.
        why: String,
    },
    /// The client is no Pod, node or address.
    #[error(
        "from {found:?}: a client is pod/NAME, pod/NAMESPACE/NAME, node/NAME or an address outside of the cluster"
    )]
    Source {
        /// What was given.
        found: String,
    },
    /// The target is no HOST:PORT.
    #[error(
        "to {found:?}: a target is HOST:PORT, with a port in 1..=65535; HOST is a name or an address, IPv6 in brackets"
    )]
    Target {
        /// What was given.
        found: String,
    },
    /// A protocol that a connection cannot have here yet.
    #[error("protocol {found:?} is not modelled: connections are tcp or udp")]
    ProtocolNotModelled {
        /// What was given.
        found: String,
    },
    /// No table or chain of that name.
    #[error("{kind} {name:?} is not there{}", nearest_text(.nearest))]
    NoSuchChain {
        /// The kind.
        kind: String,
        /// The name as asked.
        name: String,
        /// Names that are there and look alike.
        nearest: Vec<String>,
    },
    /// A node that has no address, where one is needed.
    #[error(
        "Node {node} has no address (.status.addresses has no InternalIP and no ExternalIP): it cannot send"
    )]
    NodeWithoutAddress {
        /// The node.
        node: String,
    },
    /// A Pod that has no address, where one is needed.
    #[error("Pod {pod} has no address (.status.podIP is empty, phase {phase}): it cannot send or receive")]
    PodWithoutAddress {
        /// The Pod.
        pod: String,
        /// Its phase.
        phase: String,
    },
    /// Addresses of a family that cannot be had here.
    #[error("{what}: {why}")]
    Family {
        /// What was asked.
        what: String,
        /// Why it cannot be.
        why: String,
    },
    /// An explanation that kdp cannot give yet.
    #[error("an explanation of kind {kind} is not modelled; there are Service and ServiceMonitor")]
    ExplanationNotModelled {
        /// The kind.
        kind: String,
    },
    /// A case file that does not have the form of its kind.
    #[error("case of {kind}: {why}")]
    Case {
        /// The function that runs it.
        kind: String,
        /// What is wrong.
        why: String,
    },
    /// An action that cannot be done.
    #[error("{why}")]
    Action {
        /// What is wrong with it.
        why: String,
    },
    /// A packet that never arrives.
    #[error("the packet goes round in circles: {}", .nodes.join(" > "))]
    Loop {
        /// The nodes it met.
        nodes: Vec<String>,
    },
    /// Virtual time that goes back.
    #[error("virtual time is at {now} ns and cannot go back to {to} ns")]
    TimeGoesBack {
        /// Where it is.
        now: u64,
        /// Where it was to go.
        to: u64,
    },
}

fn nearest_text(nearest: &[String]) -> String {
    if nearest.is_empty() { String::new() } else { format!("; nearest: {}", nearest.join(", ")) }
}

/// Every code that [`Error::code`] gives for the variants of this crate.
pub const CODES: &[&str] = &[
    "field-unknown",
    "question-invalid",
    "option-invalid",
    "trace-source-invalid",
    "trace-target-invalid",
    "trace-protocol-not-modelled",
    "no-such-chain",
    "node-without-address",
    "pod-without-address",
    "address-family",
    "explanation-not-modelled",
    "case-invalid",
    "action-refused",
    "path-loop",
    "time-goes-back",
];

impl Error {
    /// All faults as one error, with the code of the first.
    pub(crate) fn all(faults: Vec<kdp_kube::Error>) -> Error {
        const SHOWN: usize = 4;
        let mut faults = faults.into_iter();
        let first = faults.next().expect("there is a fault to tell of");
        let more = faults.len();
        if more == 0 {
            return Error::Kube(first);
        }
        Error::Faults {
            first: Box::new(first),
            more,
            others: faults.take(SHOWN).map(|fault| fault.to_string()).collect(),
        }
    }

    /// The stable code, as docs/errors.md lists it.
    pub fn code(&self) -> &'static str {
        match self {
            Error::Kube(e) => e.code(),
            Error::Faults { first, .. } => first.code(),
            Error::Selector(e) => e.code(),
            Error::FieldUnknown { .. } => "field-unknown",
            Error::Netfilter(e) => e.code(),
            Error::Proxy(e) => e.code(),
            Error::Host(e) => e.code(),
            Error::Question { .. } => "question-invalid",
            Error::Option { .. } => "option-invalid",
            Error::Source { .. } => "trace-source-invalid",
            Error::Target { .. } => "trace-target-invalid",
            Error::ProtocolNotModelled { .. } => "trace-protocol-not-modelled",
            Error::NoSuchChain { .. } => "no-such-chain",
            Error::NodeWithoutAddress { .. } => "node-without-address",
            Error::PodWithoutAddress { .. } => "pod-without-address",
            Error::Family { .. } => "address-family",
            Error::ExplanationNotModelled { .. } => "explanation-not-modelled",
            Error::Case { .. } => "case-invalid",
            Error::Action { .. } => "action-refused",
            Error::Loop { .. } => "path-loop",
            Error::TimeGoesBack { .. } => "time-goes-back",
        }
    }
}
