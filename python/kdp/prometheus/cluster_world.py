"""The objects of a cluster, as an operator and a Prometheus see them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from kdp.prometheus.world import World

if TYPE_CHECKING:
    from kdp.cluster import Cluster

__all__ = ["world_of"]


def world_of(cluster: Cluster) -> World:
    """Give every object of the cluster, what its controllers made included."""
    paths = [
        f"{each['group']}/{each['kind']}" if each["group"] else each["kind"]
        for each in json.loads(cluster.core.kinds())
    ]
    return World(each for path in paths for each in json.loads(cluster.core.list(path, None, None)))
