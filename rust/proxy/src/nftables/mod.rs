//! Services and endpoints as kube-proxy's nftables mode writes them: one table a family, whose maps lead to the chains of a
//! service port.

mod balance;
mod claims;
mod fixed;
mod frontends;
mod names;
mod rule;
mod section;
mod sets;
mod sync;
#[cfg(test)]
pub(crate) mod tests;

pub use sync::{NftProxier, NftSynced, STALE_CHAIN_AGE};
