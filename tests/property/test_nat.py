"""NAT over any batch: nobody's packets are mixed up, replies find back, and how a batch is cut changes nothing."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from kdp.cluster import Cluster
from kdp.testing import NODES, Row, cluster_objects, flow_rows, to_flows

if TYPE_CHECKING:
    from kdp.flows import FlowResult, Flows
    from kdp.objects import Manifest

SEEDS = st.integers(0, 2**32 - 1)
MAY_BE_SLOW = settings(deadline=None, max_examples=60)


def rows_of(columns: dict[str, Any], *names: str) -> list[tuple[int, ...]]:
    return list(zip(*(columns[name].tolist() for name in names), strict=True))


def sent(flows: Flows) -> list[tuple[int, ...]]:
    return rows_of(flows.columns(), "src", "sport", "dst", "dport", "proto")


def left(result: FlowResult) -> list[tuple[int, ...]]:
    return rows_of({**result.columns(), "proto": result.flows.proto}, "src", "sport", "dst", "dport", "proto")


@MAY_BE_SLOW
@given(cluster_objects(), flow_rows(), SEEDS)
def test_nat_is_a_bijection_on_tuples(objects: list[Manifest], rows: list[Row], seed: int) -> None:
    """Two different flows never leave as the same one, and one flow always leaves as the same."""
    node = Cluster(objects, seed=seed).node(NODES[0])
    result = node.send(to_flows(rows))
    there: dict[tuple[int, ...], tuple[int, ...]] = {}
    back: dict[tuple[int, ...], tuple[int, ...]] = {}
    for before, after, reached in zip(sent(result.flows), left(result), result.sent_on.tolist(), strict=True):
        if reached:
            assert there.setdefault(before, after) == after
            assert back.setdefault(after, before) == before


@MAY_BE_SLOW
@given(cluster_objects(), flow_rows(), SEEDS)
def test_every_reply_is_translated_back(objects: list[Manifest], rows: list[Row], seed: int) -> None:
    """What comes back to a client comes from the address and port that it had sent to."""
    node = Cluster(objects, seed=seed).node(NODES[0])
    unique = list(dict.fromkeys(rows))
    flows = to_flows(unique)
    first = node.send(flows)
    answered = node.send(first.replies())
    asked = flows[first.sent_on]
    assert answered.sent_on.all()
    got = rows_of(answered.columns(), "src", "sport", "dst", "dport")
    assert got == rows_of(asked.columns(), "dst", "dport", "src", "sport")


@MAY_BE_SLOW
@given(cluster_objects(), flow_rows(), SEEDS, st.data())
def test_how_a_batch_is_cut_changes_nothing(
    objects: list[Manifest], rows: list[Row], seed: int, data: st.DataObject
) -> None:
    """In one batch, in any cut, and one by one: the same results and the same table."""
    cuts = sorted(data.draw(st.sets(st.integers(0, len(rows)), max_size=5)) | {0, len(rows)})
    whole = run_in(objects, seed, rows, [0, len(rows)])
    assert run_in(objects, seed, rows, cuts) == whole
    assert run_in(objects, seed, rows, list(range(len(rows) + 1))) == whole


@MAY_BE_SLOW
@given(cluster_objects(), flow_rows(), SEEDS)
def test_scan_and_index_give_the_same(objects: list[Manifest], rows: list[Row], seed: int) -> None:
    cut = [0, len(rows)]
    assert run_in(objects, seed, rows, cut, evaluator="scan") == run_in(objects, seed, rows, cut)


def run_in(
    objects: list[Manifest], seed: int, rows: list[Row], cuts: list[int], evaluator: str = "indexed"
) -> tuple[list[bytes], str]:
    """Send the rows in these cuts; give every column as bytes, and the table."""
    node = Cluster(objects, seed=seed, evaluator=evaluator).node(NODES[0])
    parts = [node.send(to_flows(rows[begin:end])).columns() for begin, end in pairwise(cuts) if begin < end]
    columns = [
        np.concatenate([part[name] for part in parts]).tobytes() for name in (parts[0] if parts else ())
    ]
    return columns, node.conntrack()
