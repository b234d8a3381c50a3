"""The servers of one cluster: sockets, time, and what a client must know to find them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TYPE_CHECKING

from kdp import _core
from kdp.errors import KdpError
from kdp.serve.app import ApiApp
from kdp.serve.clock import Clock
from kdp.serve.schemas import read_schemas

if TYPE_CHECKING:
    from kdp.cluster import Cluster

__all__ = ["Server"]

LOOPBACK = ("127.0.0.1", "localhost", "::1")

KUBECONFIG = """\
apiVersion: v1
kind: Config
clusters:
- name: kdp
  cluster:
    server: {url}
contexts:
- name: kdp
  context:
    cluster: kdp
    user: kdp
    namespace: {namespace}
users:
- name: kdp
  user: {{}}
current-context: kdp
"""


class Server:
    """An API server, and a DNS server if ``dns_port`` is given, for one cluster.

    ``port=0`` takes a free one. ``address`` is loopback unless asked otherwise.
    """

    def __init__(
        self,
        cluster: Cluster,
        *,
        address: str = "127.0.0.1",
        port: int = 0,
        dns_port: int | None = None,
        speed: float = 1.0,
        epoch: int | None = None,
        release: str | None = None,
        namespace: str = "default",
    ) -> None:
        self.cluster = cluster
        self.address, self.port, self.dns_port = address, port, dns_port
        self.namespace = namespace
        self.clock = Clock(speed=speed, epoch=epoch, start=cluster.now)
        release = release or _core.releases()[-1]
        self._api = _core.Api(cluster.core, read_schemas(release), self.clock.epoch)
        hosts = frozenset((*LOOPBACK, address))
        self.app = ApiApp(self._api, cluster.core, self.clock, hosts)

    @property
    def url(self) -> str:
        """Where the API is."""
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"http://{host}:{self.port}"

    def write_kubeconfig(self, path: Path | None = None) -> Path:
        """Write a kubeconfig for this server, readable by its owner alone."""
        if path is None:
            handle, name = tempfile.mkstemp(prefix="kdp-", suffix=".kubeconfig")
            os.close(handle)
            path = Path(name)
        path.write_text(KUBECONFIG.format(url=self.url, namespace=self.namespace), encoding="utf-8")
        return path

    async def run(self, ready: Callable[[], None] = lambda: None) -> None:
        """Serve until cancelled; ``ready`` is called once clients can connect."""
        import uvicorn

        config = uvicorn.Config(
            self.app,
            host=self.address,
            port=self.port,
            log_level="warning",
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=1,
            timeout_keep_alive=75,
        )
        server = uvicorn.Server(config)
        server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
        async with self._dns(), asyncio.TaskGroup() as tasks:
            serving = tasks.create_task(self._serve(server))
            while not server.started and not serving.done():  # noqa: ASYNC110 -- uvicorn has a flag, no event
                await asyncio.sleep(0.01)
            self.port = server.servers[0].sockets[0].getsockname()[1] if server.started else self.port
            timing = tasks.create_task(self.app.keep_time())
            ready()
            try:
                await serving
            finally:
                self.app.end()
                timing.cancel()
                server.should_exit = True

    async def _serve(self, server: object) -> None:
        try:
            await server.serve()  # type: ignore[attr-defined]
        except SystemExit:
            message = f"{self.address}:{self.port} cannot be listened on: the port is taken, or not allowed"
            raise KdpError("serve-address-taken", message) from None

    @contextlib.asynccontextmanager
    async def _dns(self) -> AsyncIterator[None]:
        if self.dns_port is None:
            yield
            return
        from kdp.serve.dns import listen

        async with listen(self._api, self.address, self.dns_port) as self.dns_port:
            yield
