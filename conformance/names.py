# SPDX-License-Identifier: MIT
"""The names of the test bed: ports, stations, addresses. The table [testbed] of
requirements/rfc1812-requirements.toml says the same in words.

A device whose router has MAC addresses of its own translates them: cases know M1, M2, M3 alone.
"""

P1, P2, P3 = "p1", "p2", "p3"
PORTS = (P1, P2, P3)
M1, M2, M3 = "02:00:00:00:01:01", "02:00:00:00:02:01", "02:00:00:00:03:01"  # the router's
h1, h2, h3 = "02:00:00:00:01:02", "02:00:00:00:02:02", "02:00:00:00:03:02"  # hosts
g1, g2, g3 = "02:00:00:00:01:fe", "02:00:00:00:02:fe", "02:00:00:00:03:fe"  # neighbour routers
BROADCAST = "ff:ff:ff:ff:ff:ff"
NO_MAC = "00:00:00:00:00:00"
H1, H2, H3 = "10.1.0.2", "10.2.0.2", "10.3.0.2"
G1, G2, G3 = "10.1.0.254", "10.2.0.254", "10.3.0.254"
R1, R2, R3 = "10.1.0.1", "10.2.0.1", "10.3.0.1"
A1 = "198.18.0.1"  # reached by G2
B1 = "198.19.0.1"  # reached by G3
U = "10.99.0.1"  # no route

MAC = {P1: M1, P2: M2, P3: M3}
OWN = {P1: R1, P2: R2, P3: R3}
GATEWAY = {P1: (G1, g1), P2: (G2, g2), P3: (G3, g3)}
STATIONS = {
    P1: {H1: h1, G1: g1},
    P2: {H2: h2, G2: g2},
    P3: {H3: h3, G3: g3},
}


def twin(port: str) -> str:
    """Return the place where the twin of a port is captured and sent from."""
    return f"twin-{port}"


TWINS = tuple(twin(port) for port in PORTS)
PLACES = PORTS + TWINS


def next_hop_mac(port: str, address: str) -> str:
    """Return who gets a packet for an address out of a port: that station, or the gateway."""
    return STATIONS[port].get(address, GATEWAY[port][1])
