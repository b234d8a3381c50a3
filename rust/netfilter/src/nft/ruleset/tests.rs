//! What transactions do, and what they refuse.

use kdp_sim::Time;
use proptest::prelude::*;

use super::elements::{Elements, Stored};
use crate::nft::{Element, Ruleset, Span, Spans, Transaction, load, parse, print};

const NOW: Time = Time::ZERO;

/// A table with a base chain of each kind, chains, and a verdict map that the filter chain looks up.
const BASE: &str = "
table ip t {
 map m { type inet_service : verdict; }
 set s { type ipv4_addr; }
 chain a { }
 chain b { }
 chain c { }
 chain d { }
 chain in { type filter hook input priority 0;
  tcp dport vmap @m
 }
 chain pre { type nat hook prerouting priority -100; }
 chain post { type nat hook postrouting priority 100; }
}
";

fn base() -> Ruleset {
    let mut ruleset = Ruleset::new();
    load(&mut ruleset, BASE, "-", NOW).unwrap();
    ruleset
}

/// Loads more; the code of what is refused, or `ok`.
fn then(ruleset: &mut Ruleset, text: &str) -> &'static str {
    load(ruleset, text, "-", NOW).map_or_else(|error| error.code(), |()| "ok")
}

fn code(text: &str) -> &'static str {
    then(&mut base(), text)
}

/// The verdicts on the left are the kernel's: each was loaded behind the same base with nft 1.0.6 on Linux 6.18.
#[test]
fn the_kernel_refuses_the_same() {
    let cases = [
        ("ruleset-unknown-chain", "add rule ip t nobody accept"),
        ("ruleset-unknown-chain", "add rule ip t a jump nobody"),
        ("nft-unknown-table", "add chain ip nowhere c"),
        ("nft-unknown-set", "add rule ip t a ip saddr @nothing"),
        ("nft-unknown-set", "add element ip t nothing { 1.1.1.1 }"),
        ("nft-unknown-object", "add rule ip t a counter name nothing"),
        ("ruleset-jump-to-base-chain", "add rule ip t a jump in"),
        ("ok", "add chain ip t a"),
        ("ok", "add rule ip t a jump b\nadd rule ip t b jump a"),
        ("ruleset-jump-loop", "add rule ip t in jump a\nadd rule ip t a jump b\nadd rule ip t b goto a"),
        ("ruleset-jump-loop", "add rule ip t a jump b\nadd rule ip t b jump a\nadd rule ip t in jump a"),
        ("ruleset-jump-loop", "add element ip t m { 80 : jump a }\nadd rule ip t a tcp dport vmap @m"),
        ("ruleset-chain-in-use", "add rule ip t a jump b\ndelete chain ip t b"),
        ("ruleset-chain-in-use", "add element ip t m { 80 : goto b }\ndelete chain ip t b"),
        ("ok", "add rule ip t a jump b\nflush chain ip t a\ndelete chain ip t b"),
        ("ok", "add rule ip t a accept\ndelete chain ip t a"),
        ("nft-set-in-use", "delete map ip t m"),
        ("ok", "delete set ip t s"),
        ("ok", "add element ip t s { 1.1.1.1 }\nadd element ip t s { 1.1.1.1 }"),
        ("nft-element-exists", "add element ip t s { 1.1.1.1 }\ncreate element ip t s { 1.1.1.1 }"),
        ("nft-element-exists", "add element ip t m { 80 : drop }\nadd element ip t m { 80 : accept }"),
        ("nft-no-such-element", "delete element ip t s { 1.1.1.1 }"),
        ("nft-set-exists", "add set ip t s { type inet_service; }"),
        ("ruleset-chain-exists", "add chain ip t in { type filter hook input priority 5; }"),
        ("ok", "add chain ip t in { type filter hook input priority 0; policy drop; }"),
        ("ruleset-target-not-at-hook", "add rule ip t in tcp dport 80 dnat to 1.1.1.1"),
        ("ruleset-target-not-at-hook", "add rule ip t post dnat to 1.1.1.1"),
        ("ruleset-target-not-at-hook", "add rule ip t pre masquerade"),
        ("ruleset-target-not-at-hook", "add rule ip t a masquerade\nadd rule ip t pre jump a"),
        ("ruleset-target-not-at-hook", "add rule ip t post reject"),
        ("ok", "add rule ip t a masquerade\nadd rule ip t post jump a"),
        ("nft-type-mismatch", "add rule ip t a ip saddr . tcp dport @s"),
        ("nft-type-mismatch", "add element ip t s { 10.0.0.0/8 }"),
        ("nft-type-mismatch", "add element ip t s { 1.1.1.1 timeout 1m }"),
        ("ok", "add rule ip t a update @s { ip saddr }"),
        ("nft-type-mismatch", "add rule ip t a update @s { ip saddr timeout 1m }"),
        ("nft-type-mismatch", "add rule ip t a tcp sport 1 dnat to tcp dport map @m"),
        ("nft-type-mismatch", "add rule ip t a ip saddr . tcp dport vmap @m"),
        ("nft-set-in-use", "add counter ip t n\nadd rule ip t a counter name n\ndelete counter ip t n"),
    ];
    for (wanted, text) in cases {
        assert_eq!(code(text), wanted, "of {text}");
    }
}

/// Chains that jump to each other in a row.
fn row(chains: usize) -> String {
    let made = (0..chains).map(|n| format!("add chain ip t row{n}\n"));
    let jumps = (1..chains).map(|n| format!("add rule ip t row{} jump row{n}\n", n - 1));
    made.chain(jumps).collect()
}

#[test]
fn a_row_of_fifteen_chains_is_walked_and_one_of_sixteen_is_not() {
    for (chains, wanted) in [(15, "ok"), (16, "ruleset-too-deep")] {
        let text = row(chains);
        assert_eq!(code(&format!("{text}add rule ip t in jump row0")), wanted, "{chains} in a row");
        // In the other order too: what is below is reached before the last rule is there.
        assert_eq!(code(&format!("{}{text}", "add chain ip t row0\nadd rule ip t in jump row0\n")), wanted);
    }
}

#[test]
fn bounds_that_were_too_high_are_counted_anew() {
    let mut ruleset = base();
    // a lies three below, then one: behind it there is room again.
    let deep = "add rule ip t in jump b\nadd rule ip t b jump c\nadd rule ip t c jump a";
    assert_eq!(then(&mut ruleset, deep), "ok");
    assert_eq!(then(&mut ruleset, "flush chain ip t c\nadd rule ip t in jump a"), "ok");
    let row = format!("{}add rule ip t a jump row0", row(14));
    assert_eq!(then(&mut ruleset, &row), "ok");
}

#[test]
fn the_latest_of_equal_priority_comes_first() {
    let mut ruleset = base();
    then(&mut ruleset, "add chain ip t in2 { type filter hook input priority 0; }");
    then(&mut ruleset, "add chain ip t in3 { type filter hook input priority -5; }");
    let family = kdp_packet::Family::V4;
    let names: Vec<String> = ruleset
        .bases(crate::Hook::Input, family, false)
        .map(|base| ruleset.table(base.table).chain(base.chain).chain.name.to_string())
        .collect();
    assert_eq!(names, ["in3", "in2", "in"]);
}

/// Commands that often fail: on small names, in any order.
fn command() -> impl Strategy<Value = String> {
    let chain = prop_oneof![Just("a"), Just("b"), Just("c"), Just("d"), Just("in"), Just("e")];
    let other = chain.clone();
    let port = 80u16..84;
    prop_oneof![
        (chain.clone(), other.clone()).prop_map(|(a, b)| format!("add rule ip t {a} jump {b}")),
        (chain.clone(), other.clone())
            .prop_map(|(a, b)| format!("insert rule ip t {a} tcp dport vmap {{ 80 : goto {b} }}")),
        chain.clone().prop_map(|a| format!("add rule ip t {a} ip saddr @s accept")),
        chain.clone().prop_map(|a| format!("add chain ip t {a}")),
        chain.clone().prop_map(|a| format!("flush chain ip t {a}")),
        chain.clone().prop_map(|a| format!("delete chain ip t {a}")),
        (port.clone(), other).prop_map(|(p, b)| format!("add element ip t m {{ {p} : jump {b} }}")),
        port.prop_map(|p| format!("delete element ip t m {{ {p} }}")),
        (0u8..3).prop_map(|n| format!("add element ip t s {{ 10.0.0.{n} }}")),
        Just("delete set ip t s".to_string()),
        Just("add set ip t s { type ipv4_addr; }".to_string()),
        Just("flush table ip t".to_string()),
    ]
}

/// What a rule set is beside its text: how often each thing is referred to, recounted.
fn uses(ruleset: &Ruleset) -> Vec<u32> {
    let tables = ruleset.tables();
    tables
        .flat_map(|table| {
            let chains = table.chains.values().map(|chain| chain.uses);
            chains.chain(table.sets.values().map(|set| set.uses)).collect::<Vec<_>>()
        })
        .collect()
}

proptest! {
    /// A transaction does all or nothing, and what it leaves is what its listing makes in an empty kernel.
    #[test]
    fn transactions_are_whole(rounds in prop::collection::vec(prop::collection::vec(command(), 1..5), 1..12)) {
        let mut ruleset = base();
        for commands in rounds {
            let before = print(&ruleset);
            let text = commands.join("\n");
            if load(&mut ruleset, &text, "-", NOW).is_err() {
                prop_assert_eq!(print(&ruleset), before);
            }
            let listing = print(&ruleset);
            let mut again = Ruleset::new();
            let known = |_: &crate::nft::Table, _: &str| None;
            let transaction: Transaction = parse(&listing, "-", &known).unwrap();
            again.apply(&transaction, NOW).unwrap();
            prop_assert_eq!(print(&again), listing);
            prop_assert_eq!(uses(&again), uses(&ruleset));
        }
    }

    /// Keys and spans are found as by asking every element.
    #[test]
    fn elements_are_found_as_by_asking_each(
        spans in prop::collection::vec((0u128..60, 0u128..6, 0u128..4), 0..24),
        taken in prop::collection::vec(0usize..24, 0..6),
        two_parts in any::<bool>(),
        interval in any::<bool>(),
    ) {
        let parts = if two_parts { 2 } else { 1 };
        let mut elements = Elements::new(interval, parts);
        let mut plain: Vec<(u64, Spans)> = Vec::new();
        for (number, (first, more, second)) in (0u64..).zip(spans) {
            let last = if interval { first + more } else { first };
            let key: Spans = [Span { first, last }, Span::one(second)].into_iter().take(parts).collect();
            let meets = |other: &Spans| other.iter().zip(&key).all(|(a, b)| a.first <= b.last && b.first <= a.last);
            let overlaps = plain.iter().any(|(_, other)| meets(other));
            prop_assert_eq!(elements.overlaps(&key), overlaps);
            if !overlaps {
                elements.put(number, Stored { element: Element::new(&key), deadline: None });
                plain.push((number, key));
            }
        }
        for place in taken {
            if place < plain.len() {
                let (number, key) = plain.remove(place);
                prop_assert_eq!(elements.find(&key), Some(number));
                elements.take(number);
            }
        }
        for first in 0..70 {
            for second in 0..4 {
                let key = &[first, second][..parts];
                let holds = |spans: &Spans| spans.iter().zip(key).all(|(span, value)| span.contains(*value));
                let wanted = plain.iter().find(|(_, spans)| holds(spans)).map(|(_, spans)| spans.clone());
                prop_assert_eq!(elements.lookup(key).map(|stored| stored.element.key.clone()), wanted);
            }
        }
    }
}
