"""Relabelling: what a list of rules makes of a set of labels.

Source: Prometheus 3.14, model/relabel/relabel.go.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from kdp.errors import ValidationError
from kdp.prometheus.regex import BadPatternError, anchored, expand

__all__ = ["ACTIONS", "Labels", "Rule", "apply", "rule"]

Labels = dict[str, str]
ACTIONS = (
    *("replace", "keep", "drop", "keepequal", "dropequal", "hashmod"),
    *("labelmap", "labeldrop", "labelkeep", "lowercase", "uppercase"),
)
WRITES = ("replace", "hashmod", "lowercase", "uppercase", "keepequal", "dropequal")


@dataclass(frozen=True, slots=True)
class Rule:
    """One relabel rule with its defaults filled in."""

    action: str
    source_labels: tuple[str, ...]
    separator: str
    regex: re.Pattern[str]
    target_label: str
    replacement: str
    modulus: int


def rule(config: Mapping[str, Any]) -> Rule:
    """Read a rule of ``relabel_configs``.

    Raises ``ValidationError`` (``value-not-allowed``) for a rule that Prometheus refuses to load.
    """
    action = str(config.get("action") or "replace").lower()
    if action not in ACTIONS:
        raise _refused("action", action, f"one of {', '.join(ACTIONS)}")
    target, modulus = text(config.get("target_label", "")), int(config.get("modulus") or 0)
    if action in WRITES and not target:
        raise _refused("target_label", target, f"a label name, which {action} needs")
    if action == "hashmod" and modulus <= 0:
        raise _refused("modulus", modulus, "at least 1")
    try:
        regex = anchored(text(config.get("regex", "(.*)")))
    except BadPatternError as error:
        raise _refused("regex", error, "a regular expression in RE2's syntax") from error
    return Rule(
        action,
        tuple(text(each) for each in config.get("source_labels") or ()),
        text(config.get("separator", ";")),
        regex,
        target,
        text(config.get("replacement", "$1")),
        modulus,
    )


def text(value: object) -> str:
    """Write a scalar as YAML would read it into a text field: ``regex: true`` is the text true."""
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


def apply(rules: Iterable[Rule], labels: Mapping[str, str]) -> tuple[Labels, int | None]:
    """Give the labels after the rules, and the index of the rule that dropped them, if one did.

    A label whose value is empty is no label, before and after.
    """
    found = {name: value for name, value in labels.items() if value}
    for index, each in enumerate(rules):
        if not _step(each, found):
            return found, index
    return found, None


def _step(each: Rule, labels: Labels) -> bool:
    """Change the labels in place; False where the rule drops them."""
    value = each.separator.join(labels.get(name, "") for name in each.source_labels)
    match each.action:
        case "keep":
            return each.regex.fullmatch(value) is not None
        case "drop":
            return each.regex.fullmatch(value) is None
        case "keepequal":
            return labels.get(each.target_label, "") == value
        case "dropequal":
            return labels.get(each.target_label, "") != value
    _write(each, value, labels)
    return True


def _write(each: Rule, value: str, labels: Labels) -> None:
    match each.action:
        case "replace":
            _replace(each, value, labels)
        case "hashmod":
            # The last eight bytes, big endian. Source: Prometheus 3.14, relabel.go, HashMod.
            digest = hashlib.md5(value.encode(), usedforsecurity=False).digest()
            _set(labels, each.target_label, str(int.from_bytes(digest[8:]) % each.modulus))
        case "lowercase":
            _set(labels, each.target_label, "".join(character.lower()[0] for character in value))
        case "uppercase":
            _set(labels, each.target_label, "".join(_upper(character) for character in value))
        case "labelmap":
            _map(each, labels)
        case "labeldrop":
            _only(labels, [name for name in labels if not each.regex.fullmatch(name)])
        case "labelkeep":
            _only(labels, [name for name in labels if each.regex.fullmatch(name)])


def _replace(each: Rule, value: str, labels: Labels) -> None:
    found = each.regex.fullmatch(value)
    if found is None:
        return
    target = expand(each.target_label, found)
    if target:
        _set(labels, target, expand(each.replacement, found))


def _map(each: Rule, labels: Labels) -> None:
    """Copy labels to names made of theirs; names are read before the first is written."""
    for name, value in sorted(labels.items()):
        found = each.regex.fullmatch(name)
        if found and (target := expand(each.replacement, found)):
            _set(labels, target, value)


def _set(labels: Labels, name: str, value: str) -> None:
    if value:
        labels[name] = value
    else:
        labels.pop(name, None)


def _only(labels: Labels, names: list[str]) -> None:
    for name in set(labels) - set(names):
        del labels[name]


def _upper(character: str) -> str:
    """Map one character to one, as Go does: the German sharp s stays."""
    upper = character.upper()
    return upper if len(upper) == 1 else character


def _refused(field: str, found: object, allowed: str) -> ValidationError:
    return ValidationError("value-not-allowed", f"relabel rule .{field}: {found} is not {allowed}")
