"""Sets of ipset: loaded before the rules that ask for them, and asked by packets."""

import json

import pytest
from kdp import Host, _core
from kdp.errors import RuleError

SETS = "create bad hash:net timeout 60\nadd bad 10.1.0.0/16\nadd bad 10.1.2.3 nomatch timeout 0\n"
RULES = "*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -m set --match-set bad src -j DROP\nCOMMIT\n"


def box() -> Host:
    return Host({"devs": {"eth0": ["10.1.0.1/16"]}})


def verdict(host: Host, src: str) -> str:
    return host.packet(f"udp {src}:4000 > 10.1.0.1:53", device="eth0").verdict


def test_packets_of_a_set_are_dropped_until_the_timeout() -> None:
    host = box()
    host.load_rules(SETS, tool="ipset")
    host.load_rules(RULES)
    assert verdict(host, "10.1.9.9") == "drop"
    assert verdict(host, "10.1.2.3") == "local"
    host.advance(61_000_000_000)
    assert verdict(host, "10.1.9.9") == "local"
    assert host.rules(tool="ipset").splitlines()[1:] == ["add bad 10.1.2.3 timeout 0 nomatch"]


def test_a_rule_that_asks_for_a_set_that_is_not_there_is_refused() -> None:
    host = box()
    with pytest.raises(RuleError, match="chain INPUT: set bad does not exist") as caught:
        host.load_rules(RULES)
    assert caught.value.code == "ipset-unknown-set"
    assert "bad" not in host.rules()


def test_everything_that_is_not_modelled_in_a_text_is_told() -> None:
    told = json.loads(_core.rules_support("auto", "create a hash:mac\ncreate b hash:ip skbinfo\n", "s.ipset"))
    assert told["kind"] == "ipset"
    assert [finding["line"] for finding in told["findings"]] == [1, 2]
