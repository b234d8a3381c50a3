"""Pages of Service, Endpoints and EndpointSlice. Source: kubectl pkg/describe/describe.go, 1.33."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from kdp.columns.network import selector_text

if TYPE_CHECKING:
    from kdp.describe.page import Json, Page

__all__ = ["describe_endpoints", "describe_service", "describe_slice"]

LISTED_MAX = 3


def describe_service(page: Page, service: Json, slices: Sequence[Json]) -> None:
    """Write a Service with the endpoints of its slices."""
    spec = service["spec"]
    page.head(service)
    page.labelled(service)
    page.write(f"Selector:\t{selector_text(spec.get('selector'))}")
    page.write(f"Type:\t{spec.get('type', '')}")
    if spec.get("ipFamilyPolicy"):
        page.write(f"IP Family Policy:\t{spec['ipFamilyPolicy']}")
    page.write(f"IP Families:\t{','.join(spec.get('ipFamilies') or ['<none>'])}")
    page.write(f"IP:\t{spec.get('clusterIP', '')}")
    page.write(f"IPs:\t{','.join(spec.get('clusterIPs') or ['<none>'])}")
    for title, value in _outside(service):
        if value:
            page.write(f"{title}:\t{value}")
    for port in spec.get("ports") or []:
        _port(page, port, slices)
    for title, policy in _policies(spec):
        if policy is not None:
            page.write(f"{title}:\t{policy}")


def _outside(service: Json) -> Iterator[tuple[str, str]]:
    spec = service["spec"]
    ingress = (service.get("status", {}).get("loadBalancer") or {}).get("ingress") or []
    yield "External IPs", ",".join(spec.get("externalIPs") or [])
    yield "Desired LoadBalancer IP", spec.get("loadBalancerIP") or ""
    yield "External Name", spec.get("externalName") or ""
    yield "LoadBalancer Ingress", ", ".join(_ingress(each) for each in ingress)


def _ingress(each: Json) -> str:
    if not each.get("ip"):
        return str(each.get("hostname", ""))
    return f"{each['ip']} ({each['ipMode']})" if each.get("ipMode") else str(each["ip"])


def _policies(spec: Json) -> Iterator[tuple[str, str | None]]:
    yield "Session Affinity", spec.get("sessionAffinity", "")
    yield "External Traffic Policy", spec.get("externalTrafficPolicy") or None
    yield "Internal Traffic Policy", spec.get("internalTrafficPolicy")
    yield "HealthCheck NodePort", spec.get("healthCheckNodePort") or None
    yield "LoadBalancer Source Ranges", ",".join(spec.get("loadBalancerSourceRanges") or []) or None


def _port(page: Page, port: Json, slices: Sequence[Json]) -> None:
    name, protocol = port.get("name") or "<unset>", port.get("protocol", "TCP")
    page.write(f"Port:\t{name}\t{port['port']}/{protocol}")
    page.write(f"TargetPort:\t{port.get('targetPort', 0)}/{protocol}")
    if port.get("appProtocol"):
        page.write(f"AppProtocol:\t{port['appProtocol']}")
    if port.get("nodePort"):
        page.write(f"NodePort:\t{name}\t{port['nodePort']}/{protocol}")
    page.write(f"Endpoints:\t{_endpoints(slices, port.get('name') or '')}")


def _endpoints(slices: Sequence[Json], name: str) -> str:
    if not slices:
        return "<none>"
    found = [address for each in slices for address in _ready(each, name)]
    listed = ",".join(found[:LISTED_MAX])
    return f"{listed} + {len(found) - LISTED_MAX} more..." if len(found) > LISTED_MAX else listed


def _ready(each: Json, name: str) -> Iterator[str]:
    ready = [
        endpoint["addresses"][0]
        for endpoint in each.get("endpoints") or []
        if (endpoint.get("conditions") or {}).get("ready") is not False
    ]
    if not each.get("ports"):
        yield from ready
    for port in each.get("ports") or []:
        if (port.get("name") or "") == name:
            yield from (f"[{ip}]:{port['port']}" if ":" in ip else f"{ip}:{port['port']}" for ip in ready)


def describe_endpoints(page: Page, endpoints: Json) -> None:
    """Write an Endpoints object."""
    page.head(endpoints)
    page.labelled(endpoints)
    page.write("Subsets:")
    for subset in endpoints.get("subsets") or []:
        for title, key in (("Addresses", "addresses"), ("NotReadyAddresses", "notReadyAddresses")):
            addresses = ",".join(each["ip"] for each in subset.get(key) or [])
            page.write(f"{title}:\t{addresses or '<none>'}", 1)
        if subset.get("ports"):
            page.write("Ports:", 1)
            _port_table(page, subset["ports"], 2)
        page.write("")


def _port_table(page: Page, ports: Sequence[Json], level: int) -> None:
    page.write("Name\tPort\tProtocol", level)
    page.write("----\t----\t--------", level)
    for port in ports:
        number = port.get("port", "<unset>")
        page.write(f"{port.get('name') or '<unset>'}\t{number}\t{port.get('protocol', 'TCP')}", level)


def describe_slice(page: Page, found: Json) -> None:
    """Write an EndpointSlice."""
    page.head(found)
    page.labelled(found)
    page.write(f"AddressType:\t{found.get('addressType', '')}")
    if found.get("ports"):
        page.write("Ports:")
        _port_table(page, found["ports"], 1)
    else:
        page.write("Ports: <unset>")
    if not found.get("endpoints"):
        page.write("Endpoints: <none>")
        return
    page.write("Endpoints:")
    for endpoint in found["endpoints"]:
        _endpoint(page, endpoint)


def _endpoint(page: Page, endpoint: Json) -> None:
    page.write(f"- Addresses:\t{', '.join(endpoint['addresses']) or '<none>'}", 1)
    page.write("Conditions:", 2)
    ready = (endpoint.get("conditions") or {}).get("ready")
    page.write(f"Ready:\t{'<unset>' if ready is None else str(ready).lower()}", 3)
    page.write(f"Hostname:\t{endpoint.get('hostname', '<unset>')}", 2)
    if endpoint.get("targetRef"):
        page.write(
            f"TargetRef:\t{endpoint['targetRef'].get('kind', '')}/{endpoint['targetRef'].get('name', '')}", 2
        )
    page.write(f"NodeName:\t{endpoint.get('nodeName', '<unset>')}", 2)
    page.write(f"Zone:\t{endpoint.get('zone', '<unset>')}", 2)
