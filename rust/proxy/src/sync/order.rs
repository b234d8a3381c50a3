//! Where the rules of a Service stand in the shared chains.

use crate::iptables::Shared;
use crate::names::ServiceName;

/// How many rules each Service has in each shared chain, in the order of Services.
///
/// Two flat lists: finding a place means adding up one of them, some microseconds for ten thousand Services.
#[derive(Clone, Debug, Default)]
pub(super) struct Order {
    names: Vec<ServiceName>,
    counts: Vec<PerChain>,
}

/// A number for each shared chain, by [`Shared`].
pub(super) type PerChain = [u32; Shared::ALL.len()];

impl Order {
    /// A Service has now so many rules; none of any kind takes it out.
    pub(super) fn set(&mut self, name: &ServiceName, counts: PerChain) {
        let gone = counts == PerChain::default();
        match self.names.binary_search(name) {
            Ok(place) if gone => {
                self.names.remove(place);
                self.counts.remove(place);
            }
            Ok(place) => self.counts[place] = counts,
            Err(_) if gone => {}
            Err(place) => {
                self.names.insert(place, name.clone());
                self.counts.insert(place, counts);
            }
        }
    }

    /// How many rules stand before those of a Service.
    pub(super) fn before(&self, name: &ServiceName) -> PerChain {
        let place = self.names.binary_search(name).unwrap_or_else(|place| place);
        let mut sum = PerChain::default();
        for counts in &self.counts[..place] {
            sum.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
        }
        sum
    }
}
