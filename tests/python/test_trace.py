"""A trace reads as data and as text: verdict first, seven steps, lines that fit, no colour where none is wanted."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from kdp.trace import Exploration, Trace

REQUEST = {"src": "10.0.1.20", "sport": 40000, "dst": "10.99.1.1", "dport": 3306}
DELIVERED = {"src": "10.0.1.20", "sport": 40000, "dst": "10.0.1.8", "dport": 3306}
ANSWER = {"src": "10.0.1.8", "sport": 3306, "dst": "10.0.1.20", "dport": 40000}
REPLY = {"src": "10.99.1.1", "sport": 3306, "dst": "10.0.1.20", "dport": 40000}
POD = {"namespace": "blog-system", "name": "mysql-1", "ip": "10.0.1.8", "port": 3306, "node": "node-1"}
RULE = (
    "-A KUBE-SERVICES -d 10.99.1.1/32 -p tcp -m comment --comment "
    '"blog-system/mysql-service cluster IP" -m tcp --dport 3306 -j KUBE-SVC-ABCDEFGHIJKLMNOP'
)


def step(number: int, title: str, **rest: Any) -> dict[str, Any]:
    return {
        "step": number,
        "title": title,
        "node": "node-1",
        "before": None,
        "after": None,
        "events": [],
        **rest,
    }


def delivered() -> dict[str, Any]:
    rule = {
        "kind": "rule",
        "table": "nat",
        "chain": "KUBE-SERVICES",
        "number": 4,
        "rule": RULE,
        "outcome": "jump KUBE-SVC-ABCDEFGHIJKLMNOP",
    }
    name = "mysql-service.blog-system.svc.cluster.local"
    query = {"kind": "query", "name": name, "type": "A", "rcode": "NOERROR", "answers": ["10.99.1.1"]}
    return {
        "apiVersion": "kdp.dev/v1alpha1",
        "kind": "Trace",
        "seed": 1,
        "from": {
            "kind": "pod",
            "namespace": "blog-system",
            "name": "was",
            "node": "node-1",
            "ip": "10.0.1.20",
        },
        "to": "mysql-service:3306",
        "protocol": "tcp",
        "verdict": "delivered",
        "reason": None,
        "endpoint": POD,
        "service": {"namespace": "blog-system", "name": "mysql-service", "port": 3306},
        "request": REQUEST,
        "delivered": DELIVERED,
        "answer": ANSWER,
        "reply": REPLY,
        "steps": [
            step(1, "The client asks DNS", events=[query]),
            step(2, "DNS answers with the cluster IP"),
            step(3, "The client sends to it", before=REQUEST, after=REQUEST),
            step(
                4,
                "The node's rules choose an endpoint",
                before=REQUEST,
                after=DELIVERED,
                events=[
                    {"kind": "hook", "hook": "PREROUTING"},
                    {"kind": "conntrack", "state": "NEW"},
                    rule,
                    {"kind": "choice", "text": "second of three", "probability": "1/3"},
                    {"kind": "nat", "text": "destination 10.99.1.1:3306 becomes 10.0.1.8:3306"},
                    {"kind": "policy", "table": "filter", "chain": "FORWARD", "policy": "accept"},
                ],
            ),
            step(5, "The packet is delivered", events=[{"kind": "deliver", "text": "to mysql-1"}]),
            step(6, "The Pod answers", before=ANSWER, after=ANSWER),
            step(7, "The source is turned back", before=ANSWER, after=REPLY),
        ],
    }


def test_a_trace_is_data() -> None:
    trace = Trace(delivered())
    assert (trace.verdict, trace.reason) == ("delivered", None)
    assert trace.endpoint is not None
    assert (trace.endpoint.name, trace.endpoint.port, trace.endpoint.node) == ("mysql-1", 3306, "node-1")
    assert trace.request is not None
    assert trace.reply is not None
    assert trace.reply.src == trace.request.dst
    assert str(trace.delivered) == "10.0.1.20:40000 -> 10.0.1.8:3306"
    assert [each.number for each in trace.steps] == [1, 2, 3, 4, 5, 6, 7]


def test_the_text_begins_with_the_verdict_and_has_every_step() -> None:
    lines = str(Trace(delivered())).splitlines()
    assert lines[0].startswith(
        "delivered: Pod blog-system/was to mysql-service:3306 reaches Pod blog-system/mysql-1"
    )
    assert [line[:2] for line in lines if line[:1].isdigit()] == ["1.", "2.", "3.", "4.", "5.", "6.", "7."]
    assert "     nat KUBE-SERVICES rule 4: jump KUBE-SVC-ABCDEFGHIJKLMNOP" in lines
    assert "     => 10.0.1.20:40000 -> 10.0.1.8:3306" in lines
    assert "     choice: second of three (probability 1/3)" in lines
    assert "     filter FORWARD policy: accept" not in lines
    assert "     filter FORWARD policy: accept" in Trace(delivered()).text(wide=True)


def test_lines_fit_a_hundred_columns_unless_wide_is_asked_for() -> None:
    trace = Trace(delivered())
    assert max(len(line) for line in trace.text().splitlines()) <= 100
    assert f"         {RULE}" in trace.text(wide=True).splitlines()


def test_colour_is_only_where_it_is_asked_for() -> None:
    trace = Trace(delivered())
    assert "\x1b" not in str(trace)
    painted = trace.text(color=True)
    assert painted.startswith("\x1b[32mdelivered\x1b[0m")


def test_a_packet_that_is_not_delivered_says_why() -> None:
    data = delivered() | {"verdict": "rejected", "reason": "the Service has no endpoints", "endpoint": None}
    data |= {"delivered": None, "answer": None, "reply": None}
    data["steps"] = [step(4, "Rules", events=[{"kind": "reject", "text": "icmp-port-unreachable"}])]
    trace = Trace(data)
    assert trace.endpoint is None
    assert trace.reply is None
    assert str(trace).startswith(
        "rejected: Pod blog-system/was to mysql-service:3306: the Service has no endpoints"
    )
    assert "reject: icmp-port-unreachable" in str(trace)


def test_ipv6_addresses_stand_in_brackets() -> None:
    tuple6 = {"src": "fd00::1", "sport": 1, "dst": "fd00::2", "dport": 80}
    trace = Trace(delivered() | {"request": tuple6})
    assert str(trace.request) == "[fd00::1]:1 -> [fd00::2]:80"


def test_an_exploration_has_exact_probabilities() -> None:
    shares = ["715827883/2147483648", "1431655765/2147483648"]
    outcomes = [
        {
            "verdict": "delivered",
            "endpoint": POD,
            "probability": f"{n}/3",
            "exact": exact,
            "share": float(Fraction(exact)),
        }
        for n, exact in enumerate(shares, 1)
    ]
    source = {"kind": "node", "name": "node-1", "ip": "192.0.2.11"}
    explored = Exploration({"from": source, "to": "web:80", "outcomes": outcomes})
    assert sum(outcome.probability for outcome in explored) == 1
    assert len(explored) == 2
    assert str(explored).splitlines()[:2] == ["Node node-1 to web:80: 2 outcomes", ""]
    assert "1/3           0.333333   delivered   blog-system/mysql-1   10.0.1.8:3306   node-1" in str(
        explored
    )
