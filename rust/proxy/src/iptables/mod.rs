//! iptables mode: the rules that kube-proxy writes, as steps of a transaction.
//!
//! A [`Section`] is what one service port adds; what is the same whatever the Services are is in `fixed`; the calls from the
//! base chains are in `jumps`; `assemble` puts them in the order of kube-proxy's restore input.

mod assemble;
mod balance;
mod chains;
mod fixed;
mod frontends;
mod jumps;
mod rule;
mod section;

pub use assemble::canaries_live;
pub(crate) use assemble::{Input, Scope, ensure, service_chains};
pub(crate) use chains::Shared;
pub(crate) use fixed::FixedCounts;
pub use section::{EndpointChains, Section, section};
