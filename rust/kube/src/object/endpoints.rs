//! EndpointSlice and Endpoints.

use super::meta::{Meta, ObjectReference};
use super::serde_api::api;

api! {
    /// An `EndpointSlice` (`discovery.k8s.io/v1`).
    pub struct EndpointSlice {
        /// Name, labels, history.
        #[serde(rename = "metadata")]
        pub meta: Meta,
        /// `IPv4`, `IPv6` or `FQDN`.
        pub address_type: String,
        /// Its endpoints.
        pub endpoints: Vec<Endpoint>,
        /// The ports of every endpoint. None at all is not the same as an unnamed port.
        pub ports: Vec<EndpointPort>,
    }

    /// One endpoint.
    pub struct Endpoint {
        /// Its addresses, all of the slice's type.
        pub addresses: Vec<String>,
        /// How it is.
        pub conditions: EndpointConditions,
        /// Its name below a headless Service.
        pub hostname: Option<String>,
        /// The object behind it.
        pub target_ref: Option<ObjectReference>,
        /// The node it is on.
        pub node_name: Option<String>,
        /// The zone it is in.
        pub zone: Option<String>,
        /// Who should use it.
        pub hints: Option<EndpointHints>,
    }

    /// Conditions of an endpoint; absent means unknown.
    pub struct EndpointConditions {
        /// Whether it takes new connections; absent counts as true.
        pub ready: Option<bool>,
        /// Whether it answers, terminating or not; absent counts as `ready`.
        pub serving: Option<bool>,
        /// Whether it is going away; absent counts as false.
        pub terminating: Option<bool>,
    }

    /// Hints of an endpoint.
    pub struct EndpointHints {
        /// Zones that should use it.
        pub for_zones: Vec<HintName>,
        /// Nodes that should use it.
        pub for_nodes: Vec<HintName>,
    }

    /// A zone or node of a hint.
    pub struct HintName {
        /// Its name.
        pub name: String,
    }

    /// A port of a slice, or of a subset of Endpoints.
    pub struct EndpointPort {
        /// Its name.
        pub name: Option<String>,
        /// Its number; absent means every port.
        pub port: Option<i32>,
        /// `TCP`, `UDP` or `SCTP`; absent means TCP.
        pub protocol: Option<String>,
        /// A hint about the protocol above.
        pub app_protocol: Option<String>,
    }

    /// Endpoints (`v1`).
    pub struct Endpoints {
        /// Name, labels, history.
        #[serde(rename = "metadata")]
        pub meta: Meta,
        /// Addresses with the ports that they share.
        pub subsets: Vec<EndpointSubset>,
    }

    /// Addresses with the ports that they share.
    pub struct EndpointSubset {
        /// Ready addresses.
        pub addresses: Vec<EndpointAddress>,
        /// Addresses that are not ready.
        pub not_ready_addresses: Vec<EndpointAddress>,
        /// Their ports.
        pub ports: Vec<EndpointPort>,
    }

    /// An address of Endpoints.
    pub struct EndpointAddress {
        /// The address.
        pub ip: String,
        /// Its name below a headless Service.
        pub hostname: String,
        /// The node it is on.
        pub node_name: Option<String>,
        /// The object behind it.
        pub target_ref: Option<ObjectReference>,
    }
}
