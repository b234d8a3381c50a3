"""Columns of Service, Endpoints and EndpointSlice."""

from __future__ import annotations

from datetime import datetime

from kdp.columns.column import AGE, Column, Columns, Json, none_if_empty, with_more

__all__ = ["ENDPOINTS", "ENDPOINTSLICE", "SERVICE", "selector_text"]


def selector_text(pairs: Json | None) -> str:
    """Write labels as a selector: sorted, with commas."""
    return none_if_empty(",".join(f"{key}={value}" for key, value in sorted((pairs or {}).items())))


def _type(service: Json, _: datetime | None) -> str:
    return str(service["spec"].get("type", "ClusterIP"))


def _cluster_ip(service: Json, _: datetime | None) -> str:
    return none_if_empty(service["spec"].get("clusterIP", ""))


def _external_ip(service: Json, _: datetime | None) -> str:
    spec = service["spec"]
    kind = spec.get("type", "ClusterIP")
    given = list(spec.get("externalIPs") or [])
    if kind == "ExternalName":
        return none_if_empty(spec.get("externalName", ""))
    if kind != "LoadBalancer":
        return none_if_empty(",".join(given))
    ingress = (service.get("status", {}).get("loadBalancer") or {}).get("ingress") or []
    ways_in = [way.get("ip") or way.get("hostname", "") for way in ingress] + given
    return ",".join(ways_in) or "<pending>"


def _service_ports(service: Json, _: datetime | None) -> str:
    return none_if_empty(",".join(_service_port(port) for port in service["spec"].get("ports") or []))


def _service_port(port: Json) -> str:
    node_port = f":{port['nodePort']}" if port.get("nodePort") else ""
    return f"{port['port']}{node_port}/{port.get('protocol', 'TCP')}"


def _service_selector(service: Json, _: datetime | None) -> str:
    return selector_text(service["spec"].get("selector"))


SERVICE: Columns = (
    Column("TYPE", _type),
    Column("CLUSTER-IP", _cluster_ip),
    Column("EXTERNAL-IP", _external_ip),
    Column("PORT(S)", _service_ports),
    AGE,
    Column("SELECTOR", _service_selector, wide=True),
)


def _subsets(endpoints: Json, _: datetime | None) -> str:
    subsets = endpoints.get("subsets") or []
    return with_more([text for subset in subsets for text in _subset(subset)], "" if subsets else "<none>")


def _subset(subset: Json) -> list[str]:
    addresses = [address["ip"] for address in subset.get("addresses") or []]
    ports = subset.get("ports") or []
    if not ports:
        return addresses
    return [_with_port(address, port["port"]) for port in ports for address in addresses]


def _with_port(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


ENDPOINTS: Columns = (Column("ENDPOINTS", _subsets), AGE)


def _address_type(endpoint_slice: Json, _: datetime | None) -> str:
    return str(endpoint_slice.get("addressType", ""))


def _slice_ports(endpoint_slice: Json, _: datetime | None) -> str:
    ports = endpoint_slice.get("ports") or []
    return with_more([str(port.get("port") or port.get("name") or "*") for port in ports], "<unset>")


def _slice_endpoints(endpoint_slice: Json, _: datetime | None) -> str:
    endpoints = endpoint_slice.get("endpoints") or []
    return with_more([address for each in endpoints for address in each["addresses"]], "<unset>")


ENDPOINTSLICE: Columns = (
    Column("ADDRESSTYPE", _address_type),
    Column("PORTS", _slice_ports),
    Column("ENDPOINTS", _slice_endpoints),
    AGE,
)
