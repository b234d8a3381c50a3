"""A cluster of any size in which Deployments are rolled out one after another."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

from kdp.actions import Action, rollout
from kdp.experiments.traffic import Traffic

if TYPE_CHECKING:
    from kdp.sources import Source

__all__ = ["CLIENTS", "EVENTS_A_POD", "churn_sources", "churn_traffic", "rollouts"]

CLIENTS = 8
"""Client Pods, on a node of their own."""

EVENTS_A_POD = 7
"""Writes of Pods for each one that is replaced: placed, started, ready, deleted, not ready, ended, gone.

The eighth, its creation, has no address yet. Source: the churn sequences of the published controllers.
"""

CLIENT_NODE = "clients"
PODS_A_NODE = 100_000


def churn_sources(services: int, endpoints: int, nodes: int) -> list[Source]:
    """Write ``services`` Services, each with a Deployment of ``endpoints`` Pods, on ``nodes`` nodes."""
    objects: list[dict[str, Any]] = [_node(CLIENT_NODE, "10.64.0.0/24", "192.0.2.10", takes_pods=False)]
    for number in range(nodes):
        network = f"10.{128 + number * 2}.0.0/15"
        objects.append(_node(f"node-{number + 1}", network, f"192.0.2.{number + 11}", takes_pods=True))
    objects += [_client(number) for number in range(CLIENTS)]
    for number in range(services):
        objects += [_service(number), _deployment(number, endpoints)]
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
    return [(f"{services} Services", text.encode())]


def rollouts(services: int, endpoints: int, rate: float, seconds: float, seed: int) -> list[Action]:
    """Plan rollouts, evenly spaced, so that ``rate`` Pod events a second come of them; which is drawn from the seed."""
    chance = random.Random(seed)  # noqa: S311 -- a plan that anybody may guess
    count = int(rate * seconds / (EVENTS_A_POD * endpoints))
    return [
        rollout(
            f"default/deploy/svc-{chance.randrange(services):05}",
            image=f"web:{number}",
            at=number * seconds / count,
        )
        for number in range(count)
    ]


def churn_traffic(services: int, rate: float) -> Traffic:
    """Plan traffic to all of them, an open loop."""
    return Traffic(
        to=[f"default/svc-{number:05}:80" for number in range(services)],
        source=[f"default/client-{number}" for number in range(CLIENTS)],
        rate=rate,
        hold="500ms",
        interval="250ms",
    )


def _node(name: str, network: str, address: str, *, takes_pods: bool) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name},
        "spec": {
            "podCIDR": network,
            "podCIDRs": [network],
            **({} if takes_pods else {"unschedulable": True}),
        },
        "status": {
            "allocatable": {"pods": str(PODS_A_NODE)},
            "addresses": [{"type": "InternalIP", "address": address}],
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    }


def _client(number: int) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": f"client-{number}", "namespace": "default"},
        "spec": {"nodeName": CLIENT_NODE, "containers": [{"name": "client", "image": "client"}]},
    }


def _service(number: int) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": f"svc-{number:05}", "namespace": "default"},
        "spec": {
            "selector": {"app": f"svc-{number:05}"},
            "ports": [{"name": "http", "port": 80, "targetPort": 8080}],
        },
    }


def _deployment(number: int, endpoints: int) -> dict[str, Any]:
    labels = {"app": f"svc-{number:05}"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": f"svc-{number:05}", "namespace": "default"},
        "spec": {
            "replicas": endpoints,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "web", "image": "web"}]},
            },
        },
    }
