"""The published schemas of Kubernetes' own kinds, from the package ``kubernetes-validate``."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from kdp.errors import KdpError

__all__ = ["read_schemas"]


def read_schemas(release: str) -> bytes:
    """Read the schemas of a release such as ``1.33``; the nearest there are if it has none of its own."""
    try:
        folder = Path(str(resources.files("kubernetes_validate"))) / "kubernetes-json-schema"
    except ModuleNotFoundError:
        message = "kdp serve needs more than kdp itself: pip install 'kdp[serve]'"
        raise KdpError("serve-not-installed", message) from None
    minor = int(release.rpartition(".")[2])
    found = {int(path.name.split(".")[1]): path for path in folder.glob("v1.*-local") if path.is_dir()}
    nearest = min(found, key=lambda each: (abs(each - minor), -each))
    return (found[nearest] / "_definitions.json").read_bytes()
