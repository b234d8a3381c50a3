"""The Rust core: what decides and counts. Private; the public names are in `kdp`."""

import builtins
from collections.abc import Sequence
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Api",
    "Cluster",
    "Host",
    "__version__",
    "conformance",
    "error_codes",
    "read_capture",
    "releases",
    "rules_support",
    "write_capture",
    "yaml_documents",
]

__version__: str

def error_codes() -> list[str]:
    """Every error code that the core can raise, sorted."""

def releases() -> list[str]:
    """The Kubernetes releases that have a profile, oldest first: `1.30` and so on."""

def rules_support(kind: str, text: str, name: str) -> str:
    """What of a text of rules is not modelled, or wrong: all of it, in the order of its lines.

    `kind`: `iptables`, `ip6tables`, `nft`, `ipset`, or `auto`; `name`: what the text is called in messages.
    JSON: {"kind": "nft", "findings": [{"line": 3, "text": "...", "code": "...", "message": "..."}]}.
    """

def read_capture(file: bytes) -> list[tuple[int, str | None, int, bytes | None, int, bool]]:
    """The frames of a pcap or pcapng file, in its order.

    Of each: nanoseconds since 1970; the device, where the file names it; bytes that were cut off; the IP packet, or
    None; what it is otherwise, an EtherType; whether the machine that captured it sent it.
    """

def write_capture(packets: Sequence[tuple[int, str, bytes]], pcapng: bool) -> bytes:
    """A pcap (or pcapng) file of IP packets: nanoseconds since 1970, device, bytes of each."""

def yaml_documents(name: str, text: bytes) -> list[str]:
    """The documents of a YAML text as JSON texts, a bare `y` or `n` is a text; `name` is for messages."""

def conformance(kind: str, text: str) -> str:
    """Runs one case: JSON in, JSON out.

    `kind`: the name of a function of `kdp.conformance` that the core carries out.
    """

@final
class Api:
    """The API and DNS servers of a cluster, without sockets.

    `schemas`: the published schemas of a release as JSON, under `$defs`. `epoch`: the moment at which virtual time
    is 0, in nanoseconds since 1970.
    """

    def __new__(cls, cluster: Cluster, schemas: bytes, epoch: int) -> Api: ...
    def handle(
        self,
        method: str,
        path: str,
        query: Sequence[tuple[str, str]],
        accept: str,
        content_type: str,
        body: bytes,
    ) -> tuple[int, str, builtins.list[str], bytes]:
        """Answer a request: status, media type, texts of warnings, body.

        A watch that was opened has the media type `watch`, and for its body the JSON list of its number, its kind, its
        namespace or null, and the seconds that the client wants it or null.
        """

    def poll(self, watch: int) -> builtins.list[str]:
        """What an open watch has to send: a JSON text for each event."""

    def bookmark(self, watch: int) -> str | None:
        """A bookmark for an open watch, if its client takes them."""

    def close(self, watch: int) -> None:
        """Close a watch."""

    def touched(self, since: int) -> tuple[int, builtins.list[tuple[str, str]]]:
        """The version of the last change, and the kinds and namespaces that changed behind a version, each once."""

    def dns(self, question: str) -> bytes:
        """Answer a DNS question: JSON in the form of a DNS case's `queries` and `expect` (docs/case-files.md)."""

    def reap(self) -> None:
        """Remove namespaces that were to go and have become empty."""

@final
class Host:
    """One Linux box: devices, addresses, routes, sysctls, rules, connection tracking.

    `topology`: JSON in the form of a packet case: {"devs": [{"name", "addrs": ["IP/LEN", …]}], "routes": [...],
    "sysctls": {...}}.
    Times are virtual nanoseconds and never go back.
    """

    def __new__(cls, topology: str, seed: int) -> Host: ...
    def load_rules(self, tool: str, text: str, noflush: bool, now: int = 0) -> None:
        """`tool`: `iptables` or `ip6tables`; `text`: what its -restore takes. All or nothing.

        `ipset`: what `ipset restore` takes; timeouts begin at `now`.
        `nft`: what `nft -f` takes, which never flushes by itself; timeouts of its elements begin at `now`.
        """

    def rules(self, tool: str, now: int = 0) -> str:
        """The rules as `iptables-save` or `ip6tables-save` lists them; of `ipset` the sets at `now`."""

    def receive(self, device: str, packet: bytes, now: int, mark: int = 0) -> bytes:
        """A packet comes in by `device`, with a mark.

        JSON: {"verdict", "reason" (text, null where it went on), "outs": [[device, hex], …], "local": [hex, …],
        "ctstate": [word, …], "rules_walked", "steps": [...]}.

        Verdicts: `forward`, `local`, `drop`, `reject`, `local+out`, `error:` and the errno's text.
        """

    def send_local(self, packet: bytes, now: int, mark: int = 0) -> bytes:
        """The box itself sends a packet; the same form."""

    def devices(self) -> list[str]:
        """Names of the devices in the order of their numbers, which begin at 1: `lo` first."""

    def way_in(self, src: str) -> str | None:
        """The device by which the way back to `src` leads; empty for the box's own addresses, None for no way."""

    def send_packets(
        self, columns: dict[str, NDArray[Any]]
    ) -> tuple[
        NDArray[np.uint8],
        NDArray[np.uint32],
        NDArray[np.uint32],
        NDArray[np.uint16],
        NDArray[np.uint32],
        NDArray[np.uint16],
        NDArray[np.uint8],
        NDArray[np.uint32],
    ]:
        """A batch of packets with complete headers, in order; columns of equal length, IPv4, host byte order.

        Columns: `time_ns` uint64 (never smaller than before), `device` uint32 (its number; 0: the box itself sends),
        `src`, `dst` uint32, `sport`, `dport` uint16 (ICMP: id; type * 256 + code), `proto`, `flags`, `ttl` uint8,
        `seq`, `ack`, `mark` uint32, `window`, `length` uint16 (of the whole packet).

        Returns verdict (as `Cluster.send`), device (0: it did not leave), src, sport, dst, dport as they left, the
        state in connection tracking (0 INVALID, 1 NEW, 2 RELATED, 3 ESTABLISHED, 4 UNTRACKED, 255: it was not
        looked at) and rules walked. Releases the GIL.
        """

    def conntrack(self, now: int) -> bytes:
        """JSON array of the entries: orig, reply, flags, timeout, mark, zone, tcp state."""

    def ip(self, arguments: Sequence[str]) -> int:
        """Does what the `ip` tool does with these words (`["route", "add", ...]`); its exit status."""

    def hold(self, holds: bool) -> None:
        """Whether packets that a rule hands to a queue are held; without it nobody listens and they are dropped."""

    def release(self, number: int, now: int) -> bytes:
        """A held packet, by the number that `held` gave, goes on behind the rule that held it; as `receive`."""

    def set_sysctl(self, name: str, value: str) -> None:
        """Sets a sysctl by its full name; one that is not modelled is an error."""

    def tool(self, arguments: Sequence[str], now: int) -> bytes:
        """Runs a command of the conntrack tool (`["-D", "-p", "udp"]`). JSON: {"rc", "count" (or null), "text"}."""

    def stats(self) -> bytes:
        """JSON: what the table has counted: invalid, insert_failed, drop, early_drop, clash_resolve."""

    def recent(self, tool: str, name: str) -> bytes:
        """A `recent` list: JSON array of {"addr", "stamps" (nanoseconds)}, oldest first; null if no rule names it."""

    def counters(self, tool: str, table: str) -> bytes:
        """JSON: {chain: {"policy": [packets, bytes] or null, "rules": [[packets, bytes], ...]}}."""

    def nft_counters(self, family: str, table: str) -> bytes:
        """JSON: {name: {"packets", "bytes"} or {"quota", "consumed"}}; null if there is no such table."""

    def nft_reset_counters(self, family: str, table: str) -> bool:
        """Sets the named counters of a table to zero; False if there is no such table."""

    def nft_elements(self, family: str, table: str, name: str, now: int) -> bytes:
        """JSON: the keys of a set that are alive, in the form of `nft -j`; null if there is no such set."""

@final
class Cluster:
    """Objects, controllers, nodes and virtual time.

    `sources`: (name, bytes) of YAML or JSON texts, read as one set: nothing is kept if one of them is refused.
    `options`: JSON object, every key optional: `seed` (int), `k8s` (release), `mode` (`iptables`),
    `cluster_cidr` (text, one or
    two CIDRs with a comma), `service_cidr`, `complete` (bool, default true: make what a bare manifest leaves out),
    `evaluator` (`indexed` or `scan`), `latency` (object: edge name to nanoseconds), `proxy` (object: kube-
    proxy's options in the form of a case's proxy block), `proxy_flags` (object: options by their names on kube-proxy's
    command line), `proxy_config` (object: `name` and `text` of a KubeProxyConfiguration), `proxy_timers` (bool: syncs
    wait as minSyncPeriod and syncPeriod say).
    Raises `kdp.KdpError` subclasses, each with a `code` of docs/errors.md.
    """

    def __new__(cls, sources: Sequence[tuple[str, bytes]], options: str) -> Cluster: ...
    def notes(self) -> builtins.list[str]:
        """What loading had to say: kinds it keeps but does not know, objects it made."""

    def mode(self) -> str:
        """The mode that kube-proxy runs in: `iptables` or `nftables`."""

    def now(self) -> int:
        """Virtual time in nanoseconds."""

    def advance(self, to: int) -> None:
        """Moves virtual time to `to` nanoseconds; events due until then happen."""

    def run(self, to: int) -> None:
        """Like `advance`, with the controllers of workloads at work from now on."""

    def act(self, action: str) -> None:
        """Does one action: JSON object with `do` and what it needs (see `kdp.running`)."""

    def watch(self, to: int, kinds: Sequence[str]) -> bytes:
        """Like `run`, until an object of one of the kinds changes.

        JSON array of the changes of that moment: {"type": "ADDED" | "MODIFIED" | "DELETED", "at" (nanoseconds),
        "object", "before" (or null)}; empty if nothing changed until `to`.
        """

    def churn(self, plan: str) -> bytes:
        """Runs an experiment: things change while clients talk.

        `plan`: JSON object with `until`, `actions`, `traffic` (see `kdp.experiments.churn`). JSON: counts by second,
        causes with the first packet that shows each, connections by endpoint, rules walked, entries without an end.
        Ctrl-C ends it.
        """

    def moment(self, at: int) -> str:
        """A moment of virtual time as the API writes it."""

    def list(
        self, kind: str, namespace: str | None, selector: str | None, fields: str | None = None
    ) -> bytes:
        """JSON array of the objects of a kind, in creation order; `namespace` None: all.

        `kind`: `Service`, or with its group `apps/Deployment`. `selector`, `fields`: a label selector and a field
        selector as texts.
        """

    def kinds(self) -> bytes:
        """JSON array of the kinds of which there are objects: {"group", "kind", "namespaced"}."""

    def get(self, kind: str, namespace: str, name: str) -> bytes:
        """One object as JSON. `not-found` names the nearest."""

    def put(self, sources: Sequence[tuple[str, bytes]]) -> None:
        """Writes objects into the store (create or replace); what follows from them follows on virtual time."""

    def delete(self, kind: str, namespace: str, name: str) -> None:
        """Deletes one object from the store."""

    def resolve(self, question: str) -> bytes:
        """DNS as a Pod does it.

        `question`: {"from": "pod/NS/NAME", "name": text}. JSON of kind Resolution (docs/json-output.md).
        """

    def connect(self, question: str) -> bytes:
        """One connection, request and reply: JSON of kind Trace (docs/json-output.md).

        `question`: {"from": "pod/NS/NAME" | "node/NAME" | "IP", "to": "HOST:PORT", "namespace": text,
        "protocol": "tcp"|"udp",
        "sport": int or null}.
        """

    def explore(self, question: str) -> bytes:
        """Every outcome of a new connection with its probability: JSON of kind Exploration."""

    def rules(self, node: str, family: str, form: str) -> str:
        """A node's rules.

        `family`: `IPv4` or `IPv6`; `form`: `save`, `restore`, or `TABLE CHAIN` for a listing like `iptables -L
        -n`.
        """

    def replace_rules(self, node: str, tool: str, text: str, source: str) -> None:
        """Puts other rules in the place of a node's own.

        `tool`: `iptables`, `ip6tables` or `nft`; `source` is what the text is called in errors.
        """

    def rule_counts(self, node: str) -> bytes:
        """JSON: {"IPv4": {"nat": {"rules": n, "chains": n}, …}, …}."""

    def receive(self, node: str, device: str, packet: bytes) -> bytes:
        """Bytes into a node by one of its devices; JSON as `Host.receive`."""

    def send_local(self, node: str, packet: bytes) -> bytes:
        """Bytes from a node itself; JSON as `Host.receive`."""

    def topology(self, node: str) -> bytes:
        """A node's devices, addresses, routes and sysctls: JSON in the form that `Host` takes."""

    def proxy_metrics(self, node: str) -> str:
        """The metrics page of a node's kube-proxy, in Prometheus' text format."""

    def proxy_service_health(self, node: str, namespace: str, name: str, family: str) -> bytes:
        """JSON: a health-check node port's answer, `{"port", "status", "headers", "body"}`; null if there is none."""

    def proxy_healthz(self, node: str, live: bool) -> int:
        """The status code of `/healthz`, or of `/livez`; each answer is counted."""

    def proxy_refuse(self, node: str, syncs: int) -> None:
        """The kernel refuses so many of the next syncs of a node's kube-proxy."""

    def proxy_restart(self, node: str) -> None:
        """Starts a node's kube-proxy anew."""

    def flush_rules(self, node: str) -> None:
        """Flushes iptables' rules of a node, as `iptables -F` and `-X` do in each table."""

    def conntrack(self, node: str) -> str:
        """A node's connection tracking table, in the conntrack tool's own text."""

    def facts(self, kind: str, namespace: str, name: str) -> bytes:
        """Evidence for an explanation, as JSON (see `kdp.explain`). `kind`: `Service` or `ServiceMonitor`."""

    def nodes(self) -> builtins.list[str]:
        """Names of the nodes, in creation order."""

    def endpoints(self) -> bytes:
        """JSON array of every Pod that has an address: {"namespace", "name", "ip", "node"}, in creation order."""

    def pod_ips(self, node: str) -> NDArray[np.uint32]:
        """IPv4 addresses of a node's Pods, (n,) uint32 in host byte order."""

    def send(
        self,
        node: str,
        src: NDArray[np.uint32],
        sport: NDArray[np.uint16],
        dst: NDArray[np.uint32],
        dport: NDArray[np.uint16],
        proto: NDArray[np.uint8],
    ) -> tuple[
        NDArray[np.uint8],
        NDArray[np.uint32],
        NDArray[np.uint16],
        NDArray[np.uint32],
        NDArray[np.uint16],
        NDArray[np.uint32],
    ]:
        """A batch of flows through one node, in order; columns of equal length, host byte order.

        Returns verdict, src, sport, dst, dport as they left, and rules walked. Verdicts: 0 forwarded, 1
        delivered to the node
        itself, 2 dropped, 3 rejected, 4 no route. Releases the GIL.
        """
