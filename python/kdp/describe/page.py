"""A page of ``describe``: lines with their levels, and what several kinds write alike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from email.utils import format_datetime
from typing import Any

from kdp.columns.column import age_of
from kdp.describe.tabwriter import aligned

__all__ = ["Json", "Page", "moment_text"]

Json = Mapping[str, Any]
ANNOTATION_MAX = 140
SKIPPED = ("kubectl.kubernetes.io/last-applied-configuration",)
NEVER = "Mon, 01 Jan 0001 00:00:00 +0000"


class Page:
    """Lines, in parts that are aligned each by itself. ``now`` is the moment that ages count to."""

    def __init__(self, now: datetime | None) -> None:
        self.now = now
        self._parts: list[list[str]] = [[]]

    def write(self, text: str, level: int = 0) -> None:
        """Write a line; tabs end cells."""
        self._parts[-1].append("  " * level + text)

    def begin_part(self) -> None:
        """End the columns."""
        self._parts.append([])

    def text(self) -> str:
        """Give the page."""
        return "".join(aligned(part) for part in self._parts)

    def listed(self, title: str, items: Sequence[str], indent: str = "") -> None:
        """Write a title and its items below each other."""
        for at, item in enumerate(items or ["<none>"]):
            self.write(f"{indent}{title}:\t{item}" if at == 0 else f"{indent}\t{item}")

    def labels(self, title: str, labels: Json | None, indent: str = "") -> None:
        """Write labels, by key."""
        self.listed(title, [f"{key}={value}" for key, value in sorted((labels or {}).items())], indent)

    def annotations(self, title: str, annotations: Json | None) -> None:
        """Write annotations, by key, long ones cut below their key."""
        found = {key: str(value) for key, value in sorted((annotations or {}).items()) if key not in SKIPPED}
        items: list[str] = []
        for key, whole in found.items():
            value = whole.removesuffix("\n")
            if len(value) + len(key) + 2 > ANNOTATION_MAX or "\n" in value:
                items += [f"{key}:", *(f"  {_shortened(line)}" for line in value.split("\n"))]
            else:
                items.append(f"{key}: {value}")
        self.listed(title, items)

    def head(self, manifest: Json) -> None:
        """Write what most pages begin with."""
        meta = manifest["metadata"]
        self.write(f"Name:\t{meta['name']}")
        self.write(f"Namespace:\t{meta.get('namespace', '')}")

    def labelled(self, manifest: Json) -> None:
        """Write the labels and annotations of an object."""
        self.labels("Labels", manifest["metadata"].get("labels"))
        self.annotations("Annotations", manifest["metadata"].get("annotations"))

    def events(self, events: Iterable[Json]) -> None:
        """Write the events of an object, the latest last."""
        found = sorted(events, key=_last_seen)
        if not found:
            self.write("Events:\t<none>")
            return
        self.begin_part()
        self.write("Events:")
        self.write("Type\tReason\tAge\tFrom\tMessage", 1)
        self.write("----\t------\t----\t----\t-------", 1)
        for each in found:
            cells = [
                each.get("type", ""),
                each.get("reason", ""),
                self._seen(each),
                _source(each),
                _message(each),
            ]
            self.write("\t".join(cells), 1)

    def _seen(self, event: Json) -> str:
        first = age_of(event.get("eventTime") or event.get("firstTimestamp"), self.now)
        series = event.get("series")
        if series:
            return (
                f"{age_of(series.get('lastObservedTime'), self.now)} (x{series.get('count', 0)} over {first})"
            )
        if (event.get("count") or 0) > 1:
            return f"{age_of(event.get('lastTimestamp'), self.now)} (x{event['count']} over {first})"
        return first


def moment_text(moment: str | None) -> str:
    """Write a time as RFC 1123 with a numeric zone; Go's zero time where there is none."""
    return format_datetime(datetime.fromisoformat(moment)) if moment else NEVER


def _last_seen(event: Json) -> str:
    # Source: kubectl pkg/util/event/sorted_event_list.go.
    series = event.get("series") or {}
    return str(series.get("lastObservedTime") or event.get("lastTimestamp") or event.get("eventTime") or "")


def _source(event: Json) -> str:
    return str((event.get("source") or {}).get("component") or event.get("reportingComponent") or "")


def _message(event: Json) -> str:
    message = str(event.get("message") or "").strip()
    path = (event.get("involvedObject") or {}).get("fieldPath")
    return f"{path}: {message}" if path else message


def _shortened(text: str) -> str:
    limit = ANNOTATION_MAX - 2
    return f"{text[:limit]}..." if len(text) > limit else text
