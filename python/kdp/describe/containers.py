"""Containers of a Pod or a template. Source: kubectl pkg/describe/describe.go, 1.33."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kdp.describe.page import Json, Page, moment_text
from kdp.printers.go_text import go_text
from kdp.printers.jsonpath import JsonPath

__all__ = ["describe_containers"]

# What an API server writes where a probe says nothing. Source: Kubernetes API, core/v1 defaults.
PROBE = {"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3}


def describe_containers(
    page: Page,
    title: str,
    containers: Sequence[Json],
    pod: Json | None,
    statuses: Sequence[Json],
    indent: str = "",
) -> None:
    """Write containers under a title. ``pod``: where values of its own fields come from; a template has none."""
    page.write(f"{indent}{title}:{'' if containers else ' <none>'}")
    by_name = {each["name"]: each for each in statuses}
    for each in containers:
        status = by_name.get(each["name"])
        page.write(f"{' ' if indent else ''}{each['name']}:", 1)
        _basics(page, each, status)
        for key, words in (("Command", each.get("command")), ("Args", each.get("args"))):
            if words:
                page.write(f"{key}:", 2)
                for word in words:
                    for line in str(word).split("\n"):
                        page.write(line, 3)
        if status:
            _state(page, status)
        _resources(page, each.get("resources") or {})
        for key in ("liveness", "readiness", "startup"):
            if each.get(f"{key}Probe"):
                page.write(f"{key.title()}:\t{_probe(each[f'{key}Probe'])}", 2)
        _environment(page, each, pod)
        _mounts(page, each.get("volumeMounts") or [])


def _basics(page: Page, container: Json, status: Json | None) -> None:
    if status:
        page.write(f"Container ID:\t{status.get('containerID', '')}", 2)
    page.write(f"Image:\t{container.get('image', '')}", 2)
    if status:
        page.write(f"Image ID:\t{status.get('imageID', '')}", 2)
    ports = container.get("ports") or []
    for title, key in (("Port", "containerPort"), ("Host Port", "hostPort")):
        found = ", ".join(f"{port.get(key, 0)}/{port.get('protocol', 'TCP')}" for port in ports)
        page.write(f"{title}{'s' if ',' in found else ''}:\t{found or '<none>'}", 2)


def _state(page: Page, status: Json) -> None:
    _one_state(page, "State", status.get("state") or {})
    if (status.get("lastState") or {}).get("terminated"):
        _one_state(page, "Last State", status["lastState"])
    page.write(f"Ready:\t{bool(status.get('ready'))}", 2)
    page.write(f"Restart Count:\t{status.get('restartCount', 0)}", 2)


def _one_state(page: Page, title: str, state: Json) -> None:
    word = next(
        (word for word in ("running", "waiting", "terminated") if state.get(word) is not None), "waiting"
    )
    page.write(f"{title}:\t{word.title()}", 2)
    for name, value in _state_lines(word, state.get(word) or {}):
        page.write(f"{name}:\t{value}", 3)


def _state_lines(word: str, found: Json) -> Iterator[tuple[str, object]]:
    if word == "running":
        yield "Started", moment_text(found.get("startedAt"))
        return
    if found.get("reason"):
        yield "Reason", found["reason"]
    if word == "waiting":
        return
    if found.get("message"):
        yield "Message", found["message"]
    yield "Exit Code", found.get("exitCode", 0)
    if found.get("signal"):
        yield "Signal", found["signal"]
    yield "Started", moment_text(found.get("startedAt"))
    yield "Finished", moment_text(found.get("finishedAt"))


def _resources(page: Page, resources: Json) -> None:
    for title, key in (("Limits", "limits"), ("Requests", "requests")):
        if resources.get(key):
            page.write(f"{title}:", 2)
            for name, quantity in sorted(resources[key].items()):
                page.write(f"{name}:\t{quantity}", 3)


def _probe(probe: Json) -> str:
    whole = PROBE | dict(probe)
    attributes = (
        f"delay={probe.get('initialDelaySeconds', 0)}s timeout={whole['timeoutSeconds']}s "
        f"period={whole['periodSeconds']}s #success={whole['successThreshold']} #failure={whole['failureThreshold']}"
    )
    if "exec" in probe:
        return f"exec {go_text(probe['exec'].get('command') or [])} {attributes}"
    if "httpGet" in probe:
        get = probe["httpGet"]
        url = f"{get.get('scheme', 'HTTP').lower()}://{get.get('host', '')}:{get.get('port')}{get.get('path', '')}"
        return f"http-get {url} {attributes}"
    if "tcpSocket" in probe:
        return (
            f"tcp-socket {probe['tcpSocket'].get('host', '')}:{probe['tcpSocket'].get('port')} {attributes}"
        )
    if "grpc" in probe:
        return f"grpc <pod>:{probe['grpc'].get('port')} {probe['grpc'].get('service') or ''} {attributes}"
    return f"unknown {attributes}"


def _environment(page: Page, container: Json, pod: Json | None) -> None:
    if container.get("envFrom"):
        page.write("Environment Variables from:", 2)
        for each in container["envFrom"]:
            kind = "configMapRef" if "configMapRef" in each else "secretRef"
            found = each.get(kind) or {}
            prefix = f" with prefix '{each['prefix']}'" if each.get("prefix") else ""
            word = "ConfigMap" if kind == "configMapRef" else "Secret"
            page.write(f"{found.get('name', '')}\t{word}{prefix}\tOptional: {_optional(found)}", 3)
    variables = container.get("env") or []
    page.write("Environment:" + ("" if variables else "\t<none>"), 2)
    for each in variables:
        for line in _variable(each, pod):
            page.write(line, 3)


def _variable(variable: Json, pod: Json | None) -> Iterator[str]:
    name, source = variable["name"], variable.get("valueFrom")
    if source is None:
        first, *rest = str(variable.get("value", "")).split("\n")
        yield f"{name}:\t{first}"
        yield from (f"\t{line}" for line in rest)
    elif "fieldRef" in source:
        found = source["fieldRef"]
        value = _own_field(pod, found["fieldPath"]) if pod else ""
        yield f"{name}:\t{value} ({found.get('apiVersion', 'v1')}:{found['fieldPath']})"
    elif "resourceFieldRef" in source:
        yield f"{name}:\t{_own_resource(pod, source['resourceFieldRef'])} ({source['resourceFieldRef']['resource']})"
    elif "secretKeyRef" in source:
        found = source["secretKeyRef"]
        yield f"{name}:\t<set to the key '{found['key']}' in secret '{found['name']}'>\tOptional: {_optional(found)}"
    elif "configMapKeyRef" in source:
        found = source["configMapKeyRef"]
        text = f"<set to the key '{found['key']}' of config map '{found['name']}'>"
        yield f"{name}:\t{text}\tOptional: {_optional(found)}"


def _own_field(pod: Json, path: str) -> str:
    """Give a value that the Pod's fields have. Source: pkg/fieldpath, which knows metadata alone; others are empty."""
    if not path.startswith("metadata."):
        return ""
    return JsonPath(f"{{.{path}}}").text(pod)


def _own_resource(pod: Json | None, reference: Json) -> str:
    containers = ((pod or {}).get("spec") or {}).get("containers") or []
    kind, _, name = reference["resource"].partition(".")
    named = [each for each in containers if each["name"] == reference.get("containerName")]
    resources = (named[0].get("resources") or {}) if named else {}
    found = (resources.get(kind) or {}).get(name)
    return str(found or ("node allocatable" if kind == "limits" else "0"))


def _optional(found: Json) -> str:
    return str(bool(found.get("optional"))).lower()


def _mounts(page: Page, mounts: Sequence[Json]) -> None:
    page.write("Mounts:" + ("" if mounts else "\t<none>"), 2)
    for each in sorted(mounts, key=lambda each: str(each["mountPath"])):
        path = f',path="{each["subPath"]}"' if each.get("subPath") else ""
        page.write(
            f"{each['mountPath']} from {each['name']} ({'ro' if each.get('readOnly') else 'rw'}{path})", 3
        )
