"""Time that runs: workloads move Pods, scripts act, controllers of one's own look on.

A cluster that is loaded stands still. ``run`` lets time pass: from then on Deployments make Pods, kubelets start and
end them, nodes that are lost are found out. A controller of one's own sees each change at its time, and may write.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from kdp.actions import Action, perform, read_steps
from kdp.durations import duration_text, parse_duration
from kdp.errors import UsageError
from kdp.kinds import find_kind
from kdp.objects import Manifest

if TYPE_CHECKING:
    from kdp import _core
    from kdp.cluster import Cluster

__all__ = ["Event", "Running"]


class Event(NamedTuple):
    """A change of an object, as a watch tells it: ``ADDED``, ``MODIFIED`` or ``DELETED``, at nanoseconds."""

    type: str
    at: int
    object: Manifest
    before: Manifest | None


Handler = Callable[[Event], object]


class Running:
    """What a cluster does in time."""

    core: _core.Cluster

    def run(self, *, until: str | float, script: Iterable[Action] = ()) -> None:
        """Let time run until ``until`` (since the start); ``script`` has actions with their times.

        A Deployment without Pods gets some from the first run on.
        """
        for _ in self.events((), until=until, script=script):
            pass

    def at(self, time: str | float, act: Action | Callable[[], object]) -> None:
        """Do something at a virtual time: an action, or a function."""
        nanos = parse_duration("Cluster.at", time)
        if nanos < self.core.now():
            raise UsageError("time-goes-back", f"Cluster.at: it is {duration_text(self.core.now())} already")
        self._plans.append((nanos, act))

    def on(self, kinds: str, handler: Handler) -> None:
        """Call a function at each change of objects of the kinds (``pods,svc``) while time runs."""
        for kind in kinds.split(","):
            self._handlers.setdefault(find_kind(kind).kind, []).append(handler)

    def events(
        self, kinds: Iterable[str], *, until: str | float, script: Iterable[Action] = ()
    ) -> Iterable[Event]:
        """Let time run, and give each change of objects of the kinds as it comes."""
        end = parse_duration("Cluster.run(until=...)", until)
        if end < self.core.now():
            raise UsageError(
                "time-goes-back",
                f"Cluster.run(until={until!r}): it is {duration_text(self.core.now())} already",
            )
        asked = {find_kind(kind).kind for kind in kinds}
        plans: list[tuple[int, Action | Callable[[], object]]] = [*self._plans, *read_steps(list(script))]
        self._plans.clear()
        for at, plan in sorted(plans, key=lambda each: each[0]):
            if at > end:
                self._plans.append((at, plan))
                continue
            yield from self._until(max(at, self.core.now()), asked)
            if callable(plan):
                plan()
            else:
                self._act(plan)
        yield from self._until(end, asked)

    def _until(self, end: int, asked: set[str]) -> Iterable[Event]:
        kinds = sorted(asked | set(self._handlers))
        if not kinds:
            self.core.run(end)
            self.forget_names()
            return
        while seen := json.loads(self.core.watch(end, kinds)):
            self.forget_names()
            for change in seen:
                before = Manifest(change["before"]) if change["before"] else None
                event = Event(change["type"], change["at"], Manifest(change["object"]), before)
                for handler in self._handlers.get(event.object["kind"], ()):
                    handler(event)
                if event.object["kind"] in asked:
                    yield event

    def forget_names(self) -> None:
        """Forget what was read of the objects: they have changed."""
        self.__dict__.pop("endpoint_names", None)

    def scale(self, name: str, replicas: int) -> None:
        """Give a workload (``deploy/web``) another number of Pods."""
        self._act({"scale": name, "replicas": replicas})

    def rollout(
        self,
        name: str,
        *,
        image: str | None = None,
        surge: int | str | None = None,
        unavailable: int | str | None = None,
    ) -> None:
        """Make a workload's Pods anew, with another image if one is given."""
        given = {"image": image, "surge": surge, "unavailable": unavailable}
        self._act({"rollout": name, **{key: value for key, value in given.items() if value is not None}})

    def undo(self, name: str, *, revision: int | None = None) -> None:
        """Go back to a Deployment's template before, or to that of a revision."""
        self._act({"undo": name, **({} if revision is None else {"revision": revision})})

    def pause(self, name: str, *, paused: bool = True) -> None:
        """Let a Deployment's changes wait, or go on."""
        self._act({"pause" if paused else "resume": name})

    def cordon(self, node: str, *, cordoned: bool = True) -> None:
        """Let a node take no new Pods, or take them again."""
        self._act({"cordon" if cordoned else "uncordon": node})

    def drain(self, node: str, *, force: bool = False) -> None:
        """Cordon a node and evict its Pods, but those of DaemonSets."""
        self._act({"drain": node, "force": force})

    def lose(self, node: str) -> None:
        """Cut a node off: its kubelet is silent and no packet comes to it or from it."""
        self._act({"lose": node})

    def find(self, node: str) -> None:
        """Bring a lost node back."""
        self._act({"find": node})

    def set_ready(self, pod: str, *, ready: bool) -> None:
        """Let the readiness probes of ``pod/NAME`` succeed or fail."""
        self._act({"ready" if ready else "unready": pod})

    def label(self, name: str, labels: Mapping[str, str | None]) -> None:
        """Set labels of an object; ``None`` takes one away."""
        self._act({"label": name, "labels": dict(labels)})

    def select(self, service: str, selector: Mapping[str, str]) -> None:
        """Replace a Service's selector."""
        self._act({"select": service, "selector": dict(selector)})

    def _act(self, action: Action) -> None:
        perform(cast("Cluster", self), action)

    @property
    def _plans(self) -> list[tuple[int, Any]]:
        plans: list[tuple[int, Any]] = self.__dict__.setdefault("_plans_kept", [])
        return plans

    @property
    def _handlers(self) -> dict[str, list[Handler]]:
        handlers: dict[str, list[Handler]] = self.__dict__.setdefault("_handlers_kept", {})
        return handlers
