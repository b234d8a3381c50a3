use proptest::prelude::*;
use serde_json::{Value, json};

use super::run_resolver;

fn row(libc: &str, name: &str, options: &[&str]) -> Value {
    json!({
        "libc": libc, "hosts": ["192.0.2.7 Host.test host", "2001:db8::7 six"],
        "resolvConf": {"nameservers": ["127.0.0.1"], "search": ["shop.svc.test", "svc.test"], "options": options},
        "call": {"name": name, "family": "unspec", "flags": ["canonname"]},
        "server": {"records": [
            "web.shop.svc.test. 5 IN A 10.96.0.1", "other.shop.svc.test. 5 IN CNAME web.shop.svc.test.",
        ], "special": {}},
    })
}

fn steps(row: &Value) -> usize {
    run_resolver(row).unwrap()["steps"].as_array().unwrap().len()
}

#[test]
fn a_short_name_is_found_at_the_first_domain() {
    for libc in ["glibc", "musl"] {
        let got = run_resolver(&row(libc, "web", &["ndots:5"])).unwrap();
        assert_eq!(got["steps"], json!([["web.shop.svc.test. A udp", "web.shop.svc.test. AAAA udp"]]));
        let result = json!({"error": null, "addresses": ["10.96.0.1"], "canonical": "web.shop.svc.test"});
        assert_eq!(got["result"], result);
        let alias = run_resolver(&row(libc, "other", &["ndots:5"])).unwrap();
        assert_eq!(alias["result"]["canonical"], "web.shop.svc.test");
    }
}

#[test]
fn a_name_with_enough_dots_is_asked_as_it_is() {
    assert_eq!(steps(&row("musl", "a.b", &["ndots:1"])), 1, "musl leaves the list out");
    assert_eq!(steps(&row("glibc", "a.b", &["ndots:1"])), 3);
}

#[test]
fn hosts_come_before_servers() {
    for libc in ["glibc", "musl"] {
        let got = run_resolver(&row(libc, "host", &[])).unwrap();
        let result = json!({"error": null, "addresses": ["192.0.2.7"], "canonical": "Host.test"});
        assert_eq!((&got["steps"], &got["result"]), (&json!([]), &result));
    }
    assert_eq!(steps(&row("glibc", "HOST", &[])), 0, "in any case");
    assert!(steps(&row("musl", "HOST", &[])) > 0, "as it is written");
}

#[test]
fn glibc_asks_one_after_the_other_if_told_so() {
    let got = run_resolver(&row("glibc", "web", &["single-request"])).unwrap();
    assert_eq!(got["steps"], json!([["web.shop.svc.test. A udp"], ["web.shop.svc.test. AAAA udp"]]));
    assert_eq!(
        run_resolver(&row("glibc", "web", &["use-vc"])).unwrap()["steps"][0][1],
        "web.shop.svc.test. AAAA tcp"
    );
}

proptest! {
    #[test]
    fn every_walk_ends(
        libc in prop::sample::select(vec!["glibc", "musl"]),
        family in prop::sample::select(vec!["unspec", "inet", "inet6"]),
        flags in prop::collection::vec(prop::sample::select(vec!["canonname", "addrconfig", "v4mapped"]), 0..3),
        name in "[a-zA-Z0-9._:é-]{0,12}",
        servers in prop::collection::vec(prop::sample::select(vec!["127.0.0.1", "127.0.0.2"]), 0..5),
        options in prop::collection::vec(prop::sample::select(vec![
            "ndots:0", "ndots:2", "ndots:99", "attempts:0", "attempts:9", "single-request", "single-request-reopen",
            "use-vc", "edns0", "no-aaaa", "no-tld-query", "rotate", "ndots:x",
        ]), 0..4),
        special in prop::collection::btree_map(
            prop::sample::select(vec!["*", "web.shop.svc.test.", "web.shop.svc.test. AAAA", "web. A"]),
            prop::sample::select(vec![
                "NODATA", "NXDOMAIN", "SERVFAIL", "REFUSED", "FORMERR", "NOTIMP", "DROP", "TC",
            ]), 0..4),
    ) {
        let name = if name.len() % 3 == 0 { "web".to_owned() } else { name };
        let mut row = row(libc, &name, &options);
        row["call"] = json!({"name": name, "family": family, "flags": flags});
        row["resolvConf"]["nameservers"] = json!(servers);
        row["server"]["special"] = json!(special);
        let got = run_resolver(&row).unwrap();
        prop_assert!(steps(&row) <= 400, "{}", got);
        let is_found = !got["result"]["addresses"].as_array().unwrap().is_empty();
        prop_assert_eq!(is_found, got["result"]["error"].is_null());
    }
}
