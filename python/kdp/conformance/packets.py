"""Packet cases: devices and rules, packets in, and what came out, byte for byte."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from ipaddress import ip_address
from typing import Any

from kdp.conformance.packet_spec import answer_to, build
from kdp.errors import RuleError, UnsupportedError
from kdp.host import Host, PacketResult

__all__ = ["run_packets"]

_SECOND = 1_000_000_000
_BETWEEN_STEPS = 100_000  # ns: packets come one after the other, on a fast machine
_TOOLS = ("iptables", "ip6tables", "nft")

Case = Mapping[str, Any]
Step = Mapping[str, Any]


def run_packets(case: Case, seed: int = 1) -> dict[str, Any]:
    """Run a packet case. ``{"steps": [...], "conntrack": [...], "stats": {...}}``, in the form of a recorded run.

    Raises ``UnsupportedError`` (``case-not-modelled``) that names the tool, step or packet that is not modelled,
    and ``UnsupportedRuleError`` for a rule that is not.
    """
    scenario = case["scenario"]
    run = _Run(Host(case["topology"], seed=seed))
    run.host.hold(holds=bool(scenario.get("nfqueue")))
    for name, value in scenario.get("init_sysctl", {}).items():
        run.host.set_sysctl(name, value)
    run.load(scenario["rules"])
    steps = [run.step(step) for step in scenario["steps"]]
    return {"steps": steps, "conntrack": run.host.conntrack(), "stats": run.host.stats()}


def _unsupported(what: str) -> UnsupportedError:
    return UnsupportedError("case-not-modelled", f"packet case: {what} is not modelled")


class _Run:
    """A run of one case: the box, and what each step sent out."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self._tool = "iptables"
        self._outs: list[Sequence[tuple[str, bytes]]] = []
        self._carry_out: Mapping[str, Callable[[Step], dict[str, Any]]] = {
            "pkt": self._packet,
            "local": self._local,
            "sleep": self._sleep,
            "rules": self._rules,
            "try_rules": self._try_rules,
            "dump": self._dump,
            "sysctl": self._sysctl,
            "cmd": self._command,
            "hold": self._hold,
            "release": self._release,
            "recent": self._recent,
            "rule_counters": self._rule_counters,
            "counters": self._counters,
            "nft_set": self._nft_set,
        }

    def load(self, rules: Sequence[tuple[str, str]]) -> None:
        """Load rules in the order of the list: (tool, text), the tool perhaps with -noflush behind it."""
        for kind, text in rules:
            self._tool = tool = kind.removesuffix("-noflush").removesuffix("-legacy")
            if tool not in _TOOLS:
                raise _unsupported(f"the tool {tool!r}")
            self.host.load_rules(text, tool=tool, flush=not kind.endswith("-noflush"))

    def step(self, step: Step) -> dict[str, Any]:
        """Carry out one step."""
        if step["op"] not in self._carry_out:
            raise _unsupported(f"the step {step['op']!r}")
        self._outs.append(())
        found = self._carry_out[step["op"]](step)
        self.host.advance(_BETWEEN_STEPS)
        return {"op": step["op"], **found}

    def _packet(self, step: Step) -> dict[str, Any]:
        if not self._has_left(step):
            return {"dev": step.get("dev"), **self._seen(b"", PacketResult("unsent"))}
        device, packet = self._prepared(step)
        assert device is not None, "a packet comes in by a device"
        for _ in range(step.get("times", 1) - 1):
            self.host.receive(device, packet)
            self.host.advance(_BETWEEN_STEPS)
        return {"dev": device, **self._seen(packet, self.host.receive(device, packet))}

    def _local(self, step: Step) -> dict[str, Any]:
        _, packet = self._prepared(step)
        return {"dev": None, **self._seen(packet, self.host.send_local(packet))}

    def _has_left(self, step: Step) -> bool:
        """Whether the packet that this step answers or quotes left the box, as it did when the case was recorded."""
        refers = [step.get("reply_to"), step["pkt"].get("quote")]
        return all(self._outs[number] for number in refers if isinstance(number, int))

    def _prepared(self, step: Step) -> tuple[str | None, bytes]:
        """The device and the bytes; an answer comes in where the packet that it answers went out."""
        spec, device = step["pkt"], step.get("dev")
        if "reply_to" in step:
            came_from, answered = self._outs[step["reply_to"]][step.get("out", 0)]
            spec, device = answer_to(answered, spec), device or came_from
        if spec["k"] == "icmp_error" and isinstance(spec["quote"], int) and not device:
            device = self._outs[spec["quote"]][0][0]
        return device, build(spec, lambda number: self._outs[number][0][1])

    def _seen(self, packet: bytes, result: PacketResult) -> dict[str, Any]:
        self._outs[-1] = result.outs
        return {
            "hex": packet.hex(),
            "verdict": result.verdict,
            "outs_hex": [[device, out.hex()] for device, out in result.outs],
            "local_hex": [packet.hex() for packet in result.local],
            "ctstate": sorted(result.ctstate),
        }

    def _sleep(self, step: Step) -> dict[str, Any]:
        self.host.advance(round(step["s"] * _SECOND))
        return {}

    def _rules(self, step: Step) -> dict[str, Any]:
        self.load(step["rules"])
        return {}

    def _try_rules(self, step: Step) -> dict[str, Any]:
        """Rules that the kernel may refuse. What is not modelled is no refusal."""
        try:
            self.load(step["rules"])
        except UnsupportedError:
            raise
        except RuleError:
            return {"ok": False}
        return {"ok": True}

    def _sysctl(self, step: Step) -> dict[str, Any]:
        self.host.set_sysctl(step["key"], step["value"])
        return {}

    def _command(self, step: Step) -> dict[str, Any]:
        """A command of the conntrack tool or of nft; ``ip`` and the like are not modelled."""
        words = step["cmd"].split() if isinstance(step["cmd"], str) else step["cmd"]
        if words[0] == "ip":
            return {"rc": self.host.ip(*words[1:])}
        if words[0] == "nft":
            return {"rc": self.host.nft(" ".join(words[1:]))}
        if words[0] != "conntrack":
            raise _unsupported(f"the command {' '.join(words)!r}")
        found = self.host.conntrack_tool(*words[1:])
        self.host.advance(round(step.get("settle", 0) * _SECOND))
        return {"rc": found["rc"], **({"count": found["count"]} if step.get("count") else {})}

    def _hold(self, step: Step) -> dict[str, Any]:
        found = self._packet(step)
        return {**found, "held": int(found["verdict"] == "queued")}

    def _release(self, step: Step) -> dict[str, Any]:
        result = self.host.release(step["n"])
        self._outs[-1] = result.outs
        return {
            "verdict": result.verdict,
            "outs_hex": [[device, out.hex()] for device, out in result.outs],
            "local_hex": [packet.hex() for packet in result.local],
        }

    def _recent(self, step: Step) -> dict[str, Any]:
        listed = self.host.recent(step["name"], tool=self._tool) or []
        return {
            "recent": [
                {"src": ip_address(entry["addr"]).exploded, "nstamps": len(entry["stamps"])}
                for entry in listed
            ]
        }

    def _rule_counters(self, step: Step) -> dict[str, Any]:
        tool = "ip6tables" if step.get("v6") else "iptables"
        return {"rule_counters": self.host.counters(step.get("table", "filter"), tool=tool)}

    def _counters(self, step: Step) -> dict[str, Any]:
        return {"counters": self.host.nft_counters(step["table"], family=step.get("family", "ip"))}

    def _nft_set(self, step: Step) -> dict[str, Any]:
        keys = self.host.nft_elements(step["table"], step["name"], family=step.get("family", "ip"))
        return {"elements": sorted(json.dumps(key, sort_keys=True) for key in keys)}

    def _dump(self, step: Step) -> dict[str, Any]:
        del step
        return {"conntrack": self.host.conntrack()}
