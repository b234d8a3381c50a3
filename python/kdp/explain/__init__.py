"""Why something works or does not: sentences over facts that the core has counted.

Each rule is a function from facts to a finding, and has an id that stays (``Finding.rule``).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from kdp.arguments import bad_argument
from kdp.explain.explanation import Evidence, Explanation, Finding, Fix
from kdp.kinds import find_kind

if TYPE_CHECKING:
    from kdp.cluster import Cluster

__all__ = ["Evidence", "Explanation", "Finding", "Fix", "explain"]


def explain(cluster: Cluster, what: str, *, namespace: str | None = None) -> Explanation:
    """Explain ``svc/NAME`` or ``servicemonitor/NAME``; without ``namespace`` the only one of that name.

    ``label/KEY=VALUE`` tells of everything that selects by a label, ``access/svc/NAME`` of what a client and a monitor
    get. A name may also be ``TYPE/NAMESPACE/NAME``. A name
    that is not there raises ``no-such-object``, one that several namespaces have ``name-ambiguous``.
    """
    kind_name, slash, name = what.partition("/")
    if kind_name == "label":
        from kdp.explain.label import explain_label

        return explain_label(cluster, name)
    if kind_name == "access":
        return _access(cluster, name, namespace)
    if not slash or not name:
        raise bad_argument("explain(what=...)", f"{what!r}: write svc/NAME or servicemonitor/NAME")
    space, slash, rest = name.partition("/")
    if slash:
        namespace, name = space, rest
    kind = find_kind(kind_name).kind
    if kind not in ("Service", "ServiceMonitor"):
        raise bad_argument(
            "explain(what=...)", f"{what!r}: a {kind} is not explained yet; svc and servicemonitor are"
        )
    if namespace is None:
        namespace = cluster.namespace_of(kind, name)
    facts = json.loads(cluster.core.facts(kind, namespace, name))
    if kind == "Service":
        from kdp.explain.service import explain_service

        return explain_service(facts)
    from kdp.explain.monitor import explain_monitor
    from kdp.explain.monitor_chain import walk_chain

    return walk_chain(cluster, namespace, name, explain_monitor(facts))


def _access(cluster: Cluster, what: str, namespace: str | None) -> Explanation:
    from kdp.explain.access import explain_access

    kind, slash, name = what.partition("/")
    if not slash or not name or find_kind(kind).kind != "Service":
        raise bad_argument("explain(what=...)", f"access/{what!r}: write access/svc/NAME")
    return explain_access(cluster, namespace or cluster.namespace_of("Service", name), name)
