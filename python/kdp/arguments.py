"""Checks of arguments: a fault names the function, the argument, what was found and what is allowed."""

from __future__ import annotations

import difflib
import ipaddress
from collections.abc import Iterable, Mapping
from typing import TypeVar

from kdp.errors import UsageError

__all__ = ["bad_argument", "check_choice", "check_ip", "check_labels", "check_name", "check_port", "nearest"]

V = TypeVar("V")

LIKE = 0.5
"""From this likeness on (0 to 1) a name counts as near."""


def bad_argument(place: str, fault: str) -> UsageError:
    """Give the error of one argument; ``place`` is like ``kdp.Service(ports=...)``."""
    return UsageError("argument-invalid", f"{place}: {fault}")


def check_name(place: str, name: object) -> str:
    """Check that a name is a text that is not empty; its letters are the loader's to check."""
    if not isinstance(name, str) or not name:
        raise bad_argument(place, f"a name is a text that is not empty, not {name!r}")
    return name


def check_port(place: str, port: object) -> int:
    """Check a port number."""
    if isinstance(port, bool) or not isinstance(port, int):
        raise bad_argument(place, f"a port is a whole number, not {port!r}")
    if not 1 <= port <= 65535:
        raise bad_argument(place, f"port {port} is outside 1..=65535")
    return port


def check_ip(place: str, text: object) -> str:
    """Check an address of either family, and give it in its usual form."""
    try:
        return str(ipaddress.ip_address(str(text)))
    except ValueError:
        raise bad_argument(place, f"{text!r} is no IP address") from None


def check_choice(place: str, value: V, allowed: Iterable[V]) -> V:
    """Check that a value is one of those allowed; the message has the nearest."""
    choices = list(allowed)
    if value not in choices:
        listed = ", ".join(str(choice) for choice in choices)
        raise bad_argument(place, f"{value!r} is not one of {listed}")
    return value


def check_labels(place: str, labels: Mapping[str, str] | None) -> dict[str, str]:
    """Check that labels are texts by text; their letters are the loader's to check."""
    if labels is None:
        return {}
    if not isinstance(labels, Mapping):
        raise bad_argument(place, f'labels are a mapping such as {{"app": "web"}}, not {labels!r}')
    for key, value in labels.items():
        if not isinstance(key, str) or not isinstance(value, str):
            raise bad_argument(place, f"label {key!r}: {value!r} is not a text for a text; quote numbers")
    return dict(labels)


def nearest(name: str, names: Iterable[str], count: int = 3) -> list[str]:
    """Give the names that look most like the one that was not found, best first, equal ones in their order."""
    matcher = difflib.SequenceMatcher()
    matcher.set_seq2(name)
    found: dict[str, float] = {}
    for each in names:
        matcher.set_seq1(each)
        # The cheap bounds come first: there may be a hundred thousand names.
        if matcher.real_quick_ratio() >= LIKE and matcher.quick_ratio() >= LIKE:
            found[each] = matcher.ratio()
    near = [each for each, likeness in found.items() if likeness >= LIKE]
    return sorted(near, key=lambda each: -found[each])[:count]
