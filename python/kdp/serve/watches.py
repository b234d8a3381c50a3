"""Who waits for which changes."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kdp import _core

__all__ = ["Waiters"]

Place = tuple[str, str | None]
"""A kind, and a namespace or ``None`` for all of them."""


class Waiters:
    """The open watches by the place that they are of.

    A change wakes those of its kind and namespace and those of its kind in all namespaces, and nobody else: ten
    thousand watches of a thousand namespaces cost a change what the ten of its namespace cost.
    """

    def __init__(self, api: _core.Api) -> None:
        self._api = api
        self._seen = api.touched(0)[0]
        self._events: defaultdict[Place, set[asyncio.Event]] = defaultdict(set)

    def __len__(self) -> int:
        return sum(len(events) for events in self._events.values())

    def add(self, place: Place) -> asyncio.Event:
        """Begin to wait at a place."""
        event = asyncio.Event()
        self._events[place].add(event)
        return event

    def remove(self, place: Place, event: asyncio.Event) -> None:
        """Cease to wait."""
        self._events[place].discard(event)
        if not self._events[place]:
            del self._events[place]

    def wake(self) -> None:
        """Wake those whom the changes since the last time concern."""
        self._seen, touched = self._api.touched(self._seen)
        for kind, namespace in touched:
            for place in {(kind, namespace), (kind, None)}:
                for event in self._events.get(place, ()):
                    event.set()

    def wake_all(self) -> None:
        """Wake everybody: the server ends."""
        for events in self._events.values():
            for event in events:
                event.set()
