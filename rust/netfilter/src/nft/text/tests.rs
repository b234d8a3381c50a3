//! Texts that are read and printed. `listing.nft` is what `nft list ruleset` printed of a ruleset in a kernel.

use kdp_sim::Time;

use super::{load, print};
use crate::Error;
use crate::nft::Ruleset;

fn loaded(text: &str) -> Ruleset {
    let mut ruleset = Ruleset::new();
    load(&mut ruleset, text, "-", Time::ZERO).unwrap_or_else(|error| panic!("{error}"));
    ruleset
}

fn refused(text: &str) -> Error {
    load(&mut Ruleset::new(), text, "-", Time::ZERO).expect_err("the text is refused")
}

/// The rule as it is listed, of a chain of a table of a family.
fn listed(family: &str, base: &str, rule: &str) -> String {
    let text = format!(
        "table {family} t {{\n set s {{ type ipv4_addr; flags dynamic,timeout; }}\n chain u {{ }}\n chain c {{ {base}\n{rule}\n}}\n}}"
    );
    let printed = print(&loaded(&text));
    let lines: Vec<&str> = printed.lines().map(str::trim).collect();
    lines[lines.len() - 3].to_string()
}

#[test]
fn a_listing_reads_back_and_prints_the_same() {
    let text = include_str!("listing.nft");
    assert_eq!(print(&loaded(text)), text);
}

#[test]
fn other_spellings_are_listed_as_the_kernel_lists_them() {
    let cases = [
        (
            "mark and 0x4000 != 0 mark set mark xor 0x4000",
            "meta mark & 0x00004000 != 0x00000000 meta mark set meta mark ^ 0x00004000",
        ),
        ("meta mark set mark or 0x4000", "meta mark set meta mark | 0x00004000"),
        ("meta mark set mark and 0xff or 0x3", "meta mark set meta mark & 0x000000ff | 0x00000003"),
        ("tcp flags & (syn|ack|rst|fin) == syn drop", "tcp flags syn / fin,syn,rst,ack drop"),
        ("tcp flags & (syn | ack) != 0", "tcp flags syn,ack"),
        ("tcp flags & (syn | ack) == 0", "tcp flags ! syn,ack"),
        ("ct state new,established accept", "ct state established,new accept"),
        ("reject with icmp type port-unreachable", "reject"),
        ("reject with icmp type host-unreachable", "reject with icmp host-unreachable"),
        ("ip saddr 10.0.0.1-10.0.0.7", "ip saddr 10.0.0.1-10.0.0.7"),
        (
            "ip saddr { 10.128.0.0/9, 10.0.0.0/9, 1.1.1.1, 1.1.1.2 }",
            "ip saddr { 1.1.1.1-1.1.1.2, 10.0.0.0/8 }",
        ),
        ("ct expiration > 200", "ct expiration > 3m20s"),
        ("update @s { ip saddr timeout 90s }", "update @s { ip saddr timeout 1m30s }"),
        ("limit rate 10/second burst 5 packets", "limit rate 10/second"),
        ("quota over 2048 bytes", "quota over 2 kbytes"),
        ("log level info prefix \"x \" drop", "log prefix \"x \" level info drop"),
        ("log flags tcp sequence,options log group 2", "log flags tcp sequence,options log group 2"),
        ("log level warn", "log"),
        ("meta iif lo accept", "iif \"lo\" accept"),
        ("iif { lo, eth0 } oif != lo", "iif { \"lo\", \"eth0\" } oif != \"lo\""),
        (
            "jhash ip saddr . tcp sport mod 4 seed 0xabc offset 100 vmap { 100 : drop }",
            "jhash ip saddr . tcp sport mod 4 seed 0xabc offset 100 vmap { 100 : drop }",
        ),
    ];
    for (rule, wanted) in cases {
        assert_eq!(listed("ip", "", rule), wanted, "of {rule}");
    }
}

#[test]
fn translations_are_listed_as_the_kernel_lists_them() {
    let base = "type nat hook prerouting priority -100;";
    let cases = [
        ("ip", "tcp dport 5 dnat to 10.0.0.1:80", "tcp dport 5 dnat to 10.0.0.1:80"),
        ("ip", "dnat ip to 10.0.0.1", "dnat to 10.0.0.1"),
        (
            "ip",
            "meta l4proto tcp dnat ip addr . port to numgen random mod 1 map { 0 : 10.0.0.1 . 80 }",
            "meta l4proto tcp dnat ip to numgen random mod 1 map { 0 : 10.0.0.1 . 80 }",
        ),
        (
            "ip",
            "dnat to numgen inc mod 2 map { 0 : 10.0.0.1, 1 : 10.0.0.2 }",
            "dnat to numgen inc mod 2 map { 0 : 10.0.0.1, 1 : 10.0.0.2 }",
        ),
        ("ip6", "tcp dport 5 dnat to [fd00::1]:80-90", "tcp dport 5 dnat to [fd00::1]:80-90"),
        ("ip6", "dnat to fd00::1", "dnat to fd00::1"),
        ("inet", "dnat ip6 to fd00::1", "dnat ip6 to fd00::1"),
        (
            "ip",
            "tcp dport 5 redirect to :8080-8090 random,persistent",
            "tcp dport 5 redirect to :8080-8090 random,persistent",
        ),
    ];
    for (family, rule, wanted) in cases {
        assert_eq!(listed(family, base, rule), wanted, "of {rule}");
    }
}

#[test]
fn timeouts_of_connections_are_listed_in_the_order_of_their_states() {
    let text = "\
table ip t {
	ct timeout tt {
		protocol tcp
		l3proto ip
		policy = { syn_sent : 55, established : 777, close_wait : 3700, unack : 3 }
	}

	chain c {
		type filter hook prerouting priority mangle; policy accept;
		tcp dport 80 ct timeout set \"tt\"
	}
}
";
    assert_eq!(print(&loaded(text)), text);
    let other = "table ip t { ct timeout tt { protocol tcp; policy = { unack: 3, close_wait: 3700, \
                 established: 777, syn_sent : 55}; }; }\nadd chain ip t c { type filter hook prerouting priority mangle; }\n\
                 add rule ip t c tcp dport 80 ct timeout set tt";
    assert_eq!(print(&loaded(other)), text);
    assert!(
        refused("table ip t { ct timeout x { protocol udp; policy = { established : 1 }; }; }")
            .to_string()
            .ends_with("\"established\" is not one of unreplied, replied")
    );
}

#[test]
fn a_script_of_commands_makes_what_a_listing_shows() {
    let script = "\
        add table ip kube { comment \"rules\" ; }\n\
        add chain ip kube services\n\
        add chain ip kube nat-output { type nat hook output priority -100 ; comment \"out\" ; }\n\
        add set ip kube ips { type ipv4_addr ; comment \"them\" ; }\n\
        add map ip kube to { type ipv4_addr . inet_proto . inet_service : verdict ; }\n\
        add element ip kube ips { 10.0.0.1 }\n\
        add element ip kube to { 10.0.0.1 . tcp . 80 comment \"web\" : goto services }\n\
        add rule ip kube nat-output jump services\n\
        insert rule ip kube nat-output ip daddr @ips accept comment \"known\"\n\
        delete element ip kube ips { 10.0.0.1 }\n\
        flush chain ip kube services\n";
    let wanted = "\
table ip kube {
	comment \"rules\"
	set ips {
		type ipv4_addr
		comment \"them\"
	}

	map to {
		type ipv4_addr . inet_proto . inet_service : verdict
		elements = { 10.0.0.1 . tcp . 80 comment \"web\" : goto services }
	}

	chain services {
	}

	chain nat-output {
		comment \"out\"
		type nat hook output priority -100; policy accept;
		ip daddr @ips accept comment \"known\"
		jump services
	}
}
";
    assert_eq!(print(&loaded(script)), wanted);
}

#[test]
fn what_is_not_modelled_is_named_with_its_line() {
    let cases = [
        (
            "table ip t {\n chain c {\n  symhash mod 2 vmap { 0 : drop }\n }\n}",
            "-:3: expression \"symhash\" is not modelled",
        ),
        ("table ip t {\n ct helper x { }\n}", "-:2: expression \"ct helper\" is not modelled"),
        ("table bridge t { }", "-:1: expression \"table bridge\" is not modelled"),
        ("list ruleset", "-:1: expression \"list\" is not modelled"),
        (
            "add table ip t\nadd chain ip t c\nadd rule ip t c queue num 3",
            "-:3: expression \"queue\" is not modelled",
        ),
        (
            "add table ip t\nadd chain ip t c\nadd rule ip t c meta cpu 3",
            "-:3: expression \"meta cpu\" is not modelled",
        ),
    ];
    for (text, wanted) in cases {
        assert_eq!(refused(text).to_string(), wanted);
    }
    assert_eq!(refused("list ruleset").code(), "rule-expression-not-modelled");
}

#[test]
fn syntax_errors_say_the_line_and_what_is_wrong() {
    let cases = [
        (
            "add table ip t\nadd chain ip t c { type nat hook forward priority 0; }",
            "-:2: hook forward has no chains of type nat",
        ),
        (
            "add table ip t\nadd chain ip t c\nadd rule ip t c ip saddr fd00::1",
            "-:3: \"fd00::1\" is not an address of this family",
        ),
        ("add table ip t\nadd set ip t s { flags interval; }", "-:2: set s has no type"),
        (
            "add table ip t\nadd chain ip t c { policy drop; }",
            "-:2: a chain without type and hook has no policy",
        ),
        ("add table ip t\nadd rule ip t c \"open", "-:2: a quote is not closed"),
    ];
    for (text, wanted) in cases {
        let error = refused(text);
        assert_eq!((error.to_string().as_str(), error.code()), (wanted, "rule-syntax"), "of {text}");
    }
}

#[test]
fn errors_of_the_rule_set_name_the_line() {
    let error = refused("table ip t {\n chain a {\n  accept\n  jump b\n }\n}");
    assert_eq!(error.to_string(), "-:4: table ip t: chain b does not exist");
    assert_eq!(error.code(), "ruleset-unknown-chain");
}

#[test]
fn a_set_of_one_element_is_a_comparison() {
    // Each pair was checked against nftables v1.0.6.
    for (written, listed_as) in [
        ("iifname { lo } accept", "iifname \"lo\" accept"),
        ("ip saddr != { 10.0.0.0/8 } drop", "ip saddr != 10.0.0.0/8 drop"),
        ("tcp dport { 80-90 } accept", "tcp dport 80-90 accept"),
        ("tcp flags { syn | ack } accept", "tcp flags syn,ack accept"),
        ("tcp flags != { syn } accept", "tcp flags != syn accept"),
        ("ct state { new } accept", "ct state new accept"),
        ("ct state == { new } accept", "ct state == new accept"),
        ("meta mark & 0xff { 5 } accept", "meta mark & 0x000000ff == 0x00000005 accept"),
        ("ip saddr . tcp dport { 10.0.0.1 . 80 } accept", "ip saddr . tcp dport { 10.0.0.1 . 80 } accept"),
    ] {
        assert_eq!(listed("ip", "", written), listed_as, "{written}");
    }
}
