"""The ports that masquerade draws: spread over their class, whatever the rules drew before."""

from __future__ import annotations

import kdp
import numpy as np


def test_masqueraded_ports_do_not_crowd() -> None:
    cluster = kdp.Cluster(
        [
            kdp.Service("web", selector={"app": "web"}, ports=[80], cluster_ip="10.96.0.10"),
            kdp.Deployment("web", replicas=3, labels={"app": "web"}, ports=[80]),
        ]
    )
    node = cluster.node("node-1")
    pod = node.pods.ip[0]
    ports = np.arange(1024, 21_024, dtype=np.uint16)
    flows = kdp.Flows(src=pod, sport=ports, dst="10.96.0.10", dport=80, proto="tcp")
    left = node.send(flows).columns()
    hairpin = left["src"] != pod
    assert 6_000 < hairpin.sum() < 7_400, "a third of the flows comes back to the Pod itself"
    counts, _ = np.histogram(left["sport"][hairpin], bins=8, range=(1024, 65_536))
    assert counts.min() > 0.7 * counts.mean()
    assert (left["verdict"] == 0).all()
