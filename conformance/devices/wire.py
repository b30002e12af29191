# SPDX-License-Identifier: MIT
"""A router of whatever kind between real interfaces: frames by raw sockets, neighbours played.

Nobody tells when such a router is done: the tester waits for the frames that are due, and then
for silence. The router's own MAC addresses are translated to those of the test bed and back.
"""

from collections.abc import Mapping, Sequence

from twinroute.conformance import frames as f
from twinroute.conformance import names as n
from twinroute.conformance.device import Captured, Device, Missing, Sent
from twinroute.conformance.devices.namespaces import Tap, now, wait
from twinroute.conformance.setup import Setup

QUIET_MS = 60.0  # of silence, after which nothing more is expected
LATE_MS = 400.0  # time that a frame may take which is due

MAC_PLACES = (0, 6)  # in Ethernet
ARP_MAC_PLACES = (22, 32)


class WireDevice(Device):
    """What Linux and any external router have in common; taps: by port."""

    ours = False
    capabilities = frozenset[str]()

    def __init__(self, *, quiet_ms: float = QUIET_MS) -> None:
        """Take the silence to wait for."""
        self.quiet_s = quiet_ms / 1000
        self.taps: dict[str, Tap] = {}
        self.setup = Setup()
        self._found: list[Captured] = []
        self._to_real: dict[bytes, bytes] = {}
        self._from_real: dict[bytes, bytes] = {}

    def use_macs(self, macs: Mapping[str, str]) -> None:
        """Say which MAC addresses the router's ports have, if not those of the test bed."""
        pairs = [
            (f.mac_bytes(n.MAC[port]), f.mac_bytes(mac))
            for port, mac in macs.items()
            if mac.lower() != n.MAC[port]
        ]
        self._to_real = dict(pairs)
        self._from_real = {real: ours for ours, real in pairs}

    def send(self, frames: Sequence[Sent], *, trace: bool = False) -> None:
        """Send frames by the interfaces."""
        for one in frames:
            if one.place not in self.taps or one.place not in self.setup.addresses:
                raise Missing(f"no {one.place}")
            try:
                self.taps[one.place].send(_translate(one.data, self._to_real))
            except OSError as error:
                text = f"{len(one.data)} octets: {error.strerror}"
                raise Missing(f"a frame that the interface does not send: {text}") from None
            self._poll()

    def run(self, us: float | None, *, count: int = 0, wait_ms: float = 0) -> None:
        """Wait for a time, or for the frames that are due and then for silence."""
        start = now()
        if us is not None:
            while (left := start + us / 1e6 - now()) > 0:
                self._poll(left)
            return
        due = start + (LATE_MS + wait_ms) / 1000
        last = start
        while True:
            came = len(self._found)
            limit = due if came < count else last + self.quiet_s
            if now() >= limit:
                return
            if self._poll(limit - now()):
                last = now()

    def captured(self) -> list[Captured]:
        """Take what has come."""
        self._poll()
        found, self._found = self._found, []
        return found

    def _poll(self, seconds: float = 0) -> bool:
        """Take what comes within a time, answering ARP; False if that was nothing."""
        if not wait(self.taps.values(), seconds):
            return False
        for port, tap in self.taps.items():
            for real in tap.receive():
                data = _translate(real, self._from_real)
                if not self._answer(port, tap, data):
                    # Interfaces in software need not pad; what pads is told by a capability.
                    self._found.append(Captured(port, f.pad(data), 0))
        return True

    def _answer(self, port: str, tap: Tap, data: bytes) -> bool:
        """Answer the router's ARP requests for the stations that it is to know."""
        if not f.is_arp(data) or len(data) < 42 or data[21] != 1:
            return False
        target = f.text_of(data[38:42])
        mac = self.setup.known(port).get(target)
        if mac is None:
            return False
        asker, address = data[22:28].hex(":"), f.text_of(data[28:32])
        reply = f.arp(2, mac, target, asker, address)
        tap.send(_translate(reply, self._to_real))
        return True


def _translate(frame: bytes, macs: Mapping[bytes, bytes]) -> bytes:
    """Put other MAC addresses in the place of some, in Ethernet and ARP headers."""
    if not macs:
        return frame
    places = MAC_PLACES + (ARP_MAC_PLACES if f.is_arp(frame) and len(frame) >= 42 else ())
    data = bytearray(frame)
    for at in places:
        data[at : at + 6] = macs.get(frame[at : at + 6], frame[at : at + 6])
    return bytes(data)
