"""A cluster, its Pods, nodes and Services, as Python sees them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from kdp import _core
from kdp.arguments import bad_argument, check_choice, check_port, nearest
from kdp.custom_kinds import custom_kinds
from kdp.durations import parse_duration
from kdp.errors import NotFoundError, UsageError
from kdp.kinds import KindNames, find_kind, split_reference
from kdp.objects import Manifest
from kdp.proxy_options import ProxyOptions, proxy_options
from kdp.running import Running
from kdp.sources import Source, from_objects, from_paths

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from kdp.explain import Explanation
    from kdp.flows import FlowResult, Flows
    from kdp.proxy import ProxyRef
    from kdp.trace import Exploration, Trace

__all__ = ["Cluster", "NodePods", "NodeRef", "PodRef", "ServiceRef"]


class Cluster(Running):
    """Objects, the controllers over them, nodes with their rules, and virtual time.

    ``objects`` are manifests: those of ``kdp.Service`` and so on, or any mapping in the API's form. What a bare
    manifest leaves out is made (Pods of a Deployment, nodes, addresses) unless ``complete=False``. ``seed`` decides
    every random choice; ``k8s`` is the release whose behaviour is emulated; ``evaluator`` is ``indexed`` or ``scan``,
    which give the same answers at different speed.

    ``mode`` is kube-proxy's, ``iptables`` unless ``proxy`` says otherwise. ``proxy`` has kube-proxy's options: a
    mapping of their names on its command line (``{"masquerade-all": True}``), or its configuration, as a mapping of
    kind KubeProxyConfiguration or the path of such a file. With ``proxy_timers`` syncs wait as ``minSyncPeriod`` and
    ``syncPeriod`` say; else a node's rules are in line with the objects whenever somebody looks.

    ``latency`` says how long events take (``{"slice->node": "800ms"}``), ``timing`` how long Pods take for what they do
    (``{"start": "2s", "ready": "1s", "shutdown": "2s", "addresses": "lowest"}``).
    """

    seed: int
    core: _core.Cluster

    def __init__(
        self,
        objects: Iterable[Mapping[str, Any]] = (),
        *,
        seed: int = 1,
        k8s: str | None = None,
        mode: str | None = None,
        proxy: ProxyOptions | None = None,
        proxy_timers: bool = False,
        latency: Mapping[str, str | float] | None = None,
        timing: Mapping[str, str | float] | None = None,
        evaluator: str = "indexed",
        complete: bool = True,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        chosen = _options(seed, k8s, mode, evaluator, complete=complete, options=options)
        chosen |= proxy_options(proxy, timers=proxy_timers) | _times(latency, timing)
        _start(self, from_objects(objects), chosen)

    @classmethod
    def load(
        cls,
        paths: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
        *,
        recursive: bool = False,
        seed: int = 1,
        k8s: str | None = None,
        mode: str | None = None,
        proxy: ProxyOptions | None = None,
        proxy_timers: bool = False,
        latency: Mapping[str, str | float] | None = None,
        timing: Mapping[str, str | float] | None = None,
        evaluator: str = "indexed",
        complete: bool = True,
        options: Mapping[str, Any] | None = None,
    ) -> Cluster:
        """Load YAML or JSON files, folders, or ``-`` for standard input, as one set.

        Nothing is kept of a set of which one object is refused.
        """
        chosen = _options(seed, k8s, mode, evaluator, complete=complete, options=options)
        chosen |= proxy_options(proxy, timers=proxy_timers) | _times(latency, timing)
        cluster = cls.__new__(cls)
        _start(cluster, from_paths(paths, recursive=recursive), chosen)
        return cluster

    @classmethod
    def from_sources(cls, sources: Sequence[Source], options: Mapping[str, Any]) -> Cluster:
        """Load named bytes with the core's own options."""
        cluster = cls.__new__(cls)
        _start(cluster, sources, options)
        return cluster

    def __repr__(self) -> str:
        return f"<kdp.Cluster: {len(self.core.nodes())} nodes, seed {self.seed}>"

    @property
    def notes(self) -> list[str]:
        """What loading had to say: objects that were made, kinds that are kept without being understood."""
        return self.core.notes()

    @property
    def mode(self) -> str:
        """The mode that kube-proxy runs in: ``iptables`` or ``nftables``."""
        return self.core.mode()

    @property
    def now(self) -> int:
        """Virtual time in nanoseconds."""
        return self.core.now()

    def advance(self, to: int) -> None:
        """Move virtual time to ``to`` nanoseconds."""
        self.core.advance(to)

    def get(
        self,
        kind: str | KindNames,
        name: str | None = None,
        *,
        namespace: str | None = None,
        selector: str | None = None,
        fields: str | None = None,
    ) -> list[Manifest]:
        """List the objects of a kind (``svc``, ``pods``, ``Service``…) in the order of their creation.

        ``namespace=None`` means all of them; ``selector`` is a label selector as text, ``fields`` a field selector
        over what the API server publishes of the kind. A ``name`` that is not there raises ``no-such-object``.
        """
        found = kind if isinstance(kind, KindNames) else self.kind(kind)
        if name is not None:
            space = (namespace or "default") if found.namespaced else ""
            return [Manifest(json.loads(self.core.get(found.path, space, name)))]
        space_or_all = namespace if found.namespaced else None
        listed = json.loads(self.core.list(found.path, space_or_all, selector, fields))
        return [Manifest(each) for each in listed]

    def kind(self, name: str) -> KindNames:
        """Find a kind by any of its names; kinds that only the objects name count too. Raises ``kind-unknown``."""
        try:
            return find_kind(name)
        except NotFoundError:
            return find_kind(name, self.custom_kinds)

    @property
    def custom_kinds(self) -> list[KindNames]:
        """Kinds of objects that are not Kubernetes' own, nor prometheus-operator's."""
        return custom_kinds(json.loads(self.core.kinds()), self.get("crd"))

    def pod(self, name: str) -> PodRef:
        """Find a Pod by ``NAMESPACE/NAME``, or by its name alone where only one namespace has it."""
        namespace, name = self._qualify("Pod", name)
        return PodRef(self, namespace, name)

    def service(self, name: str) -> ServiceRef:
        """Find a Service by ``NAMESPACE/NAME``, or by its name alone where only one namespace has it."""
        namespace, name = self._qualify("Service", name)
        return ServiceRef(self, namespace, name)

    def node(self, name: str) -> NodeRef:
        """Find a node by name."""
        self._check_node(name)
        return NodeRef(self, name)

    @property
    def nodes(self) -> list[NodeRef]:
        """Every node, in the order of creation."""
        return [NodeRef(self, name) for name in self.core.nodes()]

    def rules(self, node: str | None = None, *, family: str = "IPv4", form: str = "save") -> str:
        """Give a node's rules as text; the first node's unless one is named.

        ``form``: ``save`` and ``restore`` as iptables-save and iptables-restore have them, or ``TABLE CHAIN`` for the
        listing that ``iptables -t TABLE -L CHAIN -n`` prints.
        """
        check_choice("Cluster.rules(family=...)", family, ("IPv4", "IPv6"))
        return self.core.rules(self._node_or_first(node), family, form)

    def rule_counts(self, node: str | None = None) -> dict[str, dict[str, dict[str, int]]]:
        """Count rules and chains: by family, by table."""
        counts: dict[str, dict[str, dict[str, int]]] = json.loads(
            self.core.rule_counts(self._node_or_first(node))
        )
        return counts

    def explain(self, what: str, *, namespace: str | None = None) -> Explanation:
        """Say why a Service (``svc/NAME``) or ServiceMonitor (``servicemonitor/NAME``) works or does not."""
        from kdp.explain import explain

        return explain(self, what, namespace=namespace)

    def connect(
        self,
        source: str,
        to: str,
        *,
        namespace: str | None = None,
        protocol: str = "tcp",
        sport: int | None = None,
        via: str | None = None,
    ) -> Trace:
        """Make one connection from ``pod/NS/NAME``, ``node/NAME`` or an outside address; see ``PodRef.connect``.

        ``via`` is the node that packets from outside come to first, for addresses that are no node's own.
        """
        from kdp.trace import Trace

        question = _question(source, to, namespace, protocol, sport, via)
        return Trace(json.loads(self.core.connect(question)))

    def explore(
        self,
        source: str,
        to: str,
        *,
        namespace: str | None = None,
        protocol: str = "tcp",
        sport: int | None = None,
        via: str | None = None,
    ) -> Exploration:
        """Give every outcome of a new connection with its exact probability; the arguments are those of ``connect``."""
        from kdp.trace import Exploration

        question = _question(source, to, namespace, protocol, sport, via)
        return Exploration(json.loads(self.core.explore(question)))

    def resolve(self, name: str, source: str) -> dict[str, Any]:
        """Resolve a name as ``pod/NS/NAME``, ``node/NAME`` or an address does: every query with its answer.

        JSON of kind Resolution (docs/json-output.md).
        """
        question = json.dumps({"from": source, "name": name})
        found: dict[str, Any] = json.loads(self.core.resolve(question))
        client = found["from"]
        policy = None
        if client.get("kind") == "pod":
            pod = self.get("Pod", client["name"], namespace=client["namespace"])[0]
            policy = pod["spec"].get("dnsPolicy") or "ClusterFirst"
        return found | {"dnsPolicy": policy}

    @cached_property
    def endpoint_names(self) -> dict[str, str]:
        """Names of the Pods that have an address, ``NAMESPACE/NAME`` by address."""
        listed = json.loads(self.core.endpoints())
        return {pod["ip"]: f"{pod['namespace']}/{pod['name']}" for pod in listed}

    def put(self, *objects: Mapping[str, Any]) -> None:
        """Create or replace objects; what follows from them follows."""
        self.core.put(from_objects(objects))
        self.forget_names()

    def delete(self, kind: str, name: str, *, namespace: str = "default") -> None:
        """Delete an object."""
        self.core.delete(self.kind(kind).path, namespace, name)
        self.forget_names()

    def _qualify(self, kind: str, text: str) -> tuple[str, str]:
        namespace, name = split_reference(text)
        if namespace is not None:
            self.core.get(kind, namespace, name)  # `no-such-object` names the nearest
            return namespace, name
        return self.namespace_of(kind, name), name

    def namespace_of(self, kind: str, name: str) -> str:
        """Find the only namespace that has an object of the kind and name; raises ``name-ambiguous``."""
        pairs = self._names(kind)
        spaces = [namespace for namespace, other in pairs if other == name]
        if len(spaces) == 1:
            return spaces[0]
        if not spaces:
            near = nearest(name, {other for _, other in pairs})
            hint = f"; nearest: {', '.join(near)}" if near else ""
            raise NotFoundError("no-such-object", f"{kind} {name}: no namespace has one of this name{hint}")
        listed = ", ".join(f"{namespace}/{name}" for namespace in spaces)
        raise UsageError("name-ambiguous", f"{kind} {name}: {len(spaces)} namespaces have one: {listed}")

    def _names(self, kind: str) -> list[tuple[str, str]]:
        if kind == "Pod":
            # Pods are many, and those that can send have an address: a list of names is enough.
            return [(pod["namespace"], pod["name"]) for pod in json.loads(self.core.endpoints())]
        listed = json.loads(self.core.list(kind, None, None))
        return [(each["metadata"].get("namespace", ""), each["metadata"]["name"]) for each in listed]

    def _node_or_first(self, node: str | None) -> str:
        if node is not None:
            return self._check_node(node)
        names = self.core.nodes()
        if not names:
            raise NotFoundError(
                "no-such-object", "Node: the cluster has none, so nobody has rules; add a Node or a Pod"
            )
        return names[0]

    def _check_node(self, name: str) -> str:
        names = self.core.nodes()
        if name not in names:
            near = nearest(name, names) or names[:3]
            raise NotFoundError("no-such-object", f"Node {name}: there is none; nearest: {', '.join(near)}")
        return name


class _ObjectRef:
    """An object of a namespace, by its name."""

    kind: str

    def __init__(self, cluster: Cluster, namespace: str, name: str) -> None:
        self.cluster = cluster
        self.namespace = namespace
        self.name = name

    def __repr__(self) -> str:
        return f"<{self.kind} {self.namespace}/{self.name}>"

    def manifest(self) -> Manifest:
        """Give the object as it is now."""
        return Manifest(json.loads(self.cluster.core.get(self.kind, self.namespace, self.name)))


class PodRef(_ObjectRef):
    """A Pod of a cluster: what it is, and what it can send."""

    kind = "Pod"

    @property
    def ip(self) -> str | None:
        """Its first address; ``None`` if it has none."""
        return self.manifest().get("status", {}).get("podIP") or None

    @property
    def node(self) -> str | None:
        """The name of its node; ``None`` if it has none."""
        return self.manifest().get("spec", {}).get("nodeName") or None

    @property
    def labels(self) -> dict[str, str]:
        """Its labels."""
        return dict(self.manifest()["metadata"].get("labels", {}))

    def connect(self, to: str, *, protocol: str = "tcp", sport: int | None = None) -> Trace:
        """Connect to ``HOST:PORT``: a name as this Pod's resolver finds it, or an address.

        One packet goes there and its answer comes back; what became of them is in the trace. A packet that is
        dropped or rejected is an outcome, not an error.
        """
        return self.cluster.connect(self._from, to, namespace=self.namespace, protocol=protocol, sport=sport)

    def explore(self, to: str, *, protocol: str = "tcp", sport: int | None = None) -> Exploration:
        """Give every outcome of a new connection to ``HOST:PORT`` with its exact probability."""
        return self.cluster.explore(self._from, to, namespace=self.namespace, protocol=protocol, sport=sport)

    @property
    def _from(self) -> str:
        return f"pod/{self.namespace}/{self.name}"


class ServiceRef(_ObjectRef):
    """A Service of a cluster."""

    kind = "Service"

    @property
    def cluster_ip(self) -> str:
        """Its cluster address. A headless or ExternalName Service has none: ``no-cluster-ip``."""
        address = self.manifest()["spec"].get("clusterIP") or "None"
        if address == "None":
            text = f"Service {self.namespace}/{self.name} .spec.clusterIP: it is headless or ExternalName, and has none"
            raise UsageError("no-cluster-ip", text)
        return str(address)

    def explain(self) -> Explanation:
        """Say why it has the endpoints that it has, or none."""
        return self.cluster.explain(f"svc/{self.name}", namespace=self.namespace)


class NodePods:
    """The Pods of a node, as columns."""

    def __init__(self, cluster: Cluster, node: str) -> None:
        self._cluster = cluster
        self._node = node

    @property
    def ip(self) -> NDArray[np.uint32]:
        """Their IPv4 addresses, ``(n,)`` uint32 in host byte order."""
        return self._cluster.core.pod_ips(self._node)

    @property
    def names(self) -> list[str]:
        """Their names, ``NAMESPACE/NAME``, of those that have an address."""
        listed = json.loads(self._cluster.core.endpoints())
        return [f"{pod['namespace']}/{pod['name']}" for pod in listed if pod["node"] == self._node]


class NodeRef:
    """A node of a cluster: a Linux machine with kube-proxy's rules."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        self.cluster = cluster
        self.name = name

    def __repr__(self) -> str:
        return f"<Node {self.name}>"

    @property
    def pods(self) -> NodePods:
        """Its Pods."""
        return NodePods(self.cluster, self.name)

    def rules(self, *, family: str = "IPv4", form: str = "save") -> str:
        """Give its rules as text; see ``Cluster.rules``."""
        return self.cluster.rules(self.name, family=family, form=form)

    @property
    def proxy(self) -> ProxyRef:
        """Its kube-proxy as a process."""
        from kdp.proxy import ProxyRef

        return ProxyRef(self.cluster, self.name)

    def flush_rules(self) -> None:
        """Flush its iptables rules behind kube-proxy's back; with timers kube-proxy sees it within ``syncPeriod``."""
        self.cluster.core.flush_rules(self.name)

    def conntrack(self) -> str:
        """Give its connection tracking table, a connection on a line."""
        return self.cluster.core.conntrack(self.name)

    def send(self, flows: Flows) -> FlowResult:
        """Send the next segment of every flow through this node, in order.

        A row is the next segment that a well-behaved client or server sends on its five-tuple: a SYN where there is
        no connection yet. The core releases the GIL.
        """
        from kdp.flows import FlowResult

        columns = self.cluster.core.send(
            self.name, flows.src, flows.sport, flows.dst, flows.dport, flows.proto
        )
        return FlowResult(self.cluster, flows, columns)

    def connect(self, to: str, *, protocol: str = "tcp", namespace: str | None = None) -> Trace:
        """Connect to ``HOST:PORT`` from the node itself."""
        return self.cluster.connect(f"node/{self.name}", to, namespace=namespace, protocol=protocol)

    def explore(self, to: str, *, protocol: str = "tcp", namespace: str | None = None) -> Exploration:
        """Give every outcome of a new connection from the node itself."""
        return self.cluster.explore(f"node/{self.name}", to, namespace=namespace, protocol=protocol)


def _start(cluster: Cluster, sources: Sequence[Source], options: Mapping[str, Any]) -> None:
    cluster.seed = int(options.get("seed", 1))
    cluster.core = _core.Cluster(list(sources), json.dumps(options))


def _times(
    latency: Mapping[str, str | float] | None, timing: Mapping[str, str | float] | None
) -> dict[str, Any]:
    given = {"latency": latency, "timing": timing}
    return {
        option: {
            name: time if name == "addresses" else parse_duration(f"kdp.Cluster({option}=...) {name}", time)
            for name, time in times.items()
        }
        for option, times in given.items()
        if times is not None
    }


def _options(
    seed: int,
    k8s: str | None,
    mode: str | None,
    evaluator: str,
    *,
    complete: bool,
    options: Mapping[str, Any] | None,
) -> dict[str, Any]:
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**64:
        raise bad_argument(
            "kdp.Cluster(seed=...)", f"a seed is a whole number from 0 to 2**64-1, not {seed!r}"
        )
    check_choice("kdp.Cluster(evaluator=...)", evaluator, ("indexed", "scan"))
    chosen: dict[str, Any] = {"seed": seed, "evaluator": evaluator, "complete": complete}
    if mode is not None:
        chosen["mode"] = mode
    if k8s is not None:
        chosen["k8s"] = str(k8s)
    return chosen | dict(options or {})


def _question(
    source: str, to: str, namespace: str | None, protocol: str, sport: int | None, via: str | None
) -> str:
    check_choice("connect(protocol=...)", protocol, ("tcp", "udp"))
    if sport is not None:
        check_port("connect(sport=...)", sport)
    asked = {"from": source, "to": to, "namespace": namespace or "default", "protocol": protocol}
    given = {"sport": sport, "via": via}
    return json.dumps(asked | {key: value for key, value in given.items() if value is not None})
