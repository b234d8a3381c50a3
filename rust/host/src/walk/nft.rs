//! nftables' base chains on the way, between the tables of iptables.

use kdp_netfilter::Hook;
use kdp_netfilter::nft::{Around, BaseChain};
use kdp_netfilter::vm::{Choose, Verdict};

use super::{Context, Passage, Stop};
use crate::trace::Record;

impl<C: Choose, R: Record> Context<'_, C, R> {
    /// Walks the base chains of a hook that do not translate, those above one priority up to and with another. At equal
    /// priority they come before the tables of iptables: the kernel puts the latest first.
    ///
    /// DEVIATION(nft-iptables-order): iptables' tables count as older than nftables' chains of the same priority.
    pub(super) fn nft(
        &mut self,
        hook: Hook,
        (above, to): (Option<i32>, i32),
        passage: &mut Passage,
    ) -> Result<(), Stop> {
        for base in self.nft_chains(hook, passage, false) {
            let priority = base.base().priority;
            if priority <= to && above.is_none_or(|above| priority > above) {
                let verdict = self.evaluate_nft(&base, passage);
                self.decided(verdict, passage)?;
            }
        }
        Ok(())
    }

    /// Base chains of a hook in order: those that translate, or the others.
    pub(super) fn nft_chains(&self, hook: Hook, passage: &Passage, nat: bool) -> Vec<BaseChain> {
        let rules = self.host.nft();
        if rules.is_empty() {
            return Vec::new();
        }
        rules.bases(hook, passage.packet.headers.family(), nat).copied().collect()
    }

    /// What a base chain says.
    pub(super) fn evaluate_nft(&mut self, base: &BaseChain, passage: &mut Passage) -> Verdict {
        self.framed(base.base().hook, passage, |frame, host, choose, trace| {
            let (rules, state, locality) = host.nft_and_state();
            rules.evaluate(base, frame, &mut Around { locality: &locality, state, choose, trace })
        })
    }
}
