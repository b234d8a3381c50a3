"""A scrape job at work: from target groups to targets, and to what relabelling drops.

Source: Prometheus 3.14, scrape/target.go, PopulateLabels; scrape/scrape.go, Sync; config/config.go, Validate.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus

from kdp.errors import UnsupportedError, ValidationError
from kdp.prometheus.discovery import Group, discover
from kdp.prometheus.duration import to_milliseconds, to_text
from kdp.prometheus.relabel import Labels, Rule, apply, rule, text

if TYPE_CHECKING:
    from kdp.prometheus.world import Json, World

__all__ = ["Found", "Job", "Target", "is_target"]

# Characters that Go leaves as they are. Source: Go 1.26, net/url shouldEscape.
PATH_SAFE = "$&+,/:;=@"
HOST_SAFE = "!$&'()*+,;=:[]<>\""
TIMEOUT_DEFAULT = "10s"


@dataclass(frozen=True, slots=True)
class Target:
    """An active target: where it is scraped, and its labels before and after."""

    job: str
    url: str
    labels: Mapping[str, str]
    discovered: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Found:
    """What became of one discovered target: a target, dropped by a rule, or neither (no valid address)."""

    discovered: Labels
    dropped_by: int | None
    target: Target | None
    labels: Labels


class Job:
    """One entry of ``scrape_configs`` with what it takes from the global block."""

    def __init__(self, name: str, config: Json, defaults: Json) -> None:
        self.name = name
        self._config = config
        others = sorted(
            key for key in config if key.endswith("_sd_configs") and key != "kubernetes_sd_configs"
        )
        if others:
            raise UnsupportedError("case-not-modelled", f"scrape job {name}: {others[0]} is not modelled")
        self.rules: Sequence[Rule] = [rule(each) for each in config.get("relabel_configs") or ()]
        self._interval, self._timeout = self._times(defaults)

    def _times(self, defaults: Json) -> tuple[str, str]:
        usual = to_milliseconds(text(defaults.get("scrape_interval") or "1m"))
        usual_timeout = defaults.get("scrape_timeout")
        limit = to_milliseconds(text(usual_timeout or TIMEOUT_DEFAULT))
        limit = limit if usual_timeout else min(limit, usual)
        interval = self._milliseconds("scrape_interval") or usual
        timeout = self._milliseconds("scrape_timeout") or min(limit, interval)
        if timeout > interval:
            raise ValidationError(
                "value-not-allowed",
                f"scrape job {self.name}: .scrape_timeout {to_text(timeout)} is greater than the interval "
                f"{to_text(interval)}",
            )
        return to_text(interval), to_text(timeout)

    def _milliseconds(self, key: str) -> int:
        value = self._config.get(key)
        return to_milliseconds(text(value)) if value else 0

    def find(self, world: World) -> Iterator[Found]:
        """Discover, relabel and judge each target, one by one."""
        seen: list[Json] = []
        for config in self._config.get("kubernetes_sd_configs") or ():
            if config in seen:
                continue  # Source: Prometheus 3.14, discovery/manager.go: equal entries share one provider.
            seen.append(config)
            for group in discover(world, config):
                yield from self.judge(group)
        for config in self._config.get("static_configs") or ():
            shared = {name: text(value) for name, value in (config.get("labels") or {}).items()}
            targets = [{"__address__": text(each)} for each in config.get("targets") or ()]
            yield from self.judge(Group(shared, targets))

    def judge(self, group: Group) -> Iterator[Found]:
        """Relabel the targets of one group."""
        for own in group.targets:
            discovered = self._discovered({**group.labels, **own})
            labels, dropped_by = apply(self.rules, discovered)
            target = self._target(labels, discovered) if dropped_by is None else None
            yield Found(discovered, dropped_by, target, labels)

    def _discovered(self, labels: Labels) -> Labels:
        """Add what the job says where the target does not."""
        usual = {
            "job": self.name,
            "__scrape_interval__": self._interval,
            "__scrape_timeout__": self._timeout,
            "__metrics_path__": text(self._config.get("metrics_path") or "/metrics"),
            "__scheme__": text(self._config.get("scheme") or "http"),
        }
        for key, values in (self._config.get("params") or {}).items():
            if values:
                usual[f"__param_{key}"] = text(values[0])
        found = {name: value for name, value in labels.items() if value}
        return {name: value for name, value in (usual | found).items() if value}

    def _target(self, labels: Labels, discovered: Labels) -> Target | None:
        if not is_target(labels):
            return None
        final = {"instance": labels["__address__"]} | labels
        shown = {name: value for name, value in final.items() if not name.startswith("__")}
        return Target(self.name, self._url(labels), shown, discovered)

    def _url(self, labels: Labels) -> str:
        """Write the URL as Go does. Source: Prometheus 3.14, Target.URL; Go 1.26, url.URL.String."""
        params = {key: [text(each) for each in values] for key, values in _params(self._config).items()}
        for name, value in labels.items():
            if name.startswith("__param_"):
                key = name.removeprefix("__param_")
                params[key] = [value, *params.get(key, [])[1:]]
        query = "&".join(
            f"{quote_plus(key)}={quote_plus(value)}" for key in sorted(params) for value in params[key]
        )
        path = labels.get("__metrics_path__", "")
        path = path if path == "*" else quote(path, safe=PATH_SAFE)
        slash = "/" if path and not path.startswith("/") else ""
        scheme = f"{labels['__scheme__']}:" if "__scheme__" in labels else ""
        host = quote(labels["__address__"], safe=HOST_SAFE)
        return f"{scheme}//{host}{slash}{path}{'?' if query else ''}{query}"


def is_target(labels: Mapping[str, str]) -> bool:
    """Tell whether relabelled labels have what a target needs: an address, an interval and a timeout within it."""
    address = labels.get("__address__", "")
    return bool(address) and "/" not in address and _times_hold(labels)


def _params(config: Json) -> Mapping[str, Sequence[Any]]:
    found: Mapping[str, Sequence[Any]] = config.get("params") or {}
    return {key: values or [] for key, values in found.items()}


def _times_hold(labels: Mapping[str, str]) -> bool:
    """Tell whether relabelling left an interval and a timeout that a target can have."""
    try:
        interval = to_milliseconds(labels.get("__scrape_interval__", ""))
        timeout = to_milliseconds(labels.get("__scrape_timeout__", ""))
    except ValidationError:
        return False
    return 0 < timeout <= interval
