//! How often a sender is told that there is no route for its packets.

use std::collections::BTreeMap;
use std::net::IpAddr;

use kdp_sim::Time;

/// Tokens of each sender, in nanoseconds, and when they were counted.
///
/// Source: Linux `ip_error` (net/ipv4/route.c), v6.12: `net.ipv4.route.error_burst` is five seconds' worth of tokens,
/// `error_cost` one, whatever `icmp_ratelimit` says.
#[derive(Clone, Debug, Default)]
pub(crate) struct RouteErrors(BTreeMap<IpAddr, (u64, Time)>);

const COST: u64 = 1_000_000_000;
const BURST: u64 = 5 * COST;

impl RouteErrors {
    /// Whether `sender` may be told at `now`; then it has a token less.
    pub(crate) fn may_send(&mut self, sender: IpAddr, now: Time) -> bool {
        let (tokens, at) = self.0.get(&sender).copied().unwrap_or((BURST, now));
        let passed = now.as_nanos().saturating_sub(at.as_nanos());
        let tokens = tokens.saturating_add(passed).min(BURST);
        let left = tokens.checked_sub(COST);
        self.0.insert(sender, (left.unwrap_or(tokens), now));
        left.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sender_is_told_five_times_and_then_once_a_second() {
        let mut errors = RouteErrors::default();
        let mut told = |sender: u8, secs| errors.may_send([10, 0, 0, sender].into(), Time::from_secs(secs));
        let answers = [0, 0, 0, 0, 0, 0, 1, 1].map(|secs| told(1, secs));
        assert_eq!(answers, [true, true, true, true, true, false, true, false]);
        assert!(told(2, 1));
    }
}
