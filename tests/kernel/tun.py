"""TUN devices: this process is the wire."""

from __future__ import annotations

import fcntl
import os
import struct
from pathlib import Path

_TUNSETIFF, _IFF_TUN, _IFF_NO_PI = 0x400454CA, 0x0001, 0x1000  # Source: include/uapi/linux/if_tun.h
DEVICE = Path("/dev/net/tun")


class Tun:
    """One device. What is written to it arrives at the box; what the box sends by it is read."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.fd = os.open(DEVICE, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        fcntl.ioctl(self.fd, _TUNSETIFF, struct.pack("16sH22x", name.encode(), _IFF_TUN | _IFF_NO_PI))

    def write(self, packet: bytes) -> None:
        """Let a packet arrive. The box has dealt with it when this returns."""
        os.write(self.fd, packet)

    def take(self) -> list[bytes]:
        """All that the box has sent since the last call."""
        taken = []
        while True:
            try:
                taken.append(os.read(self.fd, 65536))
            except BlockingIOError:
                return taken

    def close(self) -> None:
        """Take the device away."""
        os.close(self.fd)
