"""What of a text of rules is not modelled: the whole list, as the core gives it."""

import json

import pytest
from kdp import _core
from kdp.errors import UsageError

SAVED = "*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -m cluster -j LED\n-A INPUT -j ACCEPT\nCOMMIT\n"


def test_the_kind_is_seen_and_every_part_of_a_rule_is_told() -> None:
    told = json.loads(_core.rules_support("auto", SAVED, "node.save"))
    assert told["kind"] == "iptables"
    assert [(finding["line"], finding["code"], finding["message"]) for finding in told["findings"]] == [
        (3, "rule-match-not-modelled", 'node.save:3: match "cluster" is not modelled'),
        (3, "rule-target-not-modelled", 'node.save:3: target "LED" is not modelled'),
    ]
    assert told["findings"][0]["text"] == "-A INPUT -m cluster -j LED"


def test_a_kind_that_is_asked_for_is_taken() -> None:
    told = json.loads(_core.rules_support("nft", "table ip t { chain c { accept; } }", "-"))
    assert told == {"kind": "nft", "findings": []}
    with pytest.raises(UsageError):
        _core.rules_support("ebtables", "", "-")
