//! Timeouts of a connection's own, which a rule gave it.

use kdp_packet::{Family, Proto};

use super::{Connection, Settings};

/// What nft calls a `ct timeout` object: timeouts in place of the sysctls', for connections of one protocol.
///
/// Source: net/netfilter/nft_ct.c, nf_conntrack_timeout.c, v6.12.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeoutPolicy {
    /// The protocol of the connections that take it.
    pub proto: Proto,
    /// Their family; `None` is both.
    pub family: Option<Family>,
    /// Places in [`TimeoutPolicy::words`] of the protocol, and seconds, in the order of the words.
    values: Vec<(usize, u32)>,
}

/// Words of a policy, and the sysctls whose place they take. The first is that of new connections.
/// Source: nftables 1.0.6, src/rule.c, `timeout_protocol`; the kernel's `tcp_timeout_nlattr_to_obj`.
const TCP: &[(&str, &str)] = &[
    ("syn_sent", "nf_conntrack_tcp_timeout_syn_sent"),
    ("syn_recv", "nf_conntrack_tcp_timeout_syn_recv"),
    ("established", "nf_conntrack_tcp_timeout_established"),
    ("fin_wait", "nf_conntrack_tcp_timeout_fin_wait"),
    ("close_wait", "nf_conntrack_tcp_timeout_close_wait"),
    ("last_ack", "nf_conntrack_tcp_timeout_last_ack"),
    ("time_wait", "nf_conntrack_tcp_timeout_time_wait"),
    ("close", "nf_conntrack_tcp_timeout_close"),
    ("retrans", "nf_conntrack_tcp_timeout_max_retrans"),
    ("unack", "nf_conntrack_tcp_timeout_unacknowledged"),
];
const UDP: &[(&str, &str)] =
    &[("unreplied", "nf_conntrack_udp_timeout"), ("replied", "nf_conntrack_udp_timeout_stream")];

impl TimeoutPolicy {
    /// A policy that changes nothing yet; `None` for a protocol without words.
    pub fn new(proto: Proto, family: Option<Family>) -> Option<TimeoutPolicy> {
        (!words(proto).is_empty()).then(|| TimeoutPolicy { proto, family, values: Vec::new() })
    }

    /// The words that a protocol has.
    pub fn words(proto: Proto) -> impl Iterator<Item = &'static str> {
        words(proto).iter().map(|(word, _)| *word)
    }

    /// Sets the timeout of a word; `false` if the protocol has no such word.
    pub fn set(&mut self, word: &str, seconds: u32) -> bool {
        let Some(place) = words(self.proto).iter().position(|(each, _)| *each == word) else { return false };
        self.values.retain(|(each, _)| *each != place);
        self.values.push((place, seconds));
        self.values.sort_unstable();
        true
    }

    /// Words that were set, and their seconds.
    pub fn values(&self) -> impl Iterator<Item = (&'static str, u32)> {
        self.values.iter().map(|(place, seconds)| (words(self.proto)[*place].0, *seconds))
    }

    /// The sysctls as a connection with this policy has them.
    ///
    /// DEVIATION(ct-timeout-defaults): what the policy leaves out is what the sysctls say now, not when it was made.
    #[must_use]
    pub fn over(&self, settings: &Settings) -> Settings {
        let mut own = settings.clone();
        for (place, seconds) in &self.values {
            let known = own.set(words(self.proto)[*place].1, *seconds);
            assert!(known, "a word of a policy stands for a sysctl");
        }
        own
    }
}

fn words(proto: Proto) -> &'static [(&'static str, &'static str)] {
    match proto {
        Proto::TCP => TCP,
        Proto::UDP => UDP,
        _ => &[],
    }
}

impl Connection {
    /// Gives a connection that is not confirmed yet timeouts of its own; it waits as a new one does.
    ///
    /// Source: net/netfilter/nft_ct.c, v6.12, `nft_ct_timeout_obj_eval`.
    pub fn set_timeouts(&mut self, policy: &std::sync::Arc<TimeoutPolicy>, settings: &Settings) {
        let own = policy.over(settings);
        let new = words(policy.proto)[0].1;
        self.timeout = own.get(new).expect("a word of a policy stands for a sysctl");
        self.timeouts = Some(policy.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_takes_the_place_of_what_it_names() {
        let mut policy = TimeoutPolicy::new(Proto::UDP, None).unwrap();
        assert!(policy.set("replied", 44) && policy.set("unreplied", 33) && policy.set("replied", 45));
        assert!(!policy.set("established", 1));
        assert_eq!(policy.values().collect::<Vec<_>>(), [("unreplied", 33), ("replied", 45)]);
        let own = policy.over(&Settings::default());
        assert_eq!((own.udp_timeout, own.udp_timeout_stream, own.gre_timeout), (33, 45, 30));
        assert_eq!(TimeoutPolicy::new(Proto::GRE, None), None);
    }

    #[test]
    fn every_word_stands_for_a_sysctl() {
        for (_, sysctl) in TCP.iter().chain(UDP) {
            assert!(Settings::default().get(sysctl).is_some(), "{sysctl}");
        }
    }
}
