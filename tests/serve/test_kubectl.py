"""Unmodified kubectl of each version against ``kdp serve``: exit codes and what it prints."""

from __future__ import annotations

import json
import re
import subprocess
import time

import pytest

from tests.serve.conftest import Served, find_kubectl

APP = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: nginx, ports: [{containerPort: 80, name: http}]}]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: http}]}
"""


class Typist:
    """Types commands in a namespace of its own."""

    def __init__(self, served: Served, version: str) -> None:
        self.served, self.version = served, version
        self.namespace = f"shop-{version.replace('.', '-')}"

    def __call__(self, command: str, *more: str, text: str | None = None, code: int = 0) -> str:
        """Type a command, which must end with that code; gives what it prints."""
        words = [*command.split(), *more, "-n", self.namespace]
        done = self.served.kubectl(self.version, *words, text=text)
        assert done.returncode == code, f"{command}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout if code == 0 else done.stdout + done.stderr


@pytest.fixture
def kubectl(served: Served, version: str) -> Typist:
    """Give a typist with a namespace."""
    typist = Typist(served, version)
    typist("delete namespace --ignore-not-found", typist.namespace)
    assert typist("create namespace", typist.namespace) == f"namespace/{typist.namespace} created\n"
    return typist


def plain(text: str) -> str:
    """Take ages and allocated addresses out."""
    text = re.sub(r"10\.99\.\d+\.\d+", "10.99.x.x", text)
    return re.sub(r" +\d+[smh]\S*$", " AGE", text, flags=re.MULTILINE)


def test_a_deployment_lives_and_goes(kubectl: Typist) -> None:
    assert kubectl("apply -f -", text=APP) == "deployment.apps/web created\nservice/web created\n"
    assert kubectl("apply -f -", text=APP) == "deployment.apps/web unchanged\nservice/web unchanged\n"
    kubectl("wait --for=condition=Available --timeout=30s deployment/web")
    assert "successfully rolled out" in kubectl("rollout status deployment/web --timeout=30s")
    rows = plain(kubectl("get deployment,svc")).splitlines()
    assert re.fullmatch(r"deployment.apps/web +2/2 +2 +2 AGE", rows[1]), rows
    assert re.fullmatch(r"service/web +ClusterIP +10.99.x.x +<none> +80/TCP AGE", rows[4]), rows
    assert "deployment.apps/web scaled" in kubectl("scale deployment/web --replicas=3")
    kubectl("rollout status deployment/web --timeout=30s")
    pods = json.loads(kubectl("get pods -l app=web -o json"))["items"]
    assert [pod["status"]["phase"] for pod in pods] == ["Running"] * 3
    endpoints = kubectl("get endpoints web -o", "jsonpath={.subsets[0].addresses[*].ip}")
    assert sorted(endpoints.split()) == sorted(pod["status"]["podIP"] for pod in pods)
    assert kubectl("set image deployment/web c=nginx:2") == "deployment.apps/web image updated\n"
    kubectl("rollout status deployment/web --timeout=60s")
    assert "REVISION" in kubectl("rollout history deployment/web")
    assert "configured" in kubectl("apply -f -", text=APP.replace("replicas: 2", "replicas: 1"))
    deleted = kubectl("delete -f -", text=APP)
    assert 'deployment.apps "web" deleted' in deleted
    assert 'service "web" deleted' in deleted


def test_one_object_and_each_verb(kubectl: Typist) -> None:
    assert kubectl("create service clusterip s --tcp=80:8080") == "service/s created\n"
    assert kubectl("label service s touched=1") == "service/s labeled\n"
    assert kubectl("annotate service s note=x").startswith("service/s annotate")
    assert kubectl("patch service s -p", '{"spec":{"type":"NodePort"}}') == "service/s patched\n"
    port = int(kubectl("get service s -o", "jsonpath={.spec.ports[0].nodePort}"))
    assert 30000 <= port <= 32767
    patch = '[{"op":"replace","path":"/spec/type","value":"ClusterIP"}]'
    assert kubectl("patch service s --type=json -p", patch) == "service/s patched\n"
    assert kubectl("get service s -o", "jsonpath={.spec.ports[0].nodePort}") == ""
    assert kubectl("patch service s --type=merge -p", '{"spec":{"selector":null}}') == "service/s patched\n"
    described = kubectl("describe service s")
    assert re.search(r"^Name: +s$", described, re.MULTILINE)
    assert re.search(r"^Labels: +app=s$", described, re.MULTILINE)
    applied = kubectl("apply --server-side -f -", text=APP)
    assert applied == "deployment.apps/web serverside-applied\nservice/web serverside-applied\n"
    assert "replicas" in kubectl("diff -f -", text=APP.replace("replicas: 2", "replicas: 7"), code=1)
    assert kubectl("delete service s") == 'service "s" deleted\n'
    assert 'services "s" not found' in kubectl("get service s", code=1)


def test_what_is_wrong_is_said(kubectl: Typist) -> None:
    wrong = APP.replace("ports: [{port: 80, targetPort: http}]", "portz: []")
    assert 'unknown field "spec.portz"' in kubectl("apply -f -", text=wrong, code=1)
    assert "AlreadyExists" in kubectl("create namespace", kubectl.namespace, code=1)
    assert "doesn't have a resource type" in kubectl("get widgets", code=1)


def test_what_there_is(kubectl: Typist) -> None:
    resources = kubectl("api-resources --api-group=apps")
    assert re.search(r"^deployments +deploy +apps/v1 +true +Deployment$", resources, re.MULTILINE)
    assert "apps/v1" in kubectl("api-versions").split()
    assert kubectl("auth can-i create pods") == "yes\n"
    assert "ServicePort" in kubectl("explain service.spec.ports")
    assert kubectl("get --raw /readyz") == "ok"
    assert kubectl("cordon node-2") in ("node/node-2 cordoned\n", "node/node-2 already cordoned\n")
    assert kubectl("uncordon node-2") == "node/node-2 uncordoned\n"


def test_a_watch_sees_what_another_does(kubectl: Typist, served: Served) -> None:
    program = find_kubectl(kubectl.version)
    assert program is not None
    command = [
        program,
        "--kubeconfig",
        str(served.kubeconfig),
        "get",
        "services",
        "-w",
        "-n",
        kubectl.namespace,
    ]
    watching = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        time.sleep(1)
        kubectl("create service clusterip seen --tcp=80")
        assert watching.stdout is not None
        titles, row = watching.stdout.readline(), watching.stdout.readline()
        assert titles.startswith("NAME")
        assert row.startswith("seen ")
    finally:
        watching.terminate()
        watching.communicate(timeout=10)


def test_the_articles_commands(served: Served, version: str) -> None:
    def run(command: str) -> str:
        done = served.kubectl(version, *command.split(), "-n", "blog-system")
        assert done.returncode == 0, done.stderr
        return done.stdout

    rows = run("get endpoints mysql-service").splitlines()
    assert re.fullmatch(r"mysql-service +10.0.1.5:3306,10.0.1.8:3306,10.0.2.3:3306 +\S+", rows[1])
    rows = run("get service mysql-service").splitlines()
    assert re.fullmatch(r"mysql-service +ClusterIP +10.99.1.1 +<none> +3306/TCP +\S+", rows[1])
    assert len(run("get pods -l app=mysql").splitlines()) == 4
    assert "10.0.1.5,10.0.1.8,10.0.2.3" in run("describe endpoints mysql-service")
    assert json.loads(run("get service mysql-service -o jsonpath={.spec.selector}")) == {"app": "mysql"}
