"""The page of a Node, with what its Pods ask for. Source: kubectl pkg/describe/describe.go, 1.33."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from kdp.columns.column import age_of
from kdp.columns.node import roles_of
from kdp.describe.page import Json, Page, moment_text
from kdp.printers.quantity import quantity_of, quantity_text

__all__ = ["describe_node"]

STANDARD = ("cpu", "memory", "ephemeral-storage")
INFO = (
    ("Machine ID", "machineID"),
    ("System UUID", "systemUUID"),
    ("Boot ID", "bootID"),
    ("Kernel Version", "kernelVersion"),
    ("OS Image", "osImage"),
    ("Operating System", "operatingSystem"),
    ("Architecture", "architecture"),
    ("Container Runtime Version", "containerRuntimeVersion"),
    ("Kubelet Version", "kubeletVersion"),
    ("Kube-Proxy Version", "kubeProxyVersion"),
)


def describe_node(page: Page, node: Json, pods: Sequence[Json], lease: Json | None) -> None:
    """Write a Node. ``pods``: those on it that have not ended."""
    spec, status, meta = node.get("spec") or {}, node.get("status") or {}, node["metadata"]
    page.write(f"Name:\t{meta['name']}")
    page.write(f"Roles:\t{roles_of(node)}")
    page.labelled(node)
    page.write(f"CreationTimestamp:\t{moment_text(meta.get('creationTimestamp'))}")
    taints = sorted(spec.get("taints") or [], key=lambda each: f"{each.get('effect', '')},{each['key']}")
    page.listed("Taints", [_taint(each) for each in taints])
    page.write(f"Unschedulable:\t{str(bool(spec.get('unschedulable'))).lower()}")
    _lease(page, str(meta["name"]), lease)
    _conditions(page, status)
    page.write("Addresses:")
    for each in status.get("addresses") or []:
        page.write(f"{each['type']}:\t{each['address']}", 1)
    for key in ("capacity", "allocatable"):
        if status.get(key):
            page.write(f"{key.title()}:")
            for name, value in sorted(status[key].items()):
                page.write(f"{name}:\t{value}", 1)
    page.write("System Info:")
    for title, key in INFO:
        page.write(f"{title}:\t{(status.get('nodeInfo') or {}).get(key, '')}", 1)
    for title, key in (("PodCIDR", "podCIDR"), ("PodCIDRs", "podCIDRs"), ("ProviderID", "providerID")):
        if spec.get(key):
            page.write(f"{title}:\t{','.join(spec[key]) if key == 'podCIDRs' else spec[key]}")
    _used(page, status, pods)


def _taint(taint: Json) -> str:
    value = f"={taint['value']}" if taint.get("value") else ""
    return f"{taint['key']}{value}:{taint.get('effect', '')}"


def _lease(page: Page, name: str, lease: Json | None) -> None:
    if lease is None:
        page.write(f'Lease:\tFailed to get lease: leases "{name}" not found')
        return
    page.write("Lease:")
    spec = lease.get("spec") or {}
    page.write(f"HolderIdentity:\t{spec.get('holderIdentity', '<unset>')}", 1)
    for title, key in (("AcquireTime", "acquireTime"), ("RenewTime", "renewTime")):
        page.write(f"{title}:\t{moment_text(spec[key]) if spec.get(key) else '<unset>'}", 1)


def _conditions(page: Page, status: Json) -> None:
    if not status.get("conditions"):
        return
    page.write("Conditions:")
    page.write("Type\tStatus\tLastHeartbeatTime\tLastTransitionTime\tReason\tMessage", 1)
    page.write("----\t------\t-----------------\t------------------\t------\t-------", 1)
    for each in status["conditions"]:
        beat, changed = (
            moment_text(each.get("lastHeartbeatTime")),
            moment_text(each.get("lastTransitionTime")),
        )
        last = f"{each.get('reason', '')} \t{each.get('message', '')}"
        page.write(f"{each['type']} \t{each['status']} \t{beat} \t{changed} \t{last}", 1)


def _used(page: Page, status: Json, pods: Sequence[Json]) -> None:
    page.write(f"Non-terminated Pods:\t({len(pods)} in total)")
    page.write("Namespace\tName\t\tCPU Requests\tCPU Limits\tMemory Requests\tMemory Limits\tAge", 1)
    page.write("---------\t----\t\t------------\t----------\t---------------\t-------------\t---", 1)
    whole = status.get("allocatable") or status.get("capacity") or {}
    totals = {"requests": dict[str, Decimal](), "limits": dict[str, Decimal]()}
    for pod in pods:
        asked = {key: _of_pod(pod, key) for key in totals}
        cells = [
            _share(asked[key].get(name, Decimal(0)), name, whole)
            for name in STANDARD[:2]
            for key in ("requests", "limits")
        ]
        meta = pod["metadata"]
        age = age_of(meta.get("creationTimestamp"), page.now)
        page.write("\t".join([meta.get("namespace", ""), meta["name"], "", *cells, age]), 1)
        for key, found in asked.items():
            for name, value in found.items():
                totals[key][name] = totals[key].get(name, Decimal(0)) + value
    page.write("Allocated resources:")
    page.write("(Total limits may be over 100 percent, i.e., overcommitted.)", 1)
    page.write("Resource\tRequests\tLimits", 1)
    page.write("--------\t--------\t------", 1)
    huge = sorted(name for name in whole if name.startswith("hugepages-"))
    for name in (*STANDARD, *huge):
        both = (_share(totals[key].get(name, Decimal(0)), name, whole) for key in ("requests", "limits"))
        page.write("\t".join([name, *both]), 1)
    for name in sorted(set(whole) - {*STANDARD, *huge, "pods"}):
        both = (quantity_text(totals[key].get(name, Decimal(0)), name) for key in ("requests", "limits"))
        page.write("\t".join([name, *both]), 1)


def _of_pod(pod: Json, key: str) -> Mapping[str, Decimal]:
    """Add what containers ask for; an init container counts where it asks for more than all of them.

    Source: component-helpers resource, PodRequests: sidecars count with the containers.
    """
    spec = pod["spec"]
    inits = spec.get("initContainers") or []
    sidecars = [each for each in inits if each.get("restartPolicy") == "Always"]
    total: dict[str, Decimal] = {}
    for each in (*(spec.get("containers") or ()), *sidecars):
        for name, value in _asked(each, key).items():
            total[name] = total.get(name, Decimal(0)) + value
    for each in inits:
        if each not in sidecars:
            for name, value in _asked(each, key).items():
                total[name] = max(total.get(name, Decimal(0)), value)
    return total


def _asked(container: Json, key: str) -> dict[str, Decimal]:
    resources = container.get("resources") or {}
    # An API server takes a limit for the request that is not said.
    found = (
        {**(resources.get("limits") or {}), **(resources.get("requests") or {})}
        if key == "requests"
        else resources.get("limits") or {}
    )
    return {name: quantity_of(str(value)) or Decimal(0) for name, value in found.items()}


def _share(used: Decimal, name: str, whole: Json) -> str:
    of = quantity_of(str(whole.get(name, "0"))) or Decimal(0)
    # DEVIATION(describe-share-of-nothing): where a Node says of no resource how much it has, kubectl divides by zero.
    percent = int(used * 100 / of) if of else 0
    return f"{quantity_text(used, name)} ({percent}%)"
