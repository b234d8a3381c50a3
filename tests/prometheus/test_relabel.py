"""Relabelling by properties: what is accepted never fails, and what the rules leave unordered has no order."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from random import Random
from typing import Any

import kdp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kdp.prometheus import relabel
from kdp.prometheus.regex import BadPatternError, anchored, expand

NAMES = st.sampled_from(["a", "b", "__meta_a", "__meta_b_c", "job", "é"])
VALUES = st.text(alphabet="ab;.0\né", max_size=4)
LABELS = st.dictionaries(NAMES, VALUES, max_size=6)
PATTERNS = st.text(alphabet="ab.*+?()[]|^$\\;{1,}-:<Pn>dwsi\n", max_size=10)
TEMPLATES = st.text(alphabet="ab$1{}n_", max_size=6)
RULES = st.fixed_dictionaries(
    {},
    optional={
        "action": st.sampled_from([*relabel.ACTIONS, "Replace", "KEEP"]),
        "source_labels": st.lists(NAMES, max_size=3),
        "separator": VALUES,
        "regex": PATTERNS | st.booleans() | st.integers(0, 99),
        "target_label": TEMPLATES,
        "replacement": TEMPLATES,
        "modulus": st.integers(-1, 2**64),
    },
)


def accepted(configs: list[dict[str, Any]]) -> list[relabel.Rule]:
    """The rules that are accepted. Any other error than these two fails the test."""
    found = []
    for each in configs:
        with suppress(kdp.ValidationError, kdp.UnsupportedError):
            found.append(relabel.rule(each))
    return found


@given(st.lists(RULES, max_size=4), LABELS)
def test_an_accepted_rule_never_fails(configs: list[dict[str, Any]], labels: dict[str, str]) -> None:
    given_labels = dict(labels)
    rules = accepted(configs)
    found, dropped_by = relabel.apply(rules, labels)
    assert labels == given_labels, "the labels that were handed in are not changed"
    assert all(found.values()), "a label with an empty value is no label"
    assert dropped_by is None or rules[dropped_by].action in ("keep", "drop", "keepequal", "dropequal")


@given(st.lists(RULES, max_size=4), LABELS)
def test_the_order_of_labels_does_not_matter(configs: list[dict[str, Any]], labels: dict[str, str]) -> None:
    rules = accepted(configs)
    turned = dict(reversed(labels.items()))
    assert relabel.apply(rules, labels) == relabel.apply(rules, turned)


@given(st.lists(RULES, max_size=5), LABELS, st.randoms(use_true_random=False))
def test_rules_that_only_drop_can_stand_in_any_order(
    configs: list[dict[str, Any]], labels: dict[str, str], random: Random
) -> None:
    rules = [each for each in accepted(configs) if each.action in ("keep", "drop", "keepequal", "dropequal")]
    mixed = list(rules)
    random.shuffle(mixed)
    assert (relabel.apply(rules, labels)[1] is None) == (relabel.apply(mixed, labels)[1] is None)


@given(LABELS, st.integers(1, 50))
def test_shards_divide_targets(labels: dict[str, str], shards: int) -> None:
    """Each target is kept by one shard and no other. The hash is written out here once more."""
    config = {"action": "hashmod", "source_labels": ["a", "b"], "target_label": "h", "modulus": shards}
    found, _ = relabel.apply([relabel.rule(config)], labels)
    joined = f"{labels.get('a', '')};{labels.get('b', '')}"
    whole = int(hashlib.md5(joined.encode(), usedforsecurity=False).hexdigest(), 16)
    assert found["h"] == str(whole % 2**64 % shards)


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        ("web", "webs", False),
        ("a.b", "a\nb", True),
        ("a$", "a\n", False),
        (r"\d+", "٣", False),
        ("(?i)WEB|db", "wEb", True),
        ("x{,2}", "x{,2}", True),
        (r"[[:alpha:]]+\z", "ab", True),
        (r"\Qa.b\E+", "a.bb", True),
        (r"[]a]\x41", "]A", True),
        (r"(?P<n>a)|(?<m>b)", "b", True),
        ("", "", True),
    ],
)
def test_patterns_are_read_as_re2_does(pattern: str, text: str, matches: bool) -> None:
    assert (anchored(pattern).fullmatch(text) is not None) == matches


@pytest.mark.parametrize(
    "pattern", ["(", "a**", "a++", r"\1", "(?=a)", "(?!a)", "[b-a]", "x{1001}", r"\8", "a)", "["]
)
def test_patterns_that_re2_refuses_are_refused(pattern: str) -> None:
    with pytest.raises(BadPatternError):
        anchored(pattern)


@pytest.mark.parametrize("pattern", [r"\pL", "(?U)a+", "(?m:^a)", "a(?i)b", "[[:^alpha:]]"])
def test_patterns_that_are_not_modelled_are_named(pattern: str) -> None:
    with pytest.raises(kdp.UnsupportedError, match="not modelled"):
        anchored(pattern)


@pytest.mark.parametrize(
    ("template", "filled"),
    [
        ("$1-${2}", "a-b"),
        ("$1x", ""),
        ("${1}x", "ax"),
        ("$n", "b"),
        ("$$1", "$1"),
        ("$9", ""),
        ("${", "${"),
        ("$", "$"),
    ],
)
def test_templates_are_filled_as_go_does(template: str, filled: str) -> None:
    found = anchored("(a)(?P<n>b)").fullmatch("ab")
    assert found is not None
    assert expand(template, found) == filled
