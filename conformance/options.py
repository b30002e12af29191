# SPDX-License-Identifier: MIT
"""IP options for cases, octet by octet as RFC 791 3.1 draws them, and the knobs to turn for them.

The routers under test never see this file: no code is shared.
"""

import time
from collections.abc import Callable

from twinroute.conformance.frames import address_bytes
from twinroute.conformance.testbed import Testbed
from twinroute.conformance.wanted import Free, right_ip_checksum

RECORD, STAMPS, LOOSE, STRICT = 7, 68, 131, 137
PROCESS = {"source_route": "process", "record_route": "process", "timestamp": "process"}
STREAM_ID = bytes.fromhex("88040001")
DAY_MS = 86_400_000
NEAR_MS = 300_000  # RFC 1812 4.2.2.1-18: five minutes from the tester's clock


def padded(option: bytes) -> bytes:
    """Fill an option area up with zeros to a 32-bit boundary."""
    return option + bytes(-len(option) % 4)


def listed(kind: int, *addresses: str, pointer: int = 4, length: int | None = None) -> bytes:
    """Return a route option with these addresses."""
    octets = b"".join(map(address_bytes, addresses))
    return bytes([kind, 3 + len(octets) if length is None else length, pointer]) + octets


def loose(*addresses: str, pointer: int = 4) -> bytes:
    """Return an LSRR option."""
    return listed(LOOSE, *addresses, pointer=pointer)


def strict(*addresses: str, pointer: int = 4) -> bytes:
    """Return an SSRR option."""
    return listed(STRICT, *addresses, pointer=pointer)


def record(*addresses: str, slots: int) -> bytes:
    """Return a Record Route option of so many slots, the first of them taken by addresses."""
    pointer = 4 + 4 * len(addresses)
    return listed(RECORD, *addresses, *["0.0.0.0"] * (slots - len(addresses)), pointer=pointer)


def stamp_in(frame: bytes, at: int) -> int:
    """Return the timestamp at an octet of a frame."""
    return int.from_bytes(frame[at : at + 4], "big")


def now_ms(t: Testbed) -> float:
    """Return the time as the router sees it pass."""
    return t.device.now_ps / 1e9 if t.has("virtual-time") else time.monotonic() * 1e3


def is_sound(stamp: int) -> bool:
    """Tell whether a timestamp is in milliseconds since midnight UT, or marked as something else.

    RFC 791 3.1, RFC 1812 4.2.2.1.
    """
    if stamp >> 31:
        return True
    away = (stamp - time.time() * 1000) % DAY_MS
    return stamp != 0 and min(away, DAY_MS - away) <= NEAR_MS


def _sound_at(at: int) -> Callable[[bytes], bool]:
    return lambda frame: is_sound(stamp_in(frame, at))


def stamped(octet: int) -> tuple[Free, ...]:
    """Leave a timestamp at an octet of the IP header open, if it is sound; and the checksum."""
    return (
        Free(octet, b"\xff" * 4, "timestamp", _sound_at(14 + octet)),
        Free(10, b"\xff" * 2, "right header checksum", right_ip_checksum),
    )
