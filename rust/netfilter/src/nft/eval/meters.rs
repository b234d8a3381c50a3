//! Statements that count: counters, quotas, limits, numbers in turn.

use kdp_sim::Time;

use super::state::{Meter, State};
use crate::nft::{Limit, Quota};

impl Meter {
    /// The place of the next statement that remembers.
    fn next(&mut self) -> Meter {
        let this = *self;
        self.place += 1;
        this
    }

    /// The place of a named object.
    pub(super) const fn of_object(number: u64) -> Meter {
        Meter { owner: number, place: 0 }
    }
}

impl State {
    /// The next of the numbers below `modulus`, from 0. Source: net/netfilter/nft_numgen.c, v6.12, `nft_ng_inc_gen`.
    pub(super) fn turn(&mut self, meter: &mut Meter, modulus: u32) -> u32 {
        let metered = self.metered(meter.next());
        let number = metered.turns;
        metered.turns = if number + 1 < modulus { number + 1 } else { 0 };
        number
    }

    /// Counts a packet.
    pub(super) fn count(&mut self, meter: &mut Meter, length: u16) {
        let count = &mut self.metered(meter.next()).count;
        count.packets += 1;
        count.bytes += u64::from(length);
    }

    /// Counts a packet's bytes; whether the statement matches.
    /// Source: net/netfilter/nft_quota.c, v6.12, `nft_quota_do_eval`.
    pub(super) fn quota(&mut self, meter: &mut Meter, quota: Quota, length: u16) -> bool {
        let count = &mut self.metered(meter.next()).count;
        count.bytes += u64::from(length);
        (count.bytes > quota.bytes) == quota.over
    }

    /// Takes a packet's share of a rate; whether the statement matches. It begins with its burst.
    ///
    /// Source: net/netfilter/nft_limit.c, v6.12, `nft_limit_eval`, `nft_limit_init`: tokens are nanoseconds.
    pub(super) fn limit(&mut self, meter: &mut Meter, limit: Limit, length: u16, now: Time) -> bool {
        let nanos = u64::from(limit.per_seconds) * 1_000_000_000;
        let rate = limit.rate.max(1);
        let share = |amount: u64| {
            let exact = u128::from(nanos) * u128::from(amount) / u128::from(rate);
            u64::try_from(exact).unwrap_or(u64::MAX)
        };
        let (most, cost) = if limit.bytes {
            (share(rate + limit.burst), share(length.into()))
        } else {
            ((nanos / rate).saturating_mul(limit.burst.max(1)), nanos / rate)
        };
        let metered = self.metered(meter.next());
        let (tokens, counted) = metered.tokens.unwrap_or((most, now));
        let tokens = tokens.saturating_add(now.0 - counted.0).min(most);
        let (within, left) = match tokens.checked_sub(cost) {
            Some(left) => (true, left),
            None => (false, tokens),
        };
        metered.tokens = Some((left, now));
        within != limit.over
    }
}
