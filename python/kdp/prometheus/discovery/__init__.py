"""Kubernetes service discovery: the target groups that a ``kubernetes_sd_configs`` entry finds.

Each role has a module of its own that turns objects into labels; a `View` says which objects there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from kdp.errors import UnsupportedError
from kdp.prometheus.discovery.endpoints import endpoints_groups, slice_groups
from kdp.prometheus.discovery.meta import META, Group, object_labels, sanitize
from kdp.prometheus.discovery.others import ingress_groups, node_groups, service_groups
from kdp.prometheus.discovery.pods import pod_groups
from kdp.prometheus.discovery.view import View

if TYPE_CHECKING:
    from kdp.prometheus.world import Json, World

__all__ = ["META", "Group", "discover", "object_labels", "sanitize"]

ROLES: Mapping[str, Callable[[View], Iterator[Group]]] = {
    "endpoints": endpoints_groups,
    "endpointslice": slice_groups,
    "ingress": ingress_groups,
    "node": node_groups,
    "pod": pod_groups,
    "service": service_groups,
}
KEYS = {"role", "namespaces", "selectors", "attach_metadata", "api_server"}


def discover(world: World, config: Json) -> Iterator[Group]:
    """Give the target groups of one entry, namespace by namespace.

    Raises ``UnsupportedError`` (``case-not-modelled``) for a role or an option that is not modelled.
    """
    if unknown := set(config) - KEYS:
        raise _unsupported(f"option {min(unknown)}")
    if config.get("role") not in ROLES:
        raise _unsupported(f"role {config.get('role')!r}")
    namespaces = config.get("namespaces") or {}
    if namespaces.get("own_namespace"):
        raise _unsupported("option namespaces.own_namespace")
    # A name that stands twice finds the same groups twice, and groups of one source replace each other.
    names: list[str | None] = list(dict.fromkeys(namespaces.get("names") or ())) or [None]
    for name in [None] if config["role"] == "node" else names:
        yield from ROLES[config["role"]](View(world, config, name))


def _unsupported(what: str) -> UnsupportedError:
    return UnsupportedError("case-not-modelled", f"kubernetes_sd_configs: {what} is not modelled")
