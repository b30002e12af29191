# SPDX-License-Identifier: MIT
"""RFC 1624: the header checksum by incremental update."""

from twinroute.conformance.kit import FWD, P1, T, Testbed, case, checksum

HEADER, SUM = slice(14, 34), slice(24, 26)


def ident_for(value: int, *, ttl: int = 64) -> int:
    """Return the ID with which T(ttl=ttl) has a certain header checksum, 0 to 0xfffe."""
    total = ~checksum(T(ttl=ttl, ident=0, header_checksum=0)[HEADER]) & 0xFFFF
    ident = ((0xFFFF ^ value) - total) % 0xFFFF
    assert T(ttl=ttl, ident=ident)[SUM] == value.to_bytes(2, "big")
    return ident


@case("RFC1624-3-1")
def checksums_at_the_edge_of_zero(t: Testbed) -> None:
    """For each TTL headers whose checksum is or becomes 0x0000, or is near it, or 0xffff."""
    for ttl in range(2, 256):
        idents = [ident_for(value, ttl=ttl) for value in (0, 1, 0xFEFF, 0xFF00, 0xFFFE)]
        packets = [T(ttl=ttl, ident=ident) for ident in idents]
        # The other zero of one's complement arithmetic, which is valid too.
        packets.append(T(ttl=ttl, ident=idents[0], header_checksum=0xFFFF))
        packets.append(T(ttl=ttl, ident=ident_for(0, ttl=ttl - 1)))
        wanted = [FWD(packet) for packet in packets]
        assert wanted[-1].data[SUM] == b"\0\0"
        t.send(P1, *packets)
        t.expect(wanted, note=f"TTL {ttl}")
