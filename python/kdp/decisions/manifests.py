"""Two sets of manifests: what differs in endpoints and rules; and load-balancer addresses where a manifest has none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import TYPE_CHECKING, Any

from kdp.errors import UsageError, ValidationError

if TYPE_CHECKING:
    from kdp.cluster import Cluster

__all__ = ["assign_load_balancers", "endpoint_changes", "endpoints_of"]

Json = Mapping[str, Any]
Pool = IPv4Network | IPv6Network


def assign_load_balancers(clusters: Sequence[Cluster], pools: Sequence[str]) -> list[str]:
    """Give Services of type LoadBalancer that have no address one from the pools, and say which.

    In the order of names over all clusters, so that a Service has the same address in each; the first pool of its
    family counts, addresses that a Service has already are left out.
    """
    networks = [_pool(text) for text in pools]
    wanting: dict[str, list[tuple[Cluster, Json]]] = {}
    taken: set[str] = set()
    for cluster in clusters:
        for service in cluster.get("Service"):
            if service["spec"].get("type") != "LoadBalancer":
                continue
            own = [each["ip"] for each in _ingress(service) if each.get("ip")]
            taken.update(own)
            if not own:
                name = f"{service['metadata'].get('namespace', 'default')}/{service['metadata']['name']}"
                wanting.setdefault(name, []).append((cluster, service))
    said = []
    for name, places in sorted(wanting.items()):
        address = _free(networks, places[0][1], taken, name)
        taken.add(address)
        for cluster, given in places:
            cluster.put({**given, "status": {"loadBalancer": {"ingress": [{"ip": address}]}}})
        said.append(f"Service {name}: load-balancer address {address}")
    return said


def _pool(text: str) -> Pool:
    try:
        return ip_network(text)
    except ValueError as error:
        raise UsageError("argument-invalid", f"--lb-pool {text}: {error}") from None


def _ingress(service: Json) -> Iterable[Json]:
    return ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()


def _free(pools: Sequence[Pool], service: Json, taken: set[str], name: str) -> str:
    version = 6 if ":" in str(service["spec"].get("clusterIP", "")) else 4
    for pool in pools:
        if pool.version == version:
            found = next((str(each) for each in pool.hosts() if str(each) not in taken), None)
            if found:
                return found
    listed = ", ".join(map(str, pools))
    raise ValidationError(
        "range-full", f"Service {name} .status.loadBalancer: {listed} has nothing free for it"
    )


def endpoints_of(cluster: Cluster) -> dict[str, dict[str, str]]:
    """By Service, ``IP:PORT`` of each endpoint with what it is: ready, serving while it terminates, or not ready."""
    found: dict[str, dict[str, str]] = {}
    for service in cluster.get("Service"):
        found[f"{service['metadata'].get('namespace', 'default')}/{service['metadata']['name']}"] = {}
    for one in cluster.get("EndpointSlice"):
        owner = (one["metadata"].get("labels") or {}).get("kubernetes.io/service-name")
        ends = found.setdefault(f"{one['metadata'].get('namespace', 'default')}/{owner}", {})
        for endpoint in one.get("endpoints") or ():
            for port in one.get("ports") or ():
                for address in endpoint.get("addresses") or ():
                    ends[f"{address}:{port.get('port')}"] = _state(endpoint)
    return found


def _state(endpoint: Json) -> str:
    conditions = endpoint.get("conditions") or {}
    if conditions.get("ready", True):
        return "ready"
    if conditions.get("serving", True) and conditions.get("terminating"):
        return "serving while it terminates"
    return "not ready"


def endpoint_changes(before: Cluster, after: Cluster) -> Iterator[tuple[str, str]]:
    """By Service, each endpoint that is gone, new or in another state, as a line."""
    old, new = endpoints_of(before), endpoints_of(after)
    for service in dict.fromkeys([*old, *new]):
        if service not in new:
            yield service, "- the Service"
            continue
        if service not in old:
            yield service, "+ the Service"
        was, now = old.get(service, {}), new[service]
        for end in sorted(was.keys() | now.keys()):
            if was.get(end) == now.get(end):
                continue
            if end in was and end in now:
                yield service, f"  {end} {was[end]} -> {now[end]}"
            else:
                yield service, f"{'-' if end in was else '+'} {end} {was.get(end) or now.get(end)}"
