"""One exact TCP packet at a time through a box with kube-proxy's rules for 1,000 Services: kdp beside the kernel.

New connections and packets of established ones, all to the Service in the middle. Both sides get the same rules and the
same bytes, one packet in each call; rounds alternate, and the median of the rounds counts. The kernel's time is that of
one write to a TUN device, which runs the whole way of the packet; kdp's is from bytes to bytes in its core, by the scan
(rust/host/examples/one_packet.rs). Exit status 1 if kdp takes a third of the kernel's time or more.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kdp.conformance import render_rules, wire

from tests.kernel.judge import Judge
from tests.kernel.place import place_of

if TYPE_CHECKING:
    from tests.kernel.tun import Tun

SERVICES = 1_000
ROUNDS = 7
PACKETS = 900  # a TUN device queues 1,000
LIMIT = 1 / 3
_MIDDLE = SERVICES // 2


def rules() -> str:
    """What kube-proxy's iptables mode writes for the Services, three endpoints each."""
    objects = [one for number in range(SERVICES) for one in _service(number)]
    place = place_of(4)
    proxy = {
        "mode": "iptables",
        "version": "1.33",
        "nodeName": "here",
        "nodeIPs": place.own,
        "primaryNodeIP": place.own[0],
        "detectLocal": {"mode": "ClusterCIDR", "clusterCIDR": place.pod_network},
        "masqueradeAll": False,
        "localhostNodePorts": False,
        "nodePortAddresses": [],
    }
    return render_rules(objects, proxy)["iptables"]


def address(number: int) -> str:
    """The cluster IP of a Service."""
    return f"10.96.{number // 250}.{number % 250 + 1}"


def _service(number: int) -> list[dict[str, object]]:
    name = f"s{number}"
    endpoints = [
        {"addresses": [f"10.244.0.{2 + pod}"], "conditions": {"ready": True}, "nodeName": "here"}
        for pod in range(3)
    ]
    named = {"name": name, "namespace": "default"}
    spec = {
        "clusterIP": address(number),
        "clusterIPs": [address(number)],
        "ipFamilies": ["IPv4"],
        "ports": [{"port": 80, "protocol": "TCP", "targetPort": 8080}],
    }
    labels = {"kubernetes.io/service-name": name}
    return [
        {"apiVersion": "v1", "kind": "Service", "metadata": named, "spec": spec},
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {"name": f"{name}-1", "namespace": "default", "labels": labels},
            "addressType": "IPv4",
            "ports": [{"name": "", "port": 8080, "protocol": "TCP"}],
            "endpoints": endpoints,
        },
    ]


def packets(turn: int) -> list[bytes]:
    """First packets of connections that nobody has seen: other clients in each round."""
    to = address(_MIDDLE)
    return [
        wire.tcp(f"10.244.1.{2 + turn}", to, 1024 + number, 80, flags="S", seq=number)
        for number in range(PACKETS)
    ]


def kernel_round(rules_text: str, stream: Sequence[bytes]) -> dict[str, float]:
    """Nanoseconds a packet in a fresh namespace: each write runs the whole way, results are read apart."""
    judge = Judge(place_of(4).topology)
    try:
        judge.load_rules(rules_text)
        tun, pod = judge.tun("node1"), judge.tun("pod0")
        times = {"new": _written(tun, stream)}
        for syn in pod.take():
            pod.write(wire.tcp(**_ends(syn), flags="SA", seq=0, ack=int.from_bytes(syn[24:28], "big") + 1))
        tun.take()
        acks = [
            wire.tcp(**_ends(syn, back=False), flags="A", seq=int.from_bytes(syn[24:28], "big") + 1, ack=1)
            for syn in stream
        ]
        _written(tun, acks)
        assert len(pod.take()) == len(stream), "each packet leaves by pod0"
        return times | {"established": _written(tun, acks)}
    finally:
        judge.close()


def _written(tun: Tun, stream: Sequence[bytes]) -> float:
    begin = time.perf_counter_ns()
    for packet in stream:
        tun.write(packet)
    return (time.perf_counter_ns() - begin) / len(stream)


def _ends(packet: bytes, *, back: bool = True) -> dict[str, Any]:
    src, dst = (".".join(map(str, packet[at : at + 4])) for at in (12, 16))
    sport, dport = (int.from_bytes(packet[at : at + 2], "big") for at in (20, 22))
    if back:
        src, dst, sport, dport = dst, src, dport, sport
    return {"src": src, "dst": dst, "sport": sport, "dport": dport}


def kdp_round(folder: Path, rules_text: str, stream: Sequence[bytes]) -> dict[str, float]:
    """The same of kdp's core, evaluated from rule to rule, from bytes to bytes."""
    (folder / "rules").write_text(rules_text)
    (folder / "packets").write_text("".join(f"{packet.hex()}\n" for packet in stream))
    command = ["cargo", "run", "-q", "--release", "-p", "kdp-host", "--example", "one_packet", "--"]
    done = subprocess.run(
        [*command, str(folder / "rules"), str(folder / "packets")], capture_output=True, text=True, check=True
    )
    return {name: float(nanos) for name, nanos in (line.split() for line in done.stdout.splitlines())}


def tell(line: str) -> None:
    """Say a line."""
    sys.stdout.write(f"{line}\n")


def main() -> int:
    """Measure, print the table, and say whether kdp is fast enough."""
    rules_text = rules()
    rounds: dict[tuple[str, str], list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(ROUNDS):
            stream = packets(turn)
            sides = {"kernel": kernel_round(rules_text, stream)}
            sides["kdp"] = kdp_round(Path(folder), rules_text, stream)
            for side, times in sides.items():
                for name, nanos in times.items():
                    rounds.setdefault((side, name), []).append(nanos)
    tell(f"{SERVICES:,} Services, {PACKETS:,} packets to the one in the middle, medians of {ROUNDS} rounds")
    tell(f"{'ns a packet':<14}{'kernel':>10}{'kdp':>10}{'ratio':>8}")
    worst = 0.0
    for name in ("new", "established"):
        kernel, kdp = (statistics.median(rounds[side, name]) for side in ("kernel", "kdp"))
        worst = max(worst, kdp / kernel)
        tell(f"{name:<14}{kernel:>10,.0f}{kdp:>10,.0f}{kdp / kernel:>8.2f}")
    tell(f"kdp must stay below {LIMIT:.2f} of the kernel's time: {'yes' if worst < LIMIT else 'NO'}")
    return int(worst >= LIMIT)


if __name__ == "__main__":
    sys.exit(main())
