"""``kdp proxy``: a kube-proxy's metrics page and health servers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.cli.conftest import Run


def test_the_metrics_page_has_kube_proxys_names(example: Run) -> None:
    done = example("proxy", "metrics", "--node", "node-1")
    assert done.status == 0
    assert 'kubeproxy_sync_proxy_rules_iptables_total{ip_family="IPv4",table="nat"}' in done.out
    assert "nftables" in example("proxy", "metrics", "--mode", "nftables").out


def test_its_own_health_is_two_lines(example: Run) -> None:
    assert example("proxy", "health").out == "/healthz 200\n/livez 200\n"
    answers = json.loads(example("proxy", "health", "-o", "json").out)["answers"]
    assert answers == {"/healthz": 200, "/livez": 200}


def test_a_service_without_the_port_says_who_has_one(example: Run) -> None:
    done = example("proxy", "health", "svc/mysql-service", "-n", "blog-system")
    assert done.status == 2
    assert "no-health-check" in done.err
    assert "externalTrafficPolicy: Local" in done.err


def test_a_typo_is_answered(example: Run) -> None:
    assert example("proxy", "metrics", "svc/a").status == 2
    assert example("proxy", "health", "pod/a").status == 2
    assert "nearest" in example("proxy", "metrics", "--node", "node-7").err
