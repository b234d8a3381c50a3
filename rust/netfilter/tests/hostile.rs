//! Rule sets that mean harm: each is an error, or is walked with a bounded stack.

use std::fmt::Write;

use kdp_netfilter::{Error, Ruleset, nft, text};
use kdp_packet::Family;
use kdp_sim::Time;

fn iptables(lines: &str) -> Result<Ruleset, Error> {
    let mut ruleset = Ruleset::new(Family::V4);
    text::load(&mut ruleset, &format!("*filter\n{lines}COMMIT\n"), "-", false)?;
    Ok(ruleset)
}

fn nftables(text: &str) -> Result<nft::Ruleset, Error> {
    let mut ruleset = nft::Ruleset::new();
    nft::load(&mut ruleset, text, "-", Time::ZERO)?;
    Ok(ruleset)
}

/// Chains in a row, each of which jumps to the next.
fn row(length: usize) -> String {
    let mut lines = String::new();
    for chain in 0..length {
        writeln!(lines, ":C{chain} - [0:0]").unwrap();
    }
    for chain in 1..length {
        writeln!(lines, "-A C{} -j C{chain}", chain - 1).unwrap();
    }
    lines
}

#[test]
fn a_loop_of_jumps_is_refused() {
    let error = iptables(":A -\n:B -\n-A INPUT -j A\n-A A -j B\n-A B -j A\n").err().unwrap();
    assert_eq!(error.code(), "ruleset-jump-loop");
    let loops = "table ip t { chain a { jump b; }\n chain b { jump a; }\n chain c { type filter hook input priority 0; jump a; }\n}";
    assert_eq!(nftables(loops).err().unwrap().code(), "ruleset-jump-loop");
}

#[test]
fn a_row_of_a_hundred_thousand_chains_is_refused_and_loads_where_no_hook_reaches_it() {
    let row = row(100_000);
    assert!(iptables(&row).is_ok());
    let error = iptables(&format!("{row}-A INPUT -j C0\n")).err().unwrap();
    assert_eq!(error.code(), "ruleset-too-deep");
}

#[test]
fn a_row_of_chains_of_nft_is_refused_too() {
    let length = 20_000;
    let mut text = String::from("table ip t {\n");
    for chain in (1..length).rev() {
        writeln!(text, " chain c{} {{ jump c{chain}; }}", chain - 1).unwrap();
    }
    writeln!(text, " chain c{} {{ }}\n}}", length - 1).unwrap();
    assert!(nftables(&text).is_ok());
    text.push_str("add chain ip t i { type filter hook input priority 0; }\nadd rule ip t i jump c0\n");
    assert_eq!(nftables(&text).err().unwrap().code(), "ruleset-too-deep");
}

#[test]
fn names_of_ten_kilobytes_are_refused_or_kept() {
    let name = "x".repeat(10_000);
    assert_eq!(iptables(&format!(":{name} - [0:0]\n")).err().unwrap().code(), "ruleset-chain-name");
    for (rule, code) in [
        (format!("-A INPUT -i {name} -j DROP"), "rule-syntax"),
        (format!("-A INPUT -m comment --comment {name}"), "rule-syntax"),
        (format!("-A INPUT -m {name}"), "rule-match-not-modelled"),
    ] {
        assert_eq!(iptables(&(rule + "\n")).err().unwrap().code(), code);
    }
}

#[test]
fn a_set_of_a_hundred_thousand_elements_loads() {
    let elements: Vec<String> =
        (0..100_000u32).map(|number| std::net::Ipv4Addr::from(0x0a00_0000 + number).to_string()).collect();
    let text =
        format!("table ip t {{ set s {{ type ipv4_addr; elements = {{ {} }}; }}; }}", elements.join(", "));
    let ruleset = nftables(&text).unwrap();
    let members = ruleset.members(&nft::Table::new(Family::V4, "t"), "s", &nft::State::new(), Time::ZERO);
    assert_eq!(members.unwrap().len(), 100_000);
}

#[test]
fn maps_and_blocks_within_each_other_are_refused() {
    for text in [
        format!("table ip t {{ chain c {{ meta mark set {}", "ip saddr map { 1.1.1.1 : ".repeat(10_000)),
        "table ip t { ".repeat(10_000),
        format!("add rule ip t c {}", "jhash ".repeat(100_000)),
        "{".repeat(100_000),
        format!("add rule ip t c ip saddr {}", "( ".repeat(100_000)),
    ] {
        let code = nftables(&text).err().map(|error| error.code());
        assert!(matches!(code, Some("rule-syntax" | "rule-expression-not-modelled")), "{text:.40}: {code:?}");
        assert!(!text::support(text::Kind::Nft, &text, "-").is_empty());
    }
}
