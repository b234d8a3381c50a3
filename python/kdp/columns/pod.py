"""Columns of Pod. The word under STATUS comes from its containers, its phase and its deletion, in that order.

Source: printPod, pkg/printers/internalversion/printers.go, 1.33.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from kdp.columns.column import AGE, Column, Columns, Json, age_of, none_if_empty

__all__ = ["POD"]


def _containers(pod: Json) -> Sequence[Json]:
    return pod.get("status", {}).get("containerStatuses") or []


def _sidecars(pod: Json) -> set[str]:
    containers = pod.get("spec", {}).get("initContainers") or []
    return {each["name"] for each in containers if each.get("restartPolicy") == "Always"}


def _ready(pod: Json, _: datetime | None) -> str:
    sidecars = _sidecars(pod)
    inits = pod.get("status", {}).get("initContainerStatuses") or []
    counted = [*_containers(pod), *(each for each in inits if each["name"] in sidecars)]
    ready = sum(bool(each.get("ready")) and _running(each) for each in counted)
    total = len(pod.get("spec", {}).get("containers") or []) + len(sidecars)
    return f"{ready}/{total}"


def _running(status: Json) -> bool:
    state = status.get("state") or {}
    return "running" in state or not state


def _status(pod: Json, _: datetime | None) -> str:
    status = pod.get("status", {})
    word = status.get("reason") or status.get("phase") or "Unknown"
    initializing = _init_word(pod)
    word = initializing or _container_word(pod, word)
    if pod["metadata"].get("deletionTimestamp"):
        return "Unknown" if status.get("reason") == "NodeLost" else "Terminating"
    return str(word)


def _init_word(pod: Json) -> str | None:
    """Give the word of the first init container that is not through, if there is one."""
    inits = pod.get("status", {}).get("initContainerStatuses") or []
    sidecars = _sidecars(pod)
    total = len(pod.get("spec", {}).get("initContainers") or [])
    for at, each in enumerate(inits):
        state = each.get("state") or {}
        ended, waiting = state.get("terminated"), state.get("waiting")
        if (ended and not ended.get("exitCode")) or (each["name"] in sidecars and each.get("started")):
            continue
        if ended:
            return f"Init:{_end_word(ended)}"
        if waiting and waiting.get("reason") not in (None, "", "PodInitializing"):
            return f"Init:{waiting['reason']}"
        return f"Init:{at}/{total}"
    return None


def _container_word(pod: Json, word: str) -> str:
    running = False
    for each in reversed(_containers(pod)):
        state = each.get("state") or {}
        if (state.get("waiting") or {}).get("reason"):
            word = state["waiting"]["reason"]
        elif state.get("terminated"):
            word = _end_word(state["terminated"])
        elif each.get("ready") and "running" in state:
            running = True
    if word == "Completed" and running:
        return "Running" if _is_ready(pod) else "NotReady"
    return word


def _end_word(ended: Json) -> str:
    if ended.get("reason"):
        return str(ended["reason"])
    return f"Signal:{ended['signal']}" if ended.get("signal") else f"ExitCode:{ended.get('exitCode', 0)}"


def _is_ready(pod: Json) -> bool:
    conditions = pod.get("status", {}).get("conditions") or []
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def _restarts(pod: Json, now: datetime | None) -> str:
    count = sum(each.get("restartCount", 0) for each in _containers(pod))
    ends = [
        (each.get("lastState") or {}).get("terminated", {}).get("finishedAt") for each in _containers(pod)
    ]
    last = max((end for end in ends if end), default=None)
    return f"{count} ({age_of(last, now)} ago)" if count and last else str(count)


def _ip(pod: Json, _: datetime | None) -> str:
    status = pod.get("status", {})
    listed = status.get("podIPs") or []
    return none_if_empty(listed[0]["ip"] if listed else status.get("podIP", ""))


def _node(pod: Json, _: datetime | None) -> str:
    return none_if_empty(pod.get("spec", {}).get("nodeName", ""))


def _nominated(pod: Json, _: datetime | None) -> str:
    return none_if_empty(pod.get("status", {}).get("nominatedNodeName", ""))


def _gates(pod: Json, _: datetime | None) -> str:
    gates = pod.get("spec", {}).get("readinessGates") or []
    conditions = {each["type"]: each["status"] for each in pod.get("status", {}).get("conditions") or []}
    true = sum(conditions.get(gate["conditionType"]) == "True" for gate in gates)
    return f"{true}/{len(gates)}" if gates else "<none>"


POD: Columns = (
    Column("READY", _ready),
    Column("STATUS", _status),
    Column("RESTARTS", _restarts),
    AGE,
    Column("IP", _ip, wide=True),
    Column("NODE", _node, wide=True),
    Column("NOMINATED NODE", _nominated, wide=True),
    Column("READINESS GATES", _gates, wide=True),
)
