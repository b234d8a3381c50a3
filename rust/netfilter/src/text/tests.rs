use kdp_packet::Family;
use proptest::prelude::*;

use super::*;
use crate::vm::generate::transaction;
use crate::{Ruleset, Table, Transaction};

fn printed(text: &str, family: Family) -> String {
    let mut ruleset = Ruleset::new(family);
    load(&mut ruleset, text, "test", false).unwrap_or_else(|error| panic!("{error}"));
    print(&ruleset)
}

/// Loads one rule in table `table`, and prints it.
fn rule(table: &str, rule: &str, family: Family) -> Result<String, String> {
    let mut ruleset = Ruleset::new(family);
    let text = format!("*{table}\n:U -\n{rule}\nCOMMIT\n");
    load(&mut ruleset, &text, "rules", false).map_err(|error| format!("{}: {error}", error.code()))?;
    let rules: Vec<String> =
        print(&ruleset).lines().filter(|line| line.starts_with("-A")).map(String::from).collect();
    Ok(rules.join("\n"))
}

#[test]
fn rules_print_as_iptables_save_prints_them() {
    // Each pair was checked against iptables v1.8.9 (nf_tables).
    for (family, table, written, wanted) in [
        (
            4,
            "filter",
            "-A U -m tcp -p tcp --dport 80 -s 10.0.0.1",
            "-A U -s 10.0.0.1/32 -p tcp -m tcp --dport 80",
        ),
        (4, "filter", "-A U -p tcp --dport 0:65535", "-A U -p tcp -m tcp"),
        (4, "filter", "-A U -p 132 --dport 5:6 ! --sport 7", "-A U -p sctp -m sctp ! --sport 7 --dport 5:6"),
        (4, "filter", "-A U -p udp --dport domain", "-A U -p udp -m udp --dport 53"),
        (
            4,
            "filter",
            "-A U -p tcp --syn -j DROP",
            "-A U -p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN -j DROP",
        ),
        (4, "filter", "-A U -s 10.1.2.3/255.0.0.0 -d 0.0.0.0/0 -i + -p all", "-A U -s 10.0.0.0/8"),
        (4, "filter", "-A U -m comment --comment a.b", "-A U -m comment --comment \"a.b\""),
        (
            4,
            "filter",
            "-A U -m comment --comment \"a\\\"b\\\\c'd\"",
            "-A U -m comment --comment \"a\\\"b\\\\c\\'d\"",
        ),
        (4, "filter", "-A U -m comment --comment \"\"", "-A U -m comment --comment \"\""),
        (4, "filter", "-A U -j MARK --or-mark 16384", "-A U -j MARK --set-xmark 0x4000/0x4000"),
        (4, "filter", "-A U -j MARK --xor-mark 0x4000", "-A U -j MARK --set-xmark 0x4000/0x0"),
        (4, "filter", "-A U -j MARK --and-mark 0xff", "-A U -j MARK --set-xmark 0x0/0xffffff00"),
        (4, "filter", "-A U -j MARK --set-mark 0x10/0xf0", "-A U -j MARK --set-xmark 0x10/0xf0"),
        (4, "filter", "-A U -m mark ! --mark 0/0xff00", "-A U -m mark ! --mark 0x0/0xff00"),
        (4, "filter", "-A U -m mark --mark 0x10", "-A U -m mark --mark 0x10"),
        (4, "filter", "-A U -m conntrack --ctstate DNAT,new", "-A U -m conntrack --ctstate NEW,DNAT"),
        (4, "filter", "-A U -j REJECT", "-A U -j REJECT --reject-with icmp-port-unreachable"),
        (6, "filter", "-A U -j REJECT", "-A U -j REJECT --reject-with icmp6-port-unreachable"),
        (
            6,
            "filter",
            "-A U -j REJECT --reject-with adm-prohibited",
            "-A U -j REJECT --reject-with icmp6-adm-prohibited",
        ),
        (
            4,
            "filter",
            "-A U -m statistic --mode random --probability 0.3333333333",
            "-A U -m statistic --mode random --probability 0.33333333349",
        ),
        (
            4,
            "filter",
            "-A U -m recent --name L --rcheck --reap --seconds 5 --hitcount 2",
            "-A U -m recent --rcheck --seconds 5 --reap --hitcount 2 --name L --mask 255.255.255.255 --rsource",
        ),
        (
            4,
            "nat",
            "-A U -p tcp -j DNAT --to 10.0.0.1:80",
            "-A U -p tcp -j DNAT --to-destination 10.0.0.1:80",
        ),
        (4, "nat", "-A U -p tcp -j DNAT --to-destination :80", "-A U -p tcp -j DNAT --to-destination :80"),
        (6, "nat", "-A U -j DNAT --to-destination [fd00::1]", "-A U -j DNAT --to-destination fd00::1"),
        (
            6,
            "nat",
            "-A U -p tcp -j DNAT --to-destination [FD00::1]:80-81",
            "-A U -p tcp -j DNAT --to-destination [fd00::1]:80-81",
        ),
        (
            4,
            "nat",
            "-A U -p udp -j SNAT --persistent --random --to-source 1.1.1.1-1.1.1.2:5",
            "-A U -p udp -j SNAT --to-source 1.1.1.1-1.1.1.2:5 --random --persistent",
        ),
        (
            4,
            "filter",
            "-A U -s 1.1.1.1,2.2.2.2 -d 3.3.3.3,4.4.4.4",
            "-A U -s 1.1.1.1/32 -d 3.3.3.3/32\n-A U -s 1.1.1.1/32 -d 4.4.4.4/32\n\
             -A U -s 2.2.2.2/32 -d 3.3.3.3/32\n-A U -s 2.2.2.2/32 -d 4.4.4.4/32",
        ),
    ] {
        let family = if family == 4 { Family::V4 } else { Family::V6 };
        assert_eq!(rule(table, written, family).as_deref(), Ok(wanted), "{written}");
    }
}

#[test]
fn what_is_wrong_is_named_with_its_line() {
    for (written, wanted) in [
        ("-A U -m foo", "rule-match-not-modelled: rules:3: match \"foo\" is not modelled"),
        (
            "-A U -j TEE --gateway 1.1.1.1",
            "rule-target-not-modelled: rules:3: target \"TEE\" is not modelled",
        ),
        (
            "-A U -p sctp -m sctp --chunk-types any DATA",
            "rule-option-not-modelled: rules:3: option \"--chunk-types\" of match \"sctp\" is not modelled",
        ),
        ("-A U -f", "rule-option-not-modelled: rules:3: option \"-f\" of a rule is not modelled"),
        (
            "-A U -j NOPE",
            "ruleset-unknown-chain: rules:3: table filter, chain U: -j NOPE: no chain of that name",
        ),
        (
            "-A U -j INPUT",
            "ruleset-jump-to-base-chain: rules:3: table filter, chain U: -j INPUT: a base chain cannot be jumped to",
        ),
        ("-A V -j DROP", "ruleset-unknown-chain: rules:3: table filter: chain V does not exist"),
        (
            "-D U -j DROP",
            "ruleset-no-such-rule: rules:3: table filter, chain U: no rule equal to `-A U -j DROP`",
        ),
        (
            "-D U 1",
            "ruleset-rule-number: rules:3: table filter, chain U: there is no rule 1; the chain has 0 rule(s)",
        ),
        (
            "-A U -m multiport --dports 80",
            "rule-syntax: rules:3: match multiport needs -p tcp, udp, sctp or udplite",
        ),
        ("-A U -m icmp --icmp-type 8", "rule-syntax: rules:3: match icmp needs -p icmp"),
        (
            "-A U -j CT --helper ftp",
            "rule-option-not-modelled: rules:3: option \"--helper\" of target \"CT\" is not modelled",
        ),
        ("-A U -p tcp --dport 80x", "rule-syntax: rules:3: --dport: \"80x\" is not a port from 0 to 65535"),
        (
            "-A U -p tcp --dport 90:80",
            "rule-syntax: rules:3: --dport: 90:80: the first port is above the last",
        ),
        ("-A U --dport 80", "rule-syntax: rules:3: unknown option \"--dport\""),
        ("-A U -m tcp --dport 80", "rule-syntax: rules:3: match tcp needs -p tcp"),
        (
            "-A U -s 10.0.0.0/255.0.255.0",
            "rule-option-not-modelled: rules:3: option \"-s ADDRESS/255.0.255.0\" of a rule is not modelled",
        ),
        ("-A U -s fd00::1", "rule-syntax: rules:3: -s: \"fd00::1\" is not an IPv4 address"),
        ("-A U ! -s 0.0.0.0/0", "rule-syntax: rules:3: ! 0.0.0.0/0: no packet would pass"),
        ("-A U -j DROP -j DROP", "rule-syntax: rules:3: -j may be given once"),
        ("-A U extra", "rule-syntax: rules:3: \"extra\" is not an option"),
        ("-A U -m mark", "rule-syntax: rules:3: match mark: --mark must be given"),
        (
            "-A INPUT -o eth0",
            "rule-syntax: rules:3: -o cannot be used in INPUT: the device is not known there",
        ),
        ("-A U -m comment --comment \"a", "rule-syntax: rules:3: a quote is not closed"),
        (
            "-A U -j REJECT --reject-with tcp-reset",
            "rule-syntax: rules:3: --reject-with tcp-reset needs -p tcp",
        ),
        (
            "-A U -j MASQUERADE",
            "ruleset-target-not-in-table: rules:3: table filter, chain U: target MASQUERADE is valid only in table nat",
        ),
        (
            "-X INPUT",
            "ruleset-base-chain: rules:3: table filter: INPUT is a base chain: it has a policy, and cannot be made or deleted",
        ),
        ("-Z", "rule-option-not-modelled: rules:3: option \"-Z\" of iptables-restore is not modelled"),
        (":INPUT QUEUE", "rule-syntax: rules:3: :: policy \"QUEUE\" is neither ACCEPT nor DROP"),
        ("*nat", "rule-syntax: rules:3: table filter is open: COMMIT must end it"),
    ] {
        assert_eq!(rule("filter", written, Family::V4), Err(wanted.to_string()), "{written}");
    }
    let whole = |text: &str| parse(text, "f", Family::V4, true).unwrap_err().to_string();
    assert_eq!(whole("*broute\nCOMMIT\n"), "f:1: table \"broute\" is not modelled");
    assert_eq!(whole("*nat\n"), "f:1: the text ends before COMMIT");
    assert_eq!(whole("\n-A X\n"), "f:2: this line stands in no table: \"*TABLE\" must come first");
}

#[test]
fn without_a_flush_tables_keep_what_is_not_named() {
    let mut ruleset = Ruleset::new(Family::V4);
    let before = "*filter\n:INPUT DROP\n:A -\n:B -\n-A INPUT -j A\n-A A -s 1.1.1.1 -j DROP\n-A A -s 1.1.1.2 -j DROP\nCOMMIT\n";
    load(&mut ruleset, before, "test", false).unwrap();
    let change = "*filter\n:INPUT ACCEPT [0:0]\n:B - [0:0]\n-I A 2 -s 9.9.9.9\n-D A -s 1.1.1.2/32 -j DROP\n-I INPUT -j B\n-X B\nCOMMIT\n";
    let error = load(&mut ruleset, change, "test", true).unwrap_err();
    assert_eq!(error.to_string(), "test:7: table filter: chain B cannot be deleted: 1 rule(s) jump to it");
    let change = change.replace("-X B\n", "");
    load(&mut ruleset, &change, "test", true).unwrap();
    let wanted = "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n:A - [0:0]\n:B - [0:0]\n\
                  -A INPUT -j B\n-A INPUT -j A\n-A A -s 1.1.1.1/32 -j DROP\n-A A -s 9.9.9.9/32\nCOMMIT\n";
    assert_eq!(print(&ruleset), wanted);
    load(&mut ruleset, "*filter\nCOMMIT\n", "test", false).unwrap();
    assert_eq!(print(&ruleset), "", "a table that is emptied is not listed");
}

#[test]
fn a_target_is_refused_at_a_hook_that_does_not_have_it() {
    let text = "*nat\n:U -\n-A U -j MASQUERADE\n-A PREROUTING -j U\nCOMMIT\n";
    let error = load(&mut Ruleset::new(Family::V4), text, "f", false).unwrap_err();
    assert_eq!(
        error.to_string(),
        "table nat, chain U: target MASQUERADE is reached from PREROUTING; it is valid from POSTROUTING alone"
    );
    let text = text.replace("PREROUTING", "POSTROUTING");
    load(&mut Ruleset::new(Family::V4), &text, "f", false).unwrap();
}

#[test]
fn a_chain_is_listed_as_iptables_lists_it() {
    let text = "*nat\n:S -\n:T -\n-A OUTPUT -j S\n-A S ! -s 10.0.0.0/8 -d 10.96.0.1 -p tcp -m comment --comment \"a/b cluster IP\" \
                --dport 80 -j MARK --or-mark 0x4000\n-A S -m statistic --mode nth --every 3 --packet 0 -g T\nCOMMIT\n";
    let mut ruleset = Ruleset::new(Family::V4);
    load(&mut ruleset, text, "test", false).unwrap();
    let id = ruleset.find(Table::Nat, &"S".into()).unwrap();
    // Checked against iptables v1.8.9 (nf_tables).
    let wanted = "Chain S (1 references)\n\
        target     prot opt source               destination         \n\
        MARK       6    -- !10.0.0.0/8           10.96.0.1            /* a/b cluster IP */ tcp dpt:80 MARK or 0x4000\n\
        T          0    --  0.0.0.0/0            0.0.0.0/0           [goto]  statistic mode nth every 3\n";
    assert_eq!(list_chain(&ruleset, ruleset.chain(id)), wanted);
}

fn both_ways(transaction: &Transaction) {
    let mut ruleset = Ruleset::new(transaction.family);
    ruleset.apply(transaction).unwrap();
    let text = print(&ruleset);
    assert_eq!(printed(&text, transaction.family), text);
    // Rule by rule: parse is the inverse of print.
    let read = parse(&text, "test", transaction.family, true).unwrap();
    for (table, op) in &read.ops {
        if let crate::Op::Append(name, rule) = op {
            let id = ruleset.find(*table, name).unwrap();
            assert!(ruleset.chain(id).rules().iter().any(|installed| installed.rule() == rule), "{rule:?}");
        }
    }
    // And as a transaction.
    let again = parse(&print_transaction(transaction), "test", transaction.family, true).unwrap();
    let mut other = Ruleset::new(transaction.family);
    other.apply(&again).unwrap();
    assert_eq!(print(&other), text);
}

proptest! {
    #[test]
    fn what_is_printed_is_read_back(
        transaction in prop_oneof![Just(Family::V4), Just(Family::V6)].prop_flat_map(transaction)
    ) {
        both_ways(&transaction);
    }

    #[test]
    fn any_text_is_read_or_refused(text in "[-*:!a-zA-Z0-9 \"\\\\/.,\n]{0,200}") {
        let _ = parse(&text, "test", Family::V4, false);
        let _ = parse(&format!("*filter\n-A INPUT {text}\nCOMMIT\n"), "test", Family::V6, true);
    }
}

/// The files of tests/cases/iptables-save.
const SAVED: [(&str, Family, &str); 6] = [
    (
        "every-form",
        Family::V4,
        include_str!("../../../../tests/cases/iptables-save/every-form.iptables-save"),
    ),
    (
        "every-form",
        Family::V6,
        include_str!("../../../../tests/cases/iptables-save/every-form.ip6tables-save"),
    ),
    (
        "c110",
        Family::V6,
        include_str!("../../../../tests/cases/iptables-save/kube-proxy-c110.ip6tables-save"),
    ),
    ("c111", Family::V4, include_str!("../../../../tests/cases/iptables-save/kube-proxy-c111.iptables-save")),
    ("c116", Family::V4, include_str!("../../../../tests/cases/iptables-save/kube-proxy-c116.iptables-save")),
    (
        "c117",
        Family::V6,
        include_str!("../../../../tests/cases/iptables-save/kube-proxy-c117.ip6tables-save"),
    ),
];

#[test]
fn what_iptables_save_printed_is_printed_again() {
    for (name, family, text) in SAVED {
        let mut ruleset = Ruleset::new(family);
        load(&mut ruleset, text, name, false).unwrap_or_else(|error| panic!("{error}"));
        for (printed, wanted) in print(&ruleset).lines().zip(text.lines()) {
            assert_eq!(printed, wanted, "{name}");
        }
        assert_eq!(print(&ruleset), text, "{name}");
    }
}

#[test]
fn what_iptables_listed_is_listed() {
    let lists = [
        include_str!("../../../../tests/cases/iptables-save/every-form.iptables-list"),
        include_str!("../../../../tests/cases/iptables-save/every-form.ip6tables-list"),
    ];
    for ((name, family, text), wanted) in SAVED.into_iter().zip(lists) {
        let mut ruleset = Ruleset::new(family);
        load(&mut ruleset, text, name, false).unwrap();
        let mut listed = String::new();
        for table in [Table::Raw, Table::Filter, Table::Nat] {
            let lists = ruleset.chains(table).into_iter().map(|id| list_chain(&ruleset, ruleset.chain(id)));
            listed += &lists.collect::<Vec<_>>().join("\n");
        }
        assert_eq!(listed, wanted, "{name}");
    }
}

/// What iptables v1.8.9 (nf_tables) listed after it had loaded the same rules.
#[test]
fn extensions_print_as_the_kernel_lists_them() {
    let listed = include_str!("listed.txt");
    let (v4, v6) = listed.split_once("# IPv6\n").expect("both families");
    assert_eq!(printed(v4, Family::V4), v4);
    assert_eq!(printed(v6, Family::V6), v6);
}

#[test]
fn other_words_for_extensions_are_read() {
    for (table, written, wanted) in [
        ("mangle", "-A U -j CONNMARK --set-mark 0x55/0x0f", "-A U -j CONNMARK --set-xmark 0x55/0x5f"),
        (
            "mangle",
            "-A U -j CONNMARK --save-mark",
            "-A U -j CONNMARK --save-mark --nfmask 0xffffffff --ctmask 0xffffffff",
        ),
        ("mangle", "-A U -j TOS --and-tos 0x0f", "-A U -j TOS --set-tos 0x00/0xf0"),
        (
            "mangle",
            "-A U -m tos --tos Minimize-Delay -j TOS --set-tos 0x10",
            "-A U -m tos --tos 0x10/0x3f -j TOS --set-tos 0x10/0xff",
        ),
        (
            "filter",
            "-A U -m limit -j LOG --log-level error",
            "-A U -m limit --limit 3/hour -j LOG --log-level 3",
        ),
        (
            "filter",
            "-A U -m conntrack --ctproto tcp ! --ctstate NEW",
            "-A U -m conntrack ! --ctstate NEW --ctproto 6",
        ),
        (
            "filter",
            "-A U -m connbytes --connbytes 5 --connbytes-dir both --connbytes-mode packets",
            "-A U -m connbytes --connbytes 5 --connbytes-mode packets --connbytes-dir both",
        ),
        (
            "filter",
            "-A U -m connbytes ! --connbytes 5:9 --connbytes-dir reply --connbytes-mode avgpkt",
            "-A U -m connbytes ! --connbytes 5:9 --connbytes-mode avgpkt --connbytes-dir reply",
        ),
        ("nat", "-A U -j NETMAP --to 11.0.0.1", "-A U -j NETMAP --to 11.0.0.1/32"),
    ] {
        assert_eq!(rule(table, written, Family::V4).as_deref(), Ok(wanted), "{written}");
    }
    for written in
        ["-A U -m conntrack ! --ctdir REPLY", "-A U -j TCPMSS --set-mss 5", "-A U -m limit --limit 0/sec"]
    {
        assert!(
            rule("filter", written, Family::V4).is_err_and(|error| error.starts_with("rule-syntax")),
            "{written}"
        );
    }
}

#[test]
fn a_tcp_option_is_asked_for_by_its_number() {
    for (written, listed) in [
        ("-A U -p tcp --tcp-option 4", "-A U -p tcp -m tcp --tcp-option 4"),
        (
            "-A U -p tcp -m tcp --syn --dport 80 ! --tcp-option 2 -j DROP",
            "-A U -p tcp -m tcp --dport 80 ! --tcp-option 2 --tcp-flags FIN,SYN,RST,ACK SYN -j DROP",
        ),
    ] {
        assert_eq!(rule("filter", written, Family::V4).as_deref(), Ok(listed), "{written}");
    }
    for wrong in ["0", "256", "mss"] {
        let written = format!("-A U -p tcp -m tcp --tcp-option {wrong}");
        let error = rule("filter", &written, Family::V4).unwrap_err();
        assert!(error.contains(&format!("--tcp-option: {wrong:?} is not between 1 and 255")), "{error}");
    }
}

#[test]
fn a_quota_is_a_number_of_bytes() {
    for listed in ["-A U -m quota --quota 1000 -j ACCEPT", "-A U -m quota ! --quota 18446744073709551615"] {
        assert_eq!(rule("filter", listed, Family::V4).as_deref(), Ok(listed));
    }
    let error = rule("filter", "-A U -m quota --quota 1k", Family::V4).unwrap_err();
    assert!(error.contains("--quota: \"1k\" is not a number of bytes below 2^64"), "{error}");
}
