"""The Kubernetes Service dataplane without a cluster: from a manifest to a packet.

Names are imported when they are used, so that ``import kdp`` and ``kdp --help`` stay light.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kdp import conformance, experiments, testing
    from kdp._core import __version__
    from kdp.actions import (
        delete,
        drain,
        label,
        lose,
        restart_proxy,
        rollout,
        scale,
        select,
        set_ready,
    )
    from kdp.cluster import Cluster
    from kdp.errors import (
        KdpError,
        LoadError,
        NotFoundError,
        PacketError,
        RuleError,
        UnsupportedError,
        UnsupportedRuleError,
        UsageError,
        ValidationError,
    )
    from kdp.explain import Explanation
    from kdp.flows import FlowResult, Flows
    from kdp.host import Host, PacketResult
    from kdp.objects import (
        Deployment,
        EndpointSlice,
        Namespace,
        Node,
        Pod,
        Service,
        ServiceMonitor,
        StatefulSet,
    )
    from kdp.packets import Packets, PacketsResult
    from kdp.trace import Exploration, Trace

__all__ = [
    "Cluster",
    "Deployment",
    "EndpointSlice",
    "Explanation",
    "Exploration",
    "FlowResult",
    "Flows",
    "Host",
    "KdpError",
    "LoadError",
    "Namespace",
    "Node",
    "NotFoundError",
    "PacketError",
    "PacketResult",
    "Packets",
    "PacketsResult",
    "Pod",
    "RuleError",
    "Service",
    "ServiceMonitor",
    "StatefulSet",
    "Trace",
    "UnsupportedError",
    "UnsupportedRuleError",
    "UsageError",
    "ValidationError",
    "__version__",
    "conformance",
    "delete",
    "drain",
    "experiments",
    "label",
    "lose",
    "restart_proxy",
    "rollout",
    "scale",
    "select",
    "set_ready",
    "testing",
]

_HOMES = {
    "kdp._core": ["__version__"],
    "kdp.actions": [
        "delete",
        "drain",
        "label",
        "lose",
        "restart_proxy",
        "rollout",
        "scale",
        "select",
        "set_ready",
    ],
    "kdp.cluster": ["Cluster"],
    "kdp.errors": [name for name in __all__ if name.endswith("Error")],
    "kdp.explain": ["Explanation"],
    "kdp.flows": ["FlowResult", "Flows"],
    "kdp.host": ["Host", "PacketResult"],
    "kdp.objects": [
        "Deployment",
        "EndpointSlice",
        "Namespace",
        "Node",
        "Pod",
        "Service",
        "ServiceMonitor",
        "StatefulSet",
    ],
    "kdp.packets": ["Packets", "PacketsResult"],
    "kdp.trace": ["Exploration", "Trace"],
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}
_SUBMODULES = {"conformance", "experiments", "testing"}


def __getattr__(name: str) -> object:
    if name in _SUBMODULES:
        return import_module(f"kdp.{name}")
    if name not in _HOME_OF:
        raise AttributeError(f"module 'kdp' has no attribute {name!r}")
    value = getattr(import_module(_HOME_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
