"""A cluster served to real clients: an API server and a DNS server on loopback.

The sockets are here, the semantics in the core: ``kdp._core.Api`` answers a request, this package carries the bytes,
moves virtual time on with the clock on the wall, and wakes the watches that a change concerns.
"""

from __future__ import annotations

from kdp.serve.app import ApiApp
from kdp.serve.clock import Clock
from kdp.serve.server import Server

__all__ = ["ApiApp", "Clock", "Server"]
