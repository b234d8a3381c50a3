//! How often a sender is told that its packet went no further.

use std::collections::BTreeMap;
use std::net::IpAddr;

use kdp_sim::Time;

/// Tokens of each sender, in nanoseconds, and when they were last counted.
///
/// One account serves two limits: errors of routing spend a token each, and every other limited ICMP error first cuts the
/// account down to what `icmp_ratelimit` allows, which is nothing where that is off.
///
/// Source: Linux `ip_error` (net/ipv4/route.c), `inet_peer_xrlim_allow` (net/ipv4/inetpeer.c), v6.12 and observed on 6.18:
/// `net.ipv4.route.error_burst` is five seconds' worth of tokens, `error_cost` one.
#[derive(Clone, Debug, Default)]
pub(crate) struct RouteErrors(BTreeMap<IpAddr, (u64, Time)>);

const COST: u64 = 1_000_000_000;
const BURST: u64 = 5 * COST;
/// An account grows from tick to tick, and is cut down where it grew. Source: `CONFIG_HZ=250`.
const TICK: u64 = 4_000_000;

impl RouteErrors {
    /// Whether `sender` may be told at `now` that there is no route; then it has a token less.
    pub(crate) fn may_send(&mut self, sender: IpAddr, now: Time) -> bool {
        let (tokens, at) = self.0.get(&sender).copied().unwrap_or((BURST, now));
        let passed = now.as_nanos().saturating_sub(at.as_nanos());
        let tokens = tokens.saturating_add(passed).min(BURST);
        let left = tokens.checked_sub(COST);
        self.0.insert(sender, (left.unwrap_or(tokens), now));
        left.is_some()
    }

    /// Another ICMP error goes to `sender`, which `icmp_ratelimit` (off) never refuses.
    pub(crate) fn told(&mut self, sender: IpAddr, now: Time) {
        let account = self.0.entry(sender).or_insert((0, Time::ZERO));
        let tick = |time: Time| time.as_nanos() / TICK;
        if account.0 == 0 || tick(account.1) != tick(now) {
            *account = (0, now);
        }
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

    #[test]
    fn another_error_takes_all_tokens() {
        let (mut errors, sender) = (RouteErrors::default(), [10, 0, 0, 1].into());
        errors.told(sender, Time::from_secs(1));
        assert!(!errors.may_send(sender, Time::from_secs(1)));
        assert!(errors.may_send(sender, Time::from_secs(2)));
        let mut errors = RouteErrors::default();
        assert!(errors.may_send(sender, Time::from_secs(1)));
        errors.told(sender, Time::from_secs(1));
        assert!(errors.may_send(sender, Time::from_secs(1)), "within one tick nothing is cut");
        errors.told(sender, Time::from_secs(2));
        assert!(!errors.may_send(sender, Time::from_secs(2)));
    }
}
