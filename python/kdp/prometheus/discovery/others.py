"""Roles service, node and ingress.

Source: Prometheus 3.14, discovery/kubernetes/service.go, node.go, ingress.go.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from kdp.prometheus.discovery.meta import META, Group, join_host_port, object_labels, sanitize, truth
from kdp.prometheus.world import Json, meta

if TYPE_CHECKING:
    from kdp.prometheus.discovery.view import View
    from kdp.prometheus.relabel import Labels

__all__ = ["ingress_groups", "node_groups", "service_groups"]

SERVICE = f"{META}service_"
ADDRESS_TYPES = ("InternalIP", "InternalDNS", "ExternalIP", "ExternalDNS", "LegacyHostIP", "Hostname")


def service_groups(view: View) -> Iterator[Group]:
    """Give a group for each Service, a target for each port, at its DNS name."""
    for item in view.all("service"):
        namespace = str(meta(item).get("namespace") or "")
        labels = {f"{META}namespace": namespace} | object_labels("service", item)
        spec = item.get("spec") or {}
        targets = [_service_port(item, spec, port) for port in spec.get("ports") or ()]
        yield Group(labels | view.namespace_labels(namespace), targets)


def _service_port(item: Json, spec: Json, port: Json) -> Labels:
    host = f"{meta(item)['name']}.{meta(item).get('namespace') or ''}.svc"
    labels = {
        "__address__": join_host_port(host, port.get("port", 0)),
        f"{SERVICE}port_name": str(port.get("name") or ""),
        f"{SERVICE}port_number": str(port.get("port", 0)),
        f"{SERVICE}port_protocol": str(port.get("protocol") or ""),
        f"{SERVICE}type": str(spec.get("type") or ""),
    }
    if spec.get("type") == "ExternalName":
        labels[f"{SERVICE}external_name"] = str(spec.get("externalName") or "")
    else:
        labels[f"{SERVICE}cluster_ip"] = str(spec.get("clusterIP") or "")
    if spec.get("type") == "LoadBalancer":
        balancer = (item.get("status") or {}).get("loadBalancer") or {}
        found = [each["ip"] for each in balancer.get("ingress") or () if each.get("ip")]
        labels[f"{SERVICE}loadbalancer_ip"] = ",".join(found) or str(spec.get("loadBalancerIP") or "")
    return labels


def node_groups(view: View) -> Iterator[Group]:
    """Give a group for each Node with an address; ``instance`` is its name."""
    for item in view.all("node"):
        status = item.get("status") or {}
        addresses: dict[str, str] = {}
        for each in status.get("addresses") or ():
            addresses.setdefault(str(each.get("type") or ""), str(each.get("address") or ""))
        first = next((addresses[kind] for kind in ADDRESS_TYPES if kind in addresses), None)
        if first is None:
            continue
        port = ((status.get("daemonEndpoints") or {}).get("kubeletEndpoint") or {}).get("Port", 0)
        target = {"__address__": join_host_port(first, port), "instance": str(meta(item)["name"])}
        for kind, address in addresses.items():
            target[sanitize(f"{META}node_address_{kind}")] = address
        yield Group(_node_labels(item, status), [target])


def _node_labels(item: Json, status: Json) -> Labels:
    labels = {f"{META}node_provider_id": str((item.get("spec") or {}).get("providerID") or "")}
    for condition in status.get("conditions") or ():
        name = sanitize(str(condition.get("type") or "").lower())
        labels[f"{META}node_condition_{name}"] = str(condition.get("status") or "").lower()
    return labels | object_labels("node", item)


def ingress_groups(view: View) -> Iterator[Group]:
    """Give a group for each Ingress, a target for each rule and path."""
    for item in view.all("ingress"):
        namespace, spec = str(meta(item).get("namespace") or ""), item.get("spec") or {}
        labels = {f"{META}namespace": namespace}
        labels |= truth(f"{META}ingress_class_name", spec.get("ingressClassName"))
        labels |= object_labels("ingress", item) | view.namespace_labels(namespace)
        hosts = [host for each in spec.get("tls") or () for host in each.get("hosts") or ()]
        targets = [target for rule in spec.get("rules") or () for target in _rule_targets(rule, hosts)]
        yield Group(labels, targets)


def _rule_targets(rule: Json, hosts: Sequence[str]) -> Iterator[Labels]:
    host = str(rule.get("host") or "")
    scheme = "https" if any(_covers(pattern, host) for pattern in hosts) else "http"
    http = rule.get("http")
    paths = ["/"] if http is None else [each.get("path") or "/" for each in http.get("paths") or ()]
    for path in paths:
        yield {
            "__address__": host,
            f"{META}ingress_scheme": scheme,
            f"{META}ingress_host": host,
            f"{META}ingress_path": str(path),
        }


def _covers(pattern: str, host: str) -> bool:
    """Tell whether a TLS host is the rule's host, or a wildcard for its first label."""
    first, _, rest = pattern.partition(".")
    return pattern == host or (first == "*" and host.partition(".")[1:] == (".", rest))
