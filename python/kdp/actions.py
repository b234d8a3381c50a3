"""What people do to a cluster, as data: ``kdp.scale("deploy/web", 5, at="10s")``.

An action is a mapping with one verb and what the verb needs, as a script writes it: ``{"scale": "deploy/web",
"replicas": 5, "at": "10s"}``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from kdp.arguments import nearest
from kdp.durations import parse_duration
from kdp.errors import UsageError
from kdp.kinds import find_kind
from kdp.objects import Manifest

if TYPE_CHECKING:
    from kdp.cluster import Cluster

__all__ = [
    "VERBS",
    "Action",
    "Step",
    "delete",
    "drain",
    "label",
    "lose",
    "perform",
    "read_steps",
    "restart_proxy",
    "rollout",
    "scale",
    "select",
    "set_ready",
]

Action = Mapping[str, Any]
"""One verb, what it needs, and perhaps ``at``."""

NODE_VERBS = {
    "cordon": ("cordon", {"cordoned": True}),
    "uncordon": ("cordon", {"cordoned": False}),
    "drain": ("drain", {}),
    "lose": ("lose", {"lost": True}),
    "find": ("lose", {"lost": False}),
    "restart-proxy": ("restart-proxy", {}),
}
OBJECT_VERBS = {
    "scale": ("scale", {}),
    "rollout": ("rollout", {}),
    "pause": ("pause", {"paused": True}),
    "resume": ("pause", {"paused": False}),
    "undo": ("undo", {}),
    "ready": ("ready", {"ready": True}),
    "unready": ("ready", {"ready": False}),
    "delete": ("delete", {}),
    "label": ("label", {}),
    "select": ("select", {}),
}
VERBS = ("apply", *OBJECT_VERBS, *NODE_VERBS)


class Step(NamedTuple):
    """An action and its virtual time in nanoseconds."""

    at: int
    action: Action


def scale(name: str, replicas: int, *, at: str | float = 0) -> Action:
    """Give a workload another number of Pods (``kubectl scale``)."""
    return {"at": at, "scale": name, "replicas": replicas}


def rollout(
    name: str,
    *,
    image: str | None = None,
    surge: int | str | None = None,
    unavailable: int | str | None = None,
    at: str | float = 0,
) -> Action:
    """Make a workload's Pods anew (``kubectl rollout restart``), with another image if one is given."""
    given = {"image": image, "surge": surge, "unavailable": unavailable}
    return {"at": at, "rollout": name, **{key: value for key, value in given.items() if value is not None}}


def drain(node: str, *, force: bool = False, at: str | float = 0) -> Action:
    """Cordon a node and evict its Pods (``kubectl drain --ignore-daemonsets``)."""
    return {"at": at, "drain": node, "force": force}


def lose(node: str, *, at: str | float = 0) -> Action:
    """Cut a node off: its kubelet is silent and no packet comes to it or from it."""
    return {"at": at, "lose": node}


def set_ready(pod: str, *, ready: bool, at: str | float = 0) -> Action:
    """Let a Pod's readiness probes succeed or fail from now on."""
    return {"at": at, "ready" if ready else "unready": pod}


def delete(name: str, *, at: str | float = 0) -> Action:
    """Delete an object; a Pod with its grace."""
    return {"at": at, "delete": name}


def label(name: str, labels: Mapping[str, str | None], *, at: str | float = 0) -> Action:
    """Set labels of an object; ``None`` takes one away."""
    return {"at": at, "label": name, "labels": dict(labels)}


def select(service: str, selector: Mapping[str, str], *, at: str | float = 0) -> Action:
    """Replace a Service's selector."""
    return {"at": at, "select": service, "selector": dict(selector)}


def restart_proxy(node: str | None = None, *, at: str | float = 0) -> Action:
    """Start kube-proxy anew on a node, or on each node that was asked for anything."""
    return {"at": at, "restart-proxy": node}


def read_steps(actions: list[Action]) -> list[Step]:
    """Read actions with their times, in order of time; raises ``time-invalid`` and ``action-refused``."""
    for place, action in enumerate(actions):
        _verb(f"step {place + 1}", action)
    steps = [
        Step(parse_duration(f"step {place + 1}: at", action.get("at", 0)), action)
        for place, action in enumerate(actions)
    ]
    return sorted(steps, key=lambda step: step.at)


def perform(cluster: Cluster, action: Action, *, namespace: str = "default") -> None:
    """Do an action now."""
    verb = _verb("action", action)
    if verb == "apply":
        cluster.put(Manifest(action["apply"]))
        return
    cluster.core.act(core_action(action, namespace=namespace, find=cluster.namespace_of))
    cluster.forget_names()


def core_action(
    action: Action, *, namespace: str = "default", find: Callable[[str, str], str] | None = None
) -> str:
    """Write an action in the core's form."""
    verb = _verb("action", action)
    rest = {key: value for key, value in action.items() if key not in (verb, "at")}
    if verb in NODE_VERBS:
        name, fixed = NODE_VERBS[verb]
        node = str(action[verb]).removeprefix("node/") if action[verb] is not None else None
        return json.dumps({"do": name, "node": node, **fixed, **rest})
    name, fixed = OBJECT_VERBS[verb]
    return json.dumps({"do": name, **_named(str(action[verb]), namespace, find), **fixed, **rest})


def _verb(place: str, action: object) -> str:
    if not isinstance(action, Mapping):
        raise UsageError(
            "action-refused", f"{place}: {action!r} is no mapping with a verb: {', '.join(VERBS)}"
        )
    found = [key for key in action if key in VERBS and not (key == "label" and "labels" not in action)]
    if len(found) != 1:
        unknown = [key for key in action if key not in ("at", *VERBS)]
        near = nearest(unknown[0], VERBS) if unknown and not found else []
        hint = f"; {unknown[0]!r} is like {', '.join(near)}" if near else ""
        raise UsageError(
            "action-refused",
            f"{place}: one verb is needed, and it has {', '.join(found) or 'none'}{hint} "
            f"(verbs: {', '.join(VERBS)})",
        )
    return str(found[0])


def _named(text: str, namespace: str, find: Callable[[str, str], str] | None) -> dict[str, str]:
    """Read ``TYPE/NAME``, ``NAMESPACE/TYPE/NAME``, or ``TYPE NAME``."""
    parts = text.split("/")
    if len(parts) not in (2, 3) or not all(parts):
        raise UsageError("action-refused", f"{text!r} is no TYPE/NAME or NAMESPACE/TYPE/NAME")
    kind = find_kind(parts[-2])
    if not kind.namespaced:
        return {"kind": kind.kind, "name": parts[-1]}
    if len(parts) == 3:
        return {"kind": kind.kind, "namespace": parts[0], "name": parts[-1]}
    space = find(kind.kind, parts[-1]) if find is not None else namespace
    return {"kind": kind.kind, "namespace": space, "name": parts[-1]}
