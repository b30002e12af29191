# SPDX-License-Identifier: MIT
"""RFC 6890: addresses of special purposes, which are forwarded and which are not."""

from twinroute.conformance.kit import DROP, FWD, G3, P1, P3, R1, ROUTES, Route, T, Testbed, case

BY_DEFAULT = (*ROUTES, Route("0.0.0.0/0", G3))
DOCUMENTATION = ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24")


def _neither_way(t: Testbed, *addresses: str) -> None:
    """Demand that nothing comes from the addresses or goes there, by the default route or to us."""
    for address in addresses:
        t.send(P1, T(dst=address))
        t.expect(DROP, drop="martian_destination", note=f"to {address}")
        t.send(P1, T(address), T(address, R1))
        t.expect(DROP, drop="martian_source", note=f"from {address}")


def _both_ways(t: Testbed, *addresses: str) -> None:
    """Demand that they are addresses like any other."""
    for address in addresses:
        t.send(P1, T(dst=address))
        t.expect(FWD(T(dst=address), P3), note=f"to {address}")
        t.send(P1, T(address))
        t.expect(FWD(T(address)), note=f"from {address}")


@case("RFC6890-2.2.2-1", "RFC6890-2.2.2-7")
def this_network_and_reserved_ones(t: Testbed) -> None:
    """0.0.0.0/8 and 240.0.0.0/4, as a source and as a destination, though there is a default."""
    t.configure(routes=BY_DEFAULT)
    _neither_way(t, "0.1.2.3", "0.255.255.255")
    _neither_way(t, "240.0.0.1", "255.255.255.254", "247.1.2.3")
    _both_ways(t, "1.0.0.0", "223.255.255.255")


@case("RFC6890-2.2.2-2")
def private_space_is_forwarded(t: Testbed) -> None:
    """10/8, 172.16/12, 192.168/16, 100.64/10 and 198.18/15: there is no filter."""
    t.configure(routes=BY_DEFAULT)
    for dst in ("10.200.0.1", "172.31.0.1", "192.168.9.9", "100.127.0.1", "198.19.255.1"):
        t.send(P1, T(dst=dst))
        t.expect(FWD(T(dst=dst), P3), note=f"to {dst}")
        t.send(P1, T(dst))
        t.expect(FWD(T(dst)), note=f"from {dst}")


@case("RFC6890-2.2.2-3")
def loopback_stays_inside(t: Testbed) -> None:
    """127.0.0.0/8: not forwarded, and not accepted from the wire."""
    t.configure(routes=BY_DEFAULT)
    _neither_way(t, "127.0.0.1", "127.255.255.255", "127.255.255.254")
    _both_ways(t, "126.255.255.255", "128.0.0.0")


@case("RFC6890-2.2.2-4")
def link_local_stays_on_its_link(t: Testbed) -> None:
    """169.254.0.0/16, and the addresses beside it."""
    t.configure(routes=BY_DEFAULT)
    _neither_way(t, "169.254.1.1", "169.254.0.0", "169.254.255.255")
    _both_ways(t, "169.253.255.255", "169.255.0.0")


@case("RFC6890-2.2.2-5")
def protocol_assignments(t: Testbed) -> None:
    """192.0.0.0/24 is not forwarded, but 192.0.0.0/29 of it is."""
    t.configure(routes=BY_DEFAULT)
    _neither_way(t, "192.0.0.100", "192.0.0.8", "192.0.0.255")
    _both_ways(t, "192.0.0.2", "192.0.0.7", "191.255.255.255", "192.0.1.0")


@case("RFC6890-2.2.2-6")
def documentation_prefixes(t: Testbed) -> None:
    """Not forwarded; each can be made a prefix like any other."""
    inside = [prefix.replace(".0/24", ".1") for prefix in DOCUMENTATION]
    t.configure(routes=BY_DEFAULT)
    _neither_way(t, *inside, "192.0.2.0", "203.0.113.255")
    _both_ways(t, "192.0.3.0", "198.51.99.255", "203.0.114.0")
    for prefix, address in zip(DOCUMENTATION, inside, strict=True):
        t.configure(routes=BY_DEFAULT, knobs={"martians_allowed": [prefix]})
        _both_ways(t, address)
        _neither_way(t, *(one for one in inside if one != address))
