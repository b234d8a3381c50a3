//! Text forms of rules.

use kdp_packet::Family;

use crate::Rule;

/// A rule as iptables-save prints it.
pub fn print_rule(_family: Family, chain: &str, rule: &Rule) -> String {
    format!("-A {chain} {rule:?}")
}
