# SPDX-License-Identifier: MIT
"""Frames for benchmarks, made in bulk."""

import numpy as np
import numpy.typing as npt

FRAME_BYTES_MIN = 60  # 64 on the wire, with the FCS


def udp_frames(
    destinations: npt.NDArray[np.uint32], *, to: str, size: int = FRAME_BYTES_MIN
) -> npt.NDArray[np.uint8]:
    """Make a frame for each destination address: a table of uint8, a frame of `size` bytes a row.

    to: MAC address that they go to. The source is 10.0.0.2; there is no UDP checksum.
    """
    frames = np.zeros((len(destinations), size), np.uint8)
    frames[:, 0:6] = np.frombuffer(bytes.fromhex(to.replace(":", "")), np.uint8)
    frames[:, 6:14] = np.frombuffer(bytes.fromhex("0200000000990800"), np.uint8)
    header = bytes.fromhex("4500") + (size - 14).to_bytes(2) + bytes.fromhex("0000000040110000")
    frames[:, 14:26] = np.frombuffer(header, np.uint8)
    frames[:, 26:30] = (10, 0, 0, 2)
    frames[:, 30:34] = _octets(destinations, 4)
    frames[:, 34:40] = np.frombuffer(bytes.fromhex("138913890000"), np.uint8)
    frames[:, 38:40] = np.frombuffer((size - 34).to_bytes(2), np.uint8)
    words = np.ascontiguousarray(frames[:, 14:34]).view(">u2").astype(np.uint32)
    sums = words.sum(axis=1, dtype=np.uint32)
    for _ in range(2):
        sums = (sums & np.uint32(0xFFFF)) + (sums >> np.uint32(16))
    frames[:, 24:26] = _octets(~sums, 2)
    return frames


def _octets(values: npt.NDArray[np.uint32], count: int) -> npt.NDArray[np.uint8]:
    """Split numbers into their last `count` bytes, the highest first."""
    return values.astype(">u4").view(np.uint8).reshape(-1, 4)[:, 4 - count :]
