//! No Endpoints object holds more than a thousand addresses.
//!
//! Source: `pkg/controller/endpoint` `truncateEndpoints` of Kubernetes (2026-07).

use crate::object::{EndpointAddress, EndpointSubset};

/// Addresses in one object.
pub const CAPACITY: usize = 1_000;

/// Number of addresses, ready or not.
pub(super) fn count(subsets: &[EndpointSubset]) -> usize {
    subsets.iter().map(|subset| subset.addresses.len() + subset.not_ready_addresses.len()).sum()
}

/// Cuts down to [`CAPACITY`], ready addresses first, each subset in proportion, rounded up: the last one pays.
/// Whether anything had to be left out.
pub fn truncate(subsets: &mut [EndpointSubset]) -> bool {
    if count(subsets) <= CAPACITY {
        return false;
    }
    let ready = subsets.iter().map(|subset| subset.addresses.len()).sum();
    if ready > CAPACITY {
        cut(subsets.iter_mut().map(|subset| &mut subset.addresses), ready, CAPACITY);
        for subset in subsets {
            subset.not_ready_addresses.clear();
        }
    } else {
        let not_ready = count(subsets) - ready;
        cut(subsets.iter_mut().map(|s| &mut s.not_ready_addresses), not_ready, CAPACITY - ready);
    }
    true
}

fn cut<'a>(lists: impl Iterator<Item = &'a mut Vec<EndpointAddress>>, total: usize, room: usize) {
    let mut left = room;
    for list in lists {
        let share = (list.len() * room).div_ceil(total);
        list.truncate(share.min(left));
        left -= list.len();
    }
}
