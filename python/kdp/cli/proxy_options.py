"""kube-proxy's options on the command line, under their own names.

They are kept with click's context, not handed to commands: `Session.load` takes them from there, so that a command
needs no more than the decorator.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

__all__ = ["chosen_proxy_options", "proxy_options"]

KEY = "kdp.proxy_options"

TEXTS = (
    (
        "--detect-local-mode",
        "MODE",
        "ClusterCIDR (default), NodeCIDR, BridgeInterface or InterfaceNamePrefix.",
    ),
    ("--pod-bridge-interface", "NAME", "The bridge of local Pods, with --detect-local-mode=BridgeInterface."),
    ("--pod-interface-name-prefix", "TEXT", "How names of local Pods' devices begin."),
    ("--nodeport-addresses", "CIDRS", "Addresses that take node ports, or the word primary."),
    ("--iptables-masquerade-bit", "BIT", "The bit of the mark that asks for masquerade (default 14)."),
    ("--iptables-localhost-nodeports", "true|false", "Node ports on 127.0.0.0/8 (default true)."),
    ("--masquerade-all", "true|false", "Masquerade all traffic to cluster IPs (default false)."),
    ("--conntrack-tcp-be-liberal", "true|false", "Let TCP out of its window pass (default false)."),
    ("--hostname-override", "NAME", "The name that every node takes itself for."),
    ("--feature-gates", "NAME=true,…", "kube-proxy's feature gates."),
)


def proxy_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add kube-proxy's options to a command that loads a cluster."""
    for name, metavar, text in reversed(TEXTS):
        command = click.option(
            name, metavar=metavar, expose_value=False, callback=_keep, help=f"kube-proxy: {text}"
        )(command)
    return click.option(
        "--proxy-config",
        metavar="FILE",
        expose_value=False,
        callback=_keep,
        help="kube-proxy: its configuration file (KubeProxyConfiguration), instead of options.",
    )(command)


def _keep(context: click.Context, parameter: click.Parameter, value: str | None) -> None:
    if value is not None:
        name = parameter.opts[0].removeprefix("--")
        context.meta.setdefault(KEY, {})[name] = value


def chosen_proxy_options() -> dict[str, Any]:
    """Give what was chosen on this command line, in the form that the core reads."""
    context = click.get_current_context(silent=True)
    flags = dict(context.meta.get(KEY, {})) if context else {}
    if not flags:
        return {}
    from kdp import proxy_options as core_form

    path = flags.pop("proxy-config", None)
    chosen = core_form.proxy_options(path) if path else {}
    return chosen | ({"proxy_flags": flags} if flags else {})
