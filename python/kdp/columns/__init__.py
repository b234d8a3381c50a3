"""kubectl's columns: for each kind its titles, and a row of an object.

Source: the printers of the Kubernetes API server, pkg/printers/internalversion, 1.33.
"""

from __future__ import annotations

from kdp.columns.column import Column, Columns
from kdp.columns.network import ENDPOINTS, ENDPOINTSLICE, SERVICE
from kdp.columns.node import NAMESPACE, NODE
from kdp.columns.pod import POD
from kdp.columns.workload import DEPLOYMENT, REPLICASET, STATEFULSET

__all__ = ["Column", "Columns", "columns_of"]

_COLUMNS: dict[str, Columns] = {
    "Service": SERVICE,
    "Endpoints": ENDPOINTS,
    "EndpointSlice": ENDPOINTSLICE,
    "Pod": POD,
    "Node": NODE,
    "Namespace": NAMESPACE,
    "Deployment": DEPLOYMENT,
    "ReplicaSet": REPLICASET,
    "StatefulSet": STATEFULSET,
}


def columns_of(kind: str) -> Columns:
    """Give the columns of a kind between NAME and LABELS; those that have none of their own have AGE."""
    from kdp.columns.column import AGE

    return _COLUMNS.get(kind, (AGE,))
