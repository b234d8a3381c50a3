"""kube-proxy's options on the command line and in its configuration file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import kdp
import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Run

HEAD = "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n"


@pytest.mark.parametrize(
    ("option", "value", "shows"),
    [
        ("--iptables-masquerade-bit", "4", "--mark 0x10/0x10"),
        ("--detect-local-mode", "NodeCIDR", "! -s "),
        ("--cluster-cidr", "10.128.0.0/9", "! -s 10.128.0.0/9"),
    ],
)
def test_an_option_changes_the_rules(example: Run, option: str, value: str, shows: str) -> None:
    done = example("rules", option, value)
    assert (done.status, shows in done.out) == (0, True)


def test_masquerade_all_leaves_no_source_test(example: Run) -> None:
    before, after = (
        example("rules", "-t", "nat").out,
        example("rules", "-t", "nat", "--masquerade-all", "true").out,
    )
    assert ("! -s " in before, "! -s " in after) == (True, False)


def test_a_bridge_is_matched_by_name(example: Run) -> None:
    out = example("rules", "--detect-local-mode", "BridgeInterface", "--pod-bridge-interface", "cni0").out
    assert "! -i cni0" in out


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--iptables-masquerade-bit", "40"], "proxy-option-not-valid"),
        (["--masquerade-all", "yes"], "proxy-option-not-valid"),
        (["--cluster-cidr", "fd00:1::/56"], "proxy-cidr-family"),
        (["--nodeport-addresses", "10.0.0.1"], "proxy-option-not-valid"),
        (["--pod-bridge-interface", "cni0"], "proxy-options-exclusive"),
        (["--k8s", "1.12"], "proxy-unknown-release"),
        (
            ["--k8s", "1.36", "--feature-gates", "PreferSameTrafficDistribution=false"],
            "proxy-option-not-valid",
        ),
    ],
)
def test_what_is_wrong_has_a_code(example: Run, arguments: list[str], code: str) -> None:
    done = example("rules", *arguments)
    assert done.status in (1, 2)
    assert code in done.err


def test_a_configuration_file_decides_the_mode(example: Run, tmp_path: Path) -> None:
    path = tmp_path / "proxy.yaml"
    path.write_text(f"{HEAD}mode: nftables\nclusterCIDR: 10.0.0.0/8\n", encoding="utf-8")
    assert example("rules", "--proxy-config", str(path)).out.startswith("table ip kube-proxy")
    both = example("rules", "--proxy-config", str(path), "--masquerade-all", "true")
    assert (both.status, "proxy-options-exclusive" in both.err) == (2, True)


def test_another_kind_of_file_is_refused(example: Run, tmp_path: Path) -> None:
    path = tmp_path / "kubelet.yaml"
    path.write_text(
        "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n", encoding="utf-8"
    )
    done = example("rules", "--proxy-config", str(path))
    assert (done.status, "KubeletConfiguration" in done.err) == (2, True)
    assert example("rules", "--proxy-config", str(tmp_path / "none")).status == 1


def test_python_takes_options_a_configuration_and_a_path(tmp_path: Path) -> None:
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1"}}
    flags = kdp.Cluster([node], proxy={"masquerade-all": True, "proxy-mode": "nftables"})
    whole = {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "nftables",
        "nftables": {"masqueradeAll": True},
    }
    file = tmp_path / "proxy.yaml"
    file.write_text(f"{HEAD}mode: nftables\nnftables: {{masqueradeAll: true}}\n", encoding="utf-8")
    texts = {
        cluster.rules()
        for cluster in (flags, kdp.Cluster([node], proxy=whole), kdp.Cluster([node], proxy=file))
    }
    assert len(texts) == 1
    assert "masquerade all clusterIP traffic" in texts.pop()
    with pytest.raises(kdp.KdpError) as caught:
        kdp.Cluster([node], proxy=whole | {"iptabels": {}})
    assert caught.value.code == "proxy-option-unknown"


def test_overlapping_node_ports_are_refused() -> None:
    def service(name: str) -> dict[str, object]:
        spec = {"type": "NodePort", "ports": [{"port": 80, "nodePort": 30080}]}
        return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}

    with pytest.raises(kdp.KdpError) as caught:
        kdp.Cluster([service("a"), service("b")])
    assert caught.value.code == "duplicate-node-port"
