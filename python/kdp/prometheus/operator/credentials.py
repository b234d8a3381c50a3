"""How a job reaches its targets: TLS, tokens, passwords, proxies; and whether the Secrets for that exist.

Source: prometheus-operator 0.93.0, pkg/assets/store.go, pkg/assets/tls.go; pkg/apis/monitoring/v1/http_config.go,
tls_types.go; pkg/prometheus/promcfg.go, addHTTPConfigToYAML.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kdp.prometheus.world import Json, World

__all__ = ["faults_of_http", "http_options"]

ASSETS = "/etc/prometheus/certs"
METHODS = ("authorization", "basicAuth", "bearerTokenSecret", "oauth2")
Fault = tuple[str, str]


def faults_of_http(world: World, namespace: str, endpoint: Json) -> Iterator[Fault]:
    """Give field and reason of what the operator refuses in an endpoint's HTTP settings."""
    given = [method for method in METHODS if endpoint.get(method) is not None]
    if len(given) > 1:
        yield given[1], f"cannot stand beside {given[0]}"
    yield from _oauth2_faults(world, namespace, endpoint.get("oauth2"))
    yield from _tls_faults(world, namespace, endpoint.get("tlsConfig"), "tlsConfig")
    yield from _proxy_faults(world, namespace, endpoint)
    token = endpoint.get("bearerTokenSecret")
    if token and token.get("name"):
        yield from _secret_faults(world, namespace, token, "bearerTokenSecret")
    for part in ("username", "password") if endpoint.get("basicAuth") is not None else ():
        yield from _secret_faults(world, namespace, endpoint["basicAuth"].get(part), f"basicAuth.{part}")
    yield from _authorization_faults(world, namespace, endpoint.get("authorization"))


def _authorization_faults(world: World, namespace: str, authorization: Json | None) -> Iterator[Fault]:
    if authorization is None:
        return
    if str(authorization.get("type") or "").strip().lower() == "basic":
        yield "authorization.type", "Basic is for basicAuth"
    credentials = authorization.get("credentials")
    if credentials is None:
        yield "authorization.credentials", "credentials are needed"
    if credentials and credentials.get("name"):
        yield from _secret_faults(world, namespace, credentials, "authorization.credentials")


def _oauth2_faults(world: World, namespace: str, oauth2: Json | None) -> Iterator[Fault]:
    if oauth2 is None:
        return
    if not oauth2.get("tokenUrl"):
        yield "oauth2.tokenUrl", "a token URL is needed"
    yield from _either_faults(world, namespace, oauth2.get("clientId"), "oauth2.clientId")
    yield from _secret_faults(world, namespace, oauth2.get("clientSecret"), "oauth2.clientSecret")
    yield from _tls_faults(world, namespace, oauth2.get("tlsConfig"), "oauth2.tlsConfig")


def _tls_faults(world: World, namespace: str, tls: Json | None, field: str) -> Iterator[Fault]:
    if tls is None:
        return
    for part, file in (("ca", "caFile"), ("cert", "certFile"), ("keySecret", "keyFile")):
        if tls.get(part) and tls.get(file):
            yield f"{field}.{file}", f"cannot stand beside {part}"
    cert, key = tls.get("cert") or tls.get("certFile"), tls.get("keySecret") or tls.get("keyFile")
    if bool(cert) != bool(key):
        yield f"{field}.{'cert' if cert else 'keySecret'}", "certificate and key belong together"
    if str(tls.get("maxVersion") or "TLS13") < str(tls.get("minVersion") or "TLS10"):
        yield f"{field}.maxVersion", "is below minVersion"
    for part in ("ca", "cert"):
        if tls.get(part):
            yield from _either_faults(world, namespace, tls[part], f"{field}.{part}")
    if tls.get("keySecret"):
        yield from _secret_faults(world, namespace, tls["keySecret"], f"{field}.keySecret")
    yield from _pem_faults(world, namespace, tls, field)


def _pem_faults(world: World, namespace: str, tls: Json, field: str) -> Iterator[Fault]:
    """Refuse what is no PEM text. Whether the certificate inside is sound is not looked at."""
    for part in ("ca", "cert"):
        text = _either(world, namespace, tls.get(part))
        if text and "-----BEGIN " not in text:
            yield f"{field}.{part}", "is no PEM text"


def _proxy_faults(world: World, namespace: str, endpoint: Json) -> Iterator[Fault]:
    from_environment = endpoint.get("proxyFromEnvironment")
    for field in ("proxyUrl", "noProxy"):
        if from_environment and endpoint.get(field):
            yield field, "cannot stand beside proxyFromEnvironment"
    if endpoint.get("noProxy") and not endpoint.get("proxyUrl"):
        yield "noProxy", "needs proxyUrl"
    if endpoint.get("proxyConnectHeader") and not (endpoint.get("proxyUrl") or from_environment):
        yield "proxyConnectHeader", "needs proxyUrl or proxyFromEnvironment"
    for key, secrets in (endpoint.get("proxyConnectHeader") or {}).items():
        if not secrets:
            yield f"proxyConnectHeader.{key}", "is empty"
        for index, secret in enumerate(secrets):
            yield from _secret_faults(world, namespace, secret, f"proxyConnectHeader.{key}[{index}]")


def _secret_faults(world: World, namespace: str, selector: Json | None, field: str) -> Iterator[Fault]:
    name, key = str((selector or {}).get("name") or ""), str((selector or {}).get("key") or "")
    if world.value("Secret", namespace, name, key) is None:
        yield field, f"there is no key {key!r} in a Secret {namespace}/{name}"


def _either_faults(world: World, namespace: str, selector: Json | None, field: str) -> Iterator[Fault]:
    given = selector or {}
    if given.get("secret") and given.get("configMap"):
        yield field, "a Secret or a ConfigMap, not both"
    if _either(world, namespace, given) is None:
        yield field, f"there is no such key in the namespace {namespace}"


def _either(world: World, namespace: str, selector: Json | None) -> str | None:
    for field, kind in (("secret", "Secret"), ("configMap", "ConfigMap")):
        found = (selector or {}).get(field)
        if found:
            return world.value(kind, namespace, str(found.get("name") or ""), str(found.get("key") or ""))
    return None


def http_options(world: World, namespace: str, endpoint: Json, scrape_class: Json) -> dict[str, Any]:
    """Give the options of a job that say how it reaches its targets."""
    options: dict[str, Any] = {}
    plain = {
        "followRedirects": "follow_redirects",
        "enableHttp2": "enable_http2",
        "proxyUrl": "proxy_url",
        "noProxy": "no_proxy",
        "proxyFromEnvironment": "proxy_from_environment",
    }
    options |= {key: endpoint[field] for field, key in plain.items() if endpoint.get(field) is not None}
    if endpoint.get("proxyConnectHeader") is not None:
        options["proxy_connect_header"] = {
            key: [_secret(world, namespace, each) for each in secrets]
            for key, secrets in endpoint["proxyConnectHeader"].items()
        }
    tls = _merged_tls(endpoint.get("tlsConfig"), scrape_class.get("tlsConfig"))
    if tls is not None:
        options["tls_config"] = _tls(namespace, tls)
    if endpoint.get("bearerTokenFile"):
        options["bearer_token_file"] = endpoint["bearerTokenFile"]
    if (endpoint.get("bearerTokenSecret") or {}).get("name"):
        options["bearer_token"] = _secret(world, namespace, endpoint["bearerTokenSecret"])
    return options | _secret_options(world, namespace, endpoint, scrape_class)


def _secret_options(world: World, namespace: str, endpoint: Json, scrape_class: Json) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if endpoint.get("basicAuth") is not None:
        options["basic_auth"] = {
            part: _secret(world, namespace, endpoint["basicAuth"].get(part))
            for part in ("username", "password")
        }
    if endpoint.get("oauth2") is not None:
        options["oauth2"] = _oauth2(world, namespace, endpoint["oauth2"])
    given, usual = endpoint.get("authorization"), scrape_class.get("authorization")
    authorization = dict(given or usual or {})
    if given and usual and not given.get("credentials"):
        for field in ("credentials", "credentialsFile"):
            if usual.get(field):
                authorization[field] = usual[field]
    if given or usual is not None:
        options["authorization"] = _authorization(world, namespace, authorization)
    return options


def _authorization(world: World, namespace: str, authorization: Json) -> dict[str, Any]:
    found = {"type": str(authorization.get("type") or "Bearer").strip()}
    if authorization.get("credentials"):
        found["credentials"] = _secret(world, namespace, authorization["credentials"])
    if authorization.get("credentialsFile"):
        found["credentials_file"] = authorization["credentialsFile"]
    return found


def _oauth2(world: World, namespace: str, oauth2: Json) -> dict[str, Any]:
    found: dict[str, Any] = {
        "client_id": _either(world, namespace, oauth2.get("clientId")) or "",
        "client_secret": _secret(world, namespace, oauth2.get("clientSecret")),
        "token_url": oauth2.get("tokenUrl"),
    }
    for field, key in (("scopes", "scopes"), ("endpointParams", "endpoint_params")):
        if oauth2.get(field):
            found[key] = oauth2[field]
    if oauth2.get("tlsConfig") is not None:
        found["tls_config"] = _tls(namespace, oauth2["tlsConfig"])
    return found


def _merged_tls(given: Json | None, usual: Json | None) -> Json | None:
    """Fill files in from the scrape class where the endpoint names none."""
    if not given:
        return usual if usual is not None else given
    merged = dict(given)
    for file, other in (("caFile", "ca"), ("certFile", "cert"), ("keyFile", "keySecret")):
        if not given.get(file) and not given.get(other) and (usual or {}).get(file):
            merged[file] = (usual or {})[file]
    return merged


def _tls(namespace: str, tls: Json) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if tls.get("insecureSkipVerify") is not None:
        found["insecure_skip_verify"] = tls["insecureSkipVerify"]
    secret = {"secret": tls["keySecret"]} if tls.get("keySecret") else None
    for key, selector in (("ca_file", tls.get("ca")), ("cert_file", tls.get("cert")), ("key_file", secret)):
        for number, kind in enumerate(("secret", "configMap")):
            if selector and selector.get(kind):
                name, entry = selector[kind].get("name"), selector[kind].get("key")
                found[key] = f"{ASSETS}/{number}_{namespace}_{name}_{entry}"
    for field, key in (("caFile", "ca_file"), ("certFile", "cert_file"), ("keyFile", "key_file")):
        if tls.get(field):
            found[key] = tls[field]
    for field, key in (
        ("serverName", "server_name"),
        ("minVersion", "min_version"),
        ("maxVersion", "max_version"),
    ):
        if tls.get(field):
            found[key] = tls[field]
    return found


def _secret(world: World, namespace: str, selector: Json | None) -> str:
    name, key = str((selector or {}).get("name") or ""), str((selector or {}).get("key") or "")
    return world.value("Secret", namespace, name, key) or ""
