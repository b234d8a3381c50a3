"""What a write of an EndpointSlice or of Endpoints changed, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["changes"]

TRIGGER_TIME = "endpoints.kubernetes.io/last-change-trigger-time"
Json = Mapping[str, Any]


def changes(before: Json | None, after: Json | None) -> str:
    """Say what changed: endpoints that came, went, or are otherwise; labels, ports."""
    old, new = _endpoints(before or {}), _endpoints(after or {})
    words = [f"+{name} {new[name]}" for name in new if name not in old]
    words += [f"-{name}" for name in old if name not in new]
    words += [f"{name} {old[name]} > {new[name]}" for name in new if name in old and old[name] != new[name]]
    if before and after:
        words += [
            f"{part} changed" for part in ("ports", "hints") if _part(before, part) != _part(after, part)
        ]
        words += [
            f"{part} changed"
            for part in ("labels", "annotations")
            if _words(before, part) != _words(after, part)
        ]
    return ", ".join(words) or ("no endpoints" if not new else "nothing")


def _endpoints(written: Json) -> dict[str, str]:
    """Give the state of each address, by address and Pod."""
    return dict([*_of_slice(written), *_of_endpoints(written)])


def _of_slice(written: Json) -> Iterator[tuple[str, str]]:
    for endpoint in written.get("endpoints") or []:
        conditions = endpoint.get("conditions") or {}
        state = "ready" if conditions.get("ready", True) else "not ready"
        if conditions.get("terminating"):
            state = "terminating, serving" if conditions.get("serving") else "terminating"
        for address in endpoint["addresses"]:
            yield _named(address, endpoint), state


def _of_endpoints(written: Json) -> Iterator[tuple[str, str]]:
    for subset in written.get("subsets") or []:
        for part, state in (("addresses", "ready"), ("notReadyAddresses", "not ready")):
            for address in subset.get(part) or []:
                yield _named(address["ip"], address), state


def _named(address: str, endpoint: Json) -> str:
    target = (endpoint.get("targetRef") or {}).get("name")
    return f"{address} ({target})" if target else address


def _words(written: Json, part: str) -> dict[str, str]:
    """Give labels or annotations, but for the time that nearly every write changes."""
    own = written["metadata"].get(part) or {}
    return {key: value for key, value in own.items() if key != TRIGGER_TIME}


def _part(written: Json, part: str) -> object:
    if part == "hints":
        return [endpoint.get("hints") for endpoint in written.get("endpoints") or [] if endpoint.get("hints")]
    return written.get(part)
