"""``kdp get`` prints what kubectl prints."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

if TYPE_CHECKING:
    from tests.cli.conftest import Run

BLOG = ("-n", "blog-system")


def test_the_article_asks_for_its_service(example: Run) -> None:
    assert example("get", "service", "mysql-service", *BLOG).out == (
        "NAME            TYPE        CLUSTER-IP   EXTERNAL-IP   PORT(S)    AGE\n"
        "mysql-service   ClusterIP   10.99.1.1    <none>        3306/TCP   4d3h\n"
    )


def test_the_article_asks_for_its_endpoints(example: Run) -> None:
    assert example("get", "ep", "mysql-service", *BLOG).out == (
        "NAME            ENDPOINTS                                   AGE\n"
        "mysql-service   10.0.1.5:3306,10.0.1.8:3306,10.0.2.3:3306   4d3h\n"
    )


def test_the_article_asks_for_its_pods(example: Run) -> None:
    lines = example("get", "pods", "-o", "wide", "-l", "app=mysql", *BLOG).out.splitlines()
    titles = "READY   STATUS    RESTARTS       AGE    IP         NODE     NOMINATED NODE   READINESS GATES"
    assert lines == [
        f"NAME                    {titles}",
        "mysql-7d9f8c6b4-2xk8p   2/2     Running   0              4d3h   10.0.1.5   node-1   <none>           <none>",
        "mysql-7d9f8c6b4-h5t9w   2/2     Running   1 (102m ago)   43h    10.0.1.8   node-1   <none>           <none>",
        "mysql-7d9f8c6b4-qz7m4   2/2     Running   0              4d3h   10.0.2.3   node-2   <none>           <none>",
    ]


def test_nodes(example: Run) -> None:
    assert example("get", "no").out == (
        "NAME     STATUS   ROLES           AGE    VERSION\n"
        "node-1   Ready    control-plane   4d3h   v1.33.4\n"
        "node-2   Ready    <none>          4d3h   v1.33.4\n"
    )


def test_namespaces_of_all(example: Run) -> None:
    lines = example("get", "svc", "-A").out.splitlines()
    assert lines[0].split() == ["NAMESPACE", "NAME", "TYPE", "CLUSTER-IP", "EXTERNAL-IP", "PORT(S)", "AGE"]
    assert {line.split()[0] for line in lines[1:]} == {"blog-system", "default", "kube-system", "monitoring"}


def test_several_kinds_are_tables_with_kinds_before_names(example: Run) -> None:
    first, second = example("get", "svc,deploy", *BLOG).out.split("\n\n")
    assert first.splitlines()[2].startswith("service/mysql-service ")
    assert second.splitlines() == [
        "NAME                    READY   UP-TO-DATE   AVAILABLE   AGE",
        "deployment.apps/mysql   3/3     3            3           4d3h",
    ]


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (["svc/mysql-service", "pod/was"], ["service/mysql-service", "pod/was"]),
        (["svc", "mysql-service", "mysql-exporter"], ["service/mysql-service", "service/mysql-exporter"]),
        (["rs"], ["replicaset.apps/mysql-7d9f8c6b4"]),
        (["po", "-l", "app in (was, web)"], ["pod/was"]),
        (["po", "-l", "app!=mysql"], ["pod/was"]),
    ],
)
def test_objects_are_chosen_as_kubectl_does(example: Run, arguments: list[str], names: list[str]) -> None:
    assert example("get", *arguments, "-o", "name", *BLOG).out.splitlines() == names


def test_labels_and_headers(example: Run) -> None:
    out = example("get", "pods", "was", "--no-headers", "--show-labels", *BLOG).out
    assert out == "was   1/1   Running   0     3d7h   app=was\n"


def test_an_object_as_yaml_and_json_is_the_same_data(example: Run) -> None:
    as_yaml = yaml.safe_load(example("get", "svc/mysql-service", "-o", "yaml", *BLOG).out)
    as_json = json.loads(example("get", "svc/mysql-service", "-o", "json", *BLOG).out)
    assert as_yaml == as_json
    assert as_json["spec"]["clusterIP"] == "10.99.1.1"


def test_several_objects_are_a_list(example: Run) -> None:
    data = json.loads(example("get", "svc", "-o", "json", *BLOG).out)
    assert (data["kind"], len(data["items"])) == ("List", 2)


def test_a_name_that_is_not_there_is_said_after_what_is(example: Run) -> None:
    done = example("get", "pod", "was", "wsa", "-o", "name", *BLOG)
    assert (done.status, done.out) == (1, "pod/was\n")
    assert done.err.startswith("error[no-such-object]: Pod blog-system/wsa does not exist; nearest: ")


def test_a_kind_without_columns_of_its_own_has_an_age(example: Run) -> None:
    assert example("get", "prom", "-n", "monitoring").out == "NAME   AGE\nk8s    4d2h\n"


def test_a_definition_gives_a_kind_its_names_and_columns(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "widgets.json"
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "mice.example.com"},
        "spec": {
            "group": "example.com",
            "scope": "Namespaced",
            "names": {"kind": "Mouse", "plural": "mice", "shortNames": ["mo"]},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "additionalPrinterColumns": [
                        {"name": "Tail", "type": "integer", "jsonPath": ".spec.tail"},
                        {"name": "Born", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
                        {"name": "Colour", "type": "string", "jsonPath": ".spec.colour", "priority": 1},
                    ],
                }
            ],
        },
    }
    mouse = {
        "apiVersion": "example.com/v1",
        "kind": "Mouse",
        "metadata": {"name": "mo", "namespace": "default", "creationTimestamp": "2026-11-25T01:00:00Z"},
        "spec": {"tail": 7},
    }
    path.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": [definition, mouse]}))
    for name in ("mice", "mouse", "mo", "mice.example.com"):
        assert run("get", name, "-q", "-f", str(path)).out == "NAME   TAIL   BORN\nmo     7      0s\n"
    assert run("get", "mo", "-o", "wide", "-q", "-f", str(path)).out.splitlines()[0].split() == [
        "NAME",
        "TAIL",
        "BORN",
        "COLOUR",
    ]


def test_nothing_found_is_said_on_standard_error(example: Run) -> None:
    done = example("get", "svc", "-n", "nowhere")
    assert (done.status, done.out, done.err) == (0, "", "No resources found in nowhere namespace.\n")
    assert example("get", "ds", "-A").err == "No resources found\n"


def test_ages_count_to_the_time_that_is_given(example: Run) -> None:
    out = example("get", "svc", "mysql-service", "--now", "2026-11-20T06:13:08Z", *BLOG).out
    assert out.splitlines()[1].endswith(" 60s")
