//! Tests whose answer no rule set, box or packet here can give.

use std::sync::Arc;

/// A test that depends on what is not known: who owns a socket, the time of day, the bytes of the payload.
///
/// The rule loads. Where a packet's fate hangs on the test, the fate is unknown, because of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unknown {
    /// The module and its options, as iptables-save prints them: `owner --uid-owner 1000`.
    pub text: Arc<str>,
    /// What the test says of a packet that no process of the box sent; `None` where that is unknown too.
    ///
    /// Source: net/netfilter/xt_owner.c, v6.12: without a socket it passes what is asked for with `!` alone.
    pub forwarded: Option<bool>,
}

impl Unknown {
    /// The test as it stands in a rule, by which an unknown fate is explained.
    pub fn because(&self) -> String {
        format!("-m {}", self.text)
    }
}
