"""What people do to a box while packets pass: commands of conntrack, ip and nft, sysctls, other rules, a pause."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from tests.kernel.free_iptables import free_iptables
from tests.kernel.place import random_sysctl

if TYPE_CHECKING:
    from tests.kernel.world import World

Step = dict[str, Any]


def random_deed(rng: random.Random, world: World, *, may_sleep: bool) -> Step:  # noqa: PLR0911 - one return for each thing that may happen
    """One step that is no packet."""
    dice = rng.random()
    if may_sleep and dice < 0.15:
        return {"op": "sleep", "s": rng.choice([0.05, 1.1, 2.1])}
    if dice < 0.45:
        return {"op": "cmd", "cmd": ["conntrack", *_conntrack(rng, world)], "count": True}
    if dice < 0.6:
        name, value = random_sysctl(rng)
        if name.endswith("_acct"):  # counts from the next new connection on
            name, value = "net.netfilter.nf_conntrack_tcp_loose", 1
        return {"op": "sysctl", "key": name, "value": value}
    if dice < 0.75:
        return {"op": "cmd", "cmd": ["ip", *_ip(rng, world)]}
    if dice < 0.85 and world.shape == "free" and world.language == "nft":
        return {"op": "cmd", "cmd": ["nft", *_elements(rng, world)]}
    # The kernel drops what waits in a queue when the hook that queued it goes away.
    if dice < 0.95 and world.shape == "free" and world.language != "nft" and not world.holds:
        return {
            "op": "rules",
            "rules": [[world.language, free_iptables(rng, world.place, queue=world.holds)]],
        }
    return {"op": "dump"}


def _conntrack(rng: random.Random, world: World) -> list[str]:
    """Deletions, in the forms that kube-proxy and people use; now and then a listing or an update."""
    place = world.place
    family = ["-f", "ipv4" if place.family == 4 else "ipv6"]
    vip, pod, source = (
        rng.choice(place.vips),
        rng.choice(place.pods),
        rng.choice([s for _, s in place.senders]),
    )
    return rng.choice(
        [
            ["-D", *family, "-p", "udp", "--orig-dst", vip],
            ["-D", *family, "-p", "udp", "--orig-dst", vip, "--dst-nat", pod],
            ["-D", *family, "-p", "udp", "--dport", "53"],
            ["-D", *family, "-p", "tcp", "--orig-port-dst", "80"],
            ["-D", *family, "-s", source],
            ["-D", *family, "-p", "tcp", "--state", "SYN_SENT"],
            ["-D", *family, "-m", "2"],
            ["-L", *family, "-p", "tcp"],
            ["-L", *family, "-d", vip],
            ["-U", *family, "-p", "udp", "-s", source, "--mark", "7"],
            ["-U", *family, "-p", "tcp", "-d", vip, "--timeout", "500"],
            ["-F", *family],
        ]
    )


def _ip(rng: random.Random, world: World) -> list[str]:
    """Routes that come and go, devices that go down and up again, an MTU."""
    place = world.place
    six = [] if place.family == 4 else ["-6"]
    pod, vip = rng.choice(place.pods), rng.choice(place.vips[:2])  # the third may be on lo
    # IPv4 counts its errors of routing by the clock: so it has none here, and fixed cases ask for them.
    kinds = ["blackhole"] if place.family == 4 else ["blackhole", "unreachable", "prohibit"]
    return rng.choice(
        [
            *(
                [*six, "route", rng.choice(["replace", "del"]), kind, rng.choice([pod, vip])]
                for kind in kinds
            ),
            [*six, "route", "replace", place.far[0], "dev", rng.choice(["cli0", "ext0"])],
            [*six, "route", "del", place.far[0]],
            ["link", "set", "dev", "pod0", "mtu", rng.choice(["1400", "1300", "1500"])],
        ]
    )


def _elements(rng: random.Random, world: World) -> list[str]:
    place = world.place
    family = "ip" if place.family == 4 else "ip6"
    source = rng.choice([source for _, source in place.senders])
    return [rng.choice(["add", "delete"]), "element", family, "g0", "hosts", "{", source, "}"]
