//! A cluster on virtual time: objects, controllers, nodes, and packets between them.
//!
//! Every change is a write to the store. What follows from it comes over edges, each with a latency: the controllers' slices,
//! the proxies' view, a node's rules. Nodes are lazy: one builds its rules when a packet, a listing or a timer asks.

mod action;
mod answer;
mod churn;
mod client;
mod cluster;
pub mod conformance;
mod directory;
mod dns;
mod edges;
mod error;
pub mod evidence;
mod exchange;
mod explore;
pub mod nft_listing;
mod node;
mod options;
mod path;
mod proxy;
mod proxy_answers;
mod question;
mod running;
mod served;
mod steps;
pub mod topology;
mod views;
mod world;

pub use action::{Action, Named};
pub use churn::Plan;
pub use cluster::Cluster;
pub use edges::{Edge, Latency};
pub use error::{CODES, Error};
pub use exchange::exchange_json;
pub use options::Options;
pub use question::{From, Question};
pub use served::{ApiReply, ApiRequest};
