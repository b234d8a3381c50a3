"""Label selectors: the objects of the API, and the texts that a list request carries.

Source: k8s.io/apimachinery 0.35, pkg/apis/meta/v1 LabelSelectorAsSelector, pkg/labels/selector.go.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kdp.errors import UsageError

__all__ = ["Requirement", "accepts", "fault", "parse", "requirements", "text"]

Json = Mapping[str, Any]
NAME = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)")
PREFIX = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
SET = re.compile(r"(\S+)\s+(in|notin)\s*\(([^)]*)\)")
PAIR = re.compile(r"([^\s=!]+)\s*(==|=|!=)\s*(\S*)")
KEY = re.compile(r"(!?)\s*([^\s=!(),]+)")


@dataclass(frozen=True, slots=True)
class Requirement:
    """A key, an operator (``=``, ``In``, ``NotIn``, ``Exists``, ``DoesNotExist``) and values."""

    key: str
    operator: str
    values: tuple[str, ...]
    path: str = ""

    def accepts(self, labels: Mapping[str, str]) -> bool:
        """Tell whether labels meet the requirement."""
        match self.operator:
            case "Exists":
                return self.key in labels
            case "DoesNotExist":
                return self.key not in labels
            case "NotIn":
                return labels.get(self.key) not in self.values
        return self.key in labels and labels[self.key] in self.values


def requirements(selector: Json) -> list[Requirement]:
    """Give the requirements of a LabelSelector by key, each with the path it stands at."""
    pairs = selector.get("matchLabels") or {}
    found = [Requirement(key, "=", (str(value),), f"matchLabels.{key}") for key, value in pairs.items()]
    for index, each in enumerate(selector.get("matchExpressions") or ()):
        values = tuple(str(value) for value in each.get("values") or ())
        found.append(Requirement(each["key"], each["operator"], values, f"matchExpressions[{index}]"))
    return sorted(found, key=lambda each: each.key)


def accepts(selector: Json | None, labels: Mapping[str, str] | None) -> bool:
    """Tell whether a LabelSelector accepts labels: null accepts nothing, an empty one everything."""
    if selector is None:
        return False
    return all(each.accepts(labels or {}) for each in requirements(selector))


def fault(selector: Json | None) -> str | None:
    """Give the path of the first part that the API machinery refuses, or None."""
    for index, each in enumerate((selector or {}).get("matchExpressions") or ()):
        path = f"matchExpressions[{index}]"
        operator, values = each.get("operator"), each.get("values") or ()
        if operator not in ("In", "NotIn", "Exists", "DoesNotExist"):
            return f"{path}.operator"
        if bool(values) != (operator in ("In", "NotIn")):
            return f"{path}.values"
        if not _is_key(str(each.get("key", ""))):
            return f"{path}.key"
        if not all(_is_value(str(value)) for value in values):
            return f"{path}.values"
    for key, value in ((selector or {}).get("matchLabels") or {}).items():
        if not (_is_key(key) and _is_value(str(value))):
            return f"matchLabels.{key}"
    return None


def text(selector: Json) -> str:
    """Write a LabelSelector as a list request does: by key, values sorted."""
    return ",".join(_text(each) for each in requirements(selector))


def parse(written: str) -> list[Requirement]:
    """Read the text of a list request. Raises ``UsageError`` (``selector-syntax``)."""
    parts = [part.strip() for part in re.split(r",(?![^(]*\))", written)]
    return [_parsed(part) for part in parts if part]


def _parsed(part: str) -> Requirement:
    if found := SET.fullmatch(part):
        values = tuple(value.strip() for value in found[3].split(","))
        return Requirement(found[1], "In" if found[2] == "in" else "NotIn", values)
    if found := PAIR.fullmatch(part):
        return Requirement(found[1], "NotIn" if found[2] == "!=" else "=", (found[3],))
    if found := KEY.fullmatch(part):
        return Requirement(found[2], "DoesNotExist" if found[1] else "Exists", ())
    raise UsageError("selector-syntax", f"label selector {part!r} cannot be read")


def _text(each: Requirement) -> str:
    values: Sequence[str] = sorted(each.values)
    match each.operator:
        case "=":
            return f"{each.key}={values[0]}"
        case "Exists":
            return each.key
        case "DoesNotExist":
            return f"!{each.key}"
    return f"{each.key} {each.operator.lower()} ({','.join(values)})"


def _is_key(key: str) -> bool:
    prefix, slash, name = key.rpartition("/")
    return NAME.fullmatch(name) is not None and (
        not slash or (PREFIX.fullmatch(prefix) is not None and len(prefix) <= 253)
    )


def _is_value(value: str) -> bool:
    return not value or NAME.fullmatch(value) is not None
