"""Scripts: what is done to a cluster and when, as a document of its own kind.

::

    apiVersion: kdp.dev/v1alpha1
    kind: Script
    metadata: {name: rollout}
    steps:
      - {at: 10s, rollout: deploy/web, image: "web:2"}
      - {at: 30s, drain: node-1}
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from kdp.errors import UsageError

if TYPE_CHECKING:
    from kdp.actions import Action
    from kdp.cluster import Cluster

__all__ = ["read_script", "script_of"]

KIND = "kdp.dev/Script"


def read_script(paths: str | os.PathLike[str] | Sequence[str | os.PathLike[str]]) -> list[Action]:
    """Read the steps of all Scripts in files; raises ``action-refused`` where there is none."""
    from kdp.cluster import Cluster
    from kdp.sources import from_paths

    found = script_of(Cluster.from_sources(from_paths(paths), {}))
    if not found:
        raise UsageError(
            "action-refused", f"{paths}: no object of kind Script (apiVersion kdp.dev/v1alpha1) with steps"
        )
    return found


def script_of(cluster: Cluster) -> list[Action]:
    """Give the steps of all Scripts among a cluster's objects."""
    steps: list[Action] = []
    for each in json.loads(cluster.core.list(KIND, None, None)):
        own = each.get("steps")
        if not isinstance(own, list):
            name = each["metadata"]["name"]
            raise UsageError(
                "action-refused", f"Script {name} .steps: a list of actions is needed, not {own!r}"
            )
        steps += own
    return steps
