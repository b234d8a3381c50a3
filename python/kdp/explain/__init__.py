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

    ``label/KEY=VALUE`` tells of everything that selects by a label. A name may also be ``TYPE/NAMESPACE/NAME``. A name
    that is not there raises ``no-such-object``, one that several namespaces have ``name-ambiguous``.
    """
    kind_name, slash, name = what.partition("/")
    if kind_name == "label":
        from kdp.explain.label import explain_label

        return explain_label(cluster, name)
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

    return explain_monitor(facts)
