//! kube-proxy: from Services and endpoints to transactions on a rule set.
//!
//! Events go into a [`View`], which is one for the whole cluster; a node's `Proxier` reads from it what changed and makes
//! a transaction of it. Nothing here decides about packets: rules do, where netfilter walks them.

mod cleanup;
mod config;
pub mod conformance;
mod decide;
mod error;
#[cfg(test)]
mod generate;
mod health;
mod iptables;
#[cfg(test)]
mod long_run;
mod metrics;
mod names;
mod nftables;
mod node;
mod profile;
mod runner;
mod select;
mod sync;
mod view;

pub use cleanup::{Cleaned, Cleaner};
pub use config::{
    Config, DetectLocal, LocalDetector, Mode, NodePortAddresses, NodePortMatch, Settings, block_of_file,
    block_of_flags,
};
pub use decide::{Arrival, Decider, Decision, Translation};
pub use error::{CODES, Error, Result};
pub use health::{HealthAnswer, health_check_node_port, is_alive, local_ready_endpoints, service_health};
pub use iptables::{EndpointChains, Section, canaries_live, section};
pub use metrics::{ChangeCounts, Histogram, Metrics, PageFacts, print as print_metrics};
pub use names::{PortName, ServiceName, ServicePortName};
pub use nftables::{NftProxier, NftSynced, STALE_CHAIN_AGE};
pub use node::NodeFacts;
pub use profile::{Cleanup, Copies, NftProfile, Pacing, Profile, Watch};
pub use runner::Runner;
pub use select::{Chooser, Selected, select};
pub use sync::{Counts, Extent, FULL_SYNC_PERIOD, LARGE_CLUSTER_ENDPOINTS, Proxier, Synced};
pub use view::{
    Backend, Changed, Cursor, Endpoint, EndpointsMap, FamilyView, PortEndpoints, ServicePort, ServicePorts,
    SliceFacts, View, service_ports, slice_facts,
};
