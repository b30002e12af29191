# SPDX-License-Identifier: MIT
"""Ports in memory (net_ring), for tests: frames go in and come out by calls."""

from twinroute.config import Config
from twinroute.dpdk import eal
from twinroute.dpdk._dpdk import ffi, lib
from twinroute.dpdk.eal import EngineError, text_of


class RingPort:
    """An Ethernet device made of rings; a configuration names it as `device`."""

    def __init__(
        self,
        config: Config,
        name: str,
        *,
        rx_queues: int,
        tx_queues: int,
        capacity: int = 1024,
        frame_bytes: int = 2048,
    ) -> None:
        """Make the device net_ring_NAME, after EAL's start by `config` if need be.

        capacity: frames that a queue holds, a power of two. frame_bytes: of the longest frame.
        """
        eal.start(config)
        error = ffi.new("char[]", lib.TR_DPDK_TEXT)
        arguments = (name.encode(), rx_queues, tx_queues, capacity, frame_bytes, error)
        self.device = f"net_ring_{name}"
        self.tx_queues = tx_queues
        self._pointer = lib.tr_ring_port_new(*arguments)
        if not self._pointer:
            raise EngineError(f"{self.device}: {text_of(error)}")
        self._room = ffi.new("uint8_t[]", 65535)

    def close(self) -> None:
        """Remove the device; no engine may use it any more."""
        lib.tr_ring_port_free(self._pointer)
        self._pointer = ffi.NULL

    def inject(self, frame: bytes, queue: int = 0, *, segments: int = 1) -> None:
        """Put a frame into a receive queue, in so many buffers. Raises EngineError."""
        code = lib.tr_ring_port_inject(self._pointer, queue, frame, len(frame), segments)
        if code:
            raise EngineError(f"{self.device}: queue {queue}: the frame is not taken ({code})")

    def set_link(self, *, up: bool) -> None:
        """Put the link up or down. Raises EngineError."""
        if lib.tr_ring_port_link(self._pointer, up):
            raise EngineError(f"{self.device}: the link stays as it is")

    def collect(self) -> list[bytes]:
        """Take all frames that were sent, those of one transmit queue in order."""
        out = []
        for queue in range(self.tx_queues):
            while size := lib.tr_ring_port_collect(self._pointer, queue, self._room, 65535):
                out.append(bytes(ffi.buffer(self._room, size)))
        return out
