"""One Linux box from what describes it.

That is a case file's topology, or what ``ip -j addr``, ``ip -j route``, ``ip -j rule`` and ``sysctl -a`` print on a
real one. Several descriptions are merged.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kdp.errors import LoadError, UsageError, ValidationError
from kdp.host import Host

if TYPE_CHECKING:
    from kdp.sources import Source

__all__ = ["Box", "read_box"]

Json = Mapping[str, Any]

SYSCTL = re.compile(r"^([a-z][\w.\-/]*)\s*=\s*(.*)$")
SWITCHES = ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding")
"""Sysctls of the box that are taken as they are; those of connection tracking are by their prefix."""

CONNTRACK = "net.netfilter.nf_conntrack_"
READ_ONLY = {"count", "events_retry_timeout", "buckets"}
PER_DEVICE = re.compile(r"net\.ipv4\.conf\.(.+)\.(rp_filter|route_localnet)$")
ROUTE_KINDS = {"unicast", "blackhole", "unreachable", "prohibit", "throw"}
LOCAL_KINDS = {"local", "broadcast", "multicast", "anycast"}
LINK_LOCAL = ("fe80:",)


@dataclass
class Box:
    """What is known of a box.

    ``topology``: as ``kdp.Host`` takes it. ``commands``: words of the ``ip`` tool that finish it.

    ``notes``: what a description holds that has no counterpart here.
    """

    topology: dict[str, Any] = field(default_factory=lambda: {"devs": {}})
    commands: list[tuple[str, ...]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def host(self, *, seed: int = 1) -> Host:
        """Make the box."""
        host = Host(self.topology, seed=seed)
        for words in self.commands:
            if host.ip(*words):
                raise ValidationError(
                    "topology-invalid", f"topology: ip {' '.join(words)}: the box refuses it"
                )
        return host


def read_box(sources: Sequence[Source]) -> Box:
    """Merge descriptions; each is recognised by its content. One that is none of them is ``topology-unknown``."""
    box = Box()
    sysctls: dict[str, str] = {}
    routes: list[Json] = []
    for name, data in sources:
        found = _content(name, data)
        if isinstance(found, Mapping):
            _merge_topology(box, found.get("topology", found), name)
        elif found and isinstance(found[0], tuple):
            sysctls |= dict(found)
        elif all("ifname" in each for each in found):
            _add_devices(box, found)
        elif all("dst" in each for each in found):
            routes += found
        elif all("priority" in each for each in found):
            _add_rules(box, found)
        else:
            raise _unknown(name)
    _add_routes(box, routes)
    _add_sysctls(box, sysctls)
    if not box.topology["devs"]:
        raise UsageError(
            "topology-unknown",
            'the box has no device: give --host a topology ({"devs": {"eth0": ["192.0.2.1/24"]}}), or what '
            "`ip -j addr` prints",
        )
    return box


def _unknown(name: str) -> UsageError:
    return UsageError(
        "topology-unknown",
        f"{name}: it is neither a topology (JSON with devs), nor what `ip -j addr`, `ip -j route`, `ip -j rule` or "
        "`sysctl -a` prints",
    )


def _content(name: str, data: bytes) -> Any:  # noqa: ANN401 -- JSON, or pairs of sysctls
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise LoadError("source-not-text", f"{name}: it is not UTF-8 text") from None
    if text.lstrip()[:1] in ("{", "["):
        try:
            found = json.loads(text)
        except json.JSONDecodeError as error:
            raise LoadError("json-syntax", f"{name}:{error.lineno}:{error.colno}: {error.msg}") from None
        entries = [each for each in found if each] if isinstance(found, list) else found
        is_list = isinstance(entries, list) and all(isinstance(each, dict) for each in entries)
        if is_list or (isinstance(found, dict) and ("devs" in found or "topology" in found)):
            return entries
        raise _unknown(name)
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith(("#", "sysctl: "))]
    pairs = [SYSCTL.match(line) for line in lines]
    if not lines or not all(pairs):
        raise _unknown(name)
    return [(pair[1], pair[2].strip()) for pair in pairs if pair]


def _merge_topology(box: Box, given: Any, name: str) -> None:  # noqa: ANN401 -- a user's JSON
    if not isinstance(given, Mapping) or not isinstance(given.get("devs", {}), Mapping):
        raise _unknown(name)
    for key, value in given.items():
        known = box.topology.get(key)
        if isinstance(value, Mapping):
            box.topology[key] = {**(known or {}), **value}
        elif isinstance(value, list):
            box.topology[key] = [*(known or []), *value]
        else:
            box.topology[key] = value


def _add_devices(box: Box, links: Iterable[Json]) -> None:
    for link in links:
        name = link["ifname"].partition("@")[0]
        addresses = [
            f"{each['local']}/{each['prefixlen']}"
            for each in link.get("addr_info", ())
            if "local" in each and not each["local"].startswith(LINK_LOCAL)
        ]
        if name == "lo":
            extra = [each for each in addresses if each not in ("127.0.0.1/8", "::1/128")]
            box.topology.setdefault("lo_addrs", []).extend(extra)
            continue
        box.topology["devs"][name] = addresses
        if link.get("mtu", 1500) != 1500:
            box.commands.append(("link", "set", name, "mtu", str(link["mtu"])))
        if "flags" in link and "UP" not in link["flags"]:
            box.commands.append(("link", "set", name, "down"))


def _add_routes(box: Box, routes: Iterable[Json]) -> None:
    """Routes that follow from a device's own addresses are there already; link-local ones have no counterpart."""
    for route in routes:
        dst, kind = str(route["dst"]), route.get("type", "unicast")
        is_own = route.get("protocol") == "kernel" and "gateway" not in route
        if kind in LOCAL_KINDS or is_own or dst.startswith((*LINK_LOCAL, "ff00:")):
            continue
        if kind not in ROUTE_KINDS or "nexthops" in route:
            what = "several next hops" if "nexthops" in route else f"type {kind}"
            raise ValidationError("topology-invalid", f"topology: route to {dst}: {what} is not modelled")
        box.commands.append(_route_words(route, dst, kind))


def _route_words(route: Json, dst: str, kind: str) -> tuple[str, ...]:
    gateway = str(route.get("gateway") or (route.get("via") or {}).get("host", ""))
    is_v6 = ":" in dst or ":" in gateway
    words = ["-6"] if is_v6 else []
    words += ["route", "replace", *([] if kind == "unicast" else [kind]), dst]
    words += ["via", gateway] if gateway else []
    words += ["dev", route["dev"].partition("@")[0]] if "dev" in route and kind == "unicast" else []
    table = str(route.get("table", "main"))
    return (*words, *([] if table == "main" else ["table", table]))


def _add_rules(box: Box, rules: Iterable[Json]) -> None:
    """The kernel's own three rules are there; others lead to a table by the packet's mark."""
    for rule in sorted(rules, key=lambda rule: -int(rule["priority"])):
        if rule.get("table") in ("local", "main", "default") and "fwmark" not in rule:
            continue
        if "fwmark" not in rule or {"src", "dst", "iif", "oif", "tos"} & {
            key for key, value in rule.items() if value not in ("all", None)
        }:
            said = ", ".join(f"{key} {value}" for key, value in rule.items())
            raise ValidationError(
                "topology-invalid", f"topology: rule ({said}): only fwmark rules are modelled"
            )
        mark = rule["fwmark"] + (f"/{rule['fwmask']}" if "fwmask" in rule else "")
        box.commands.append(("rule", "add", "fwmark", mark, "table", str(rule["table"])))


def _add_sysctls(box: Box, found: Mapping[str, str]) -> None:
    wanted = {
        name: value
        for name, value in found.items()
        if name in SWITCHES or (name.startswith(CONNTRACK) and value.isdecimal())
    }
    # What kdp has no counterpart for is tried here, so that one list of names is enough: the core's.
    probe = Host({"devs": {}})
    known = {name: value for name, value in wanted.items() if _takes(probe, name, value)}
    known |= _of_devices(found, box.topology["devs"])
    if found:
        box.notes.append(
            f"{len(known)} of {len(found)} sysctls decide about packets here; the others are left out"
        )
        box.topology["sysctl"] = {**known, **box.topology.get("sysctl", {})}


def _takes(host: Host, name: str, value: str) -> bool:
    if name.removeprefix(CONNTRACK) in READ_ONLY:
        return False
    try:
        host.set_sysctl(name, value)
    except ValidationError:
        return False
    return True


def _of_devices(found: Mapping[str, str], devices: Iterable[str]) -> dict[str, str]:
    """``rp_filter`` and ``route_localnet`` in force: the greater one of ``all`` and the device's own.

    Source: include/linux/inetdevice.h ``IN_DEV_MAXCONF``, ``IN_DEV_ORCONF``, v6.12. Here a box has one value for all.
    """
    settings: dict[str, dict[str, int]] = {}
    for name, value in found.items():
        of = PER_DEVICE.match(name)
        if of and value.isdecimal():
            settings.setdefault(of[2], {})[of[1]] = int(value)
    result = {}
    for name, by_device in settings.items():
        everywhere = by_device.get("all", 0)
        in_force = {device: max(everywhere, by_device[device]) for device in devices if device in by_device}
        values = set(in_force.values()) or {everywhere}
        if len(values) > 1:
            listed = ", ".join(f"{device} {value}" for device, value in in_force.items())
            raise ValidationError(
                "topology-invalid",
                f"topology: {name} differs between devices ({listed}): one value for all is what is modelled",
            )
        result[f"net.ipv4.conf.all.{name}"] = str(values.pop())
    return result
