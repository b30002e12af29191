# SPDX-License-Identifier: MIT
"""Addresses, prefixes, MTUs and routes, as the configuration takes and refuses them."""

from twinroute.conformance.kit import PORT, ConfigBed, config_case


def port_with(*addresses: str, keys: str = "") -> str:
    """Return a configuration of one port."""
    listed = ", ".join(f'"{address}"' for address in addresses)
    return f"[port.p1]\naddress = [{listed}]\n{keys}\n"


@config_case("RFC1812-2.2.5.1-1", "RFC1812-2.2.5.2-2", "RFC1812-10.2.2-5")
def masks_are_prefix_lengths(c: ConfigBed) -> None:
    """Lengths up to 32, no mask that is written out, no bits behind the prefix of a route."""
    for bits in (1, 8, 24, 30, 31, 32):
        address = "10.0.0.1" if bits > 1 else "66.0.0.1"
        config = c.accepts(port_with(f"{address}/{bits}"))
        (found,) = config.ports["p1"].addresses
        c.check(found.network.prefixlen == bits, "another prefix length")
    for mask in ("255.0.255.0", "255.255.255.0", "33", "-1", "0"):
        c.refuses(port_with(f"10.1.0.1/{mask}"), "prefix length from 1 to 32")
    for to, words in (
        ("10.2.0.1/16", "no bits set behind the prefix"),
        ("10.2.0.0/33", "prefix length from 0 to 32"),
        ("10.2.0.0/255.255.0.0", "prefix length from 0 to 32"),
        ("10.2.0.0", "prefix length from 0 to 32"),
    ):
        c.refuses(PORT + f'[[route]]\nto = "{to}"\nvia = "10.1.0.2"\n', words)


@config_case("RFC1812-4.2.2.11-14", "RFC1812-10.2.2-4")
def hosts_are_neither_zeros_nor_ones(c: ConfigBed) -> None:
    """First and last address of a subnet are nobody's, but on /31 and /32."""
    for address in ("10.1.0.0/24", "10.1.0.255/24", "10.1.0.4/30", "10.1.0.7/30", "10.0.0.0/8"):
        c.refuses(port_with(address), "a host's address, from")
    for address in ("10.1.0.0/31", "10.1.0.1/31", "10.1.0.0/32", "10.1.0.255/32", "10.1.0.255/16"):
        c.accepts(port_with(address))


@config_case("RFC1812-3.3.4-1", "RFC1812-3.3.4-2")
def mtu_of_a_port(c: ConfigBed) -> None:
    """From IP's least to jumbo frames' most, for each port by itself; no more and no less."""
    for mtu in (68, 576, 1500, 9216):
        config = c.accepts(PORT + f'mtu = {mtu}\n[port.p2]\naddress = "10.2.0.1/24"\n')
        c.check((config.ports["p1"].mtu, config.ports["p2"].mtu) == (mtu, 1500), "other MTUs")
    for wrong in ("67", "0", "-1", "9217", "65536", '"1500"'):
        c.refuses(PORT + f"mtu = {wrong}\n", "an integer from 68 to 9216")


@config_case("RFC1812-10.2.1-2")
def addresses_are_given_explicitly(c: ConfigBed) -> None:
    """A port has the addresses that are written down, and no others."""
    config = c.accepts(port_with("10.1.0.1/24", "10.11.0.1/25"))
    c.check(
        [str(one) for one in config.ports["p1"].addresses] == ["10.1.0.1/24", "10.11.0.1/25"],
        "other addresses",
    )
    config = c.accepts(PORT + "[port.p2]\n")
    c.check(config.ports["p2"].addresses == [], "an address that nobody has given")


@config_case("RFC1812-7.4-1", "RFC1812-7.4-2", "RFC1812-7.4-5", "RFC1812-7.4-6", "RFC1812-7.1.1-1")
def static_routes(c: ConfigBed) -> None:
    """By prefix, with a metric among themselves, and a preference against other sources."""
    route = '[[route]]\nto = "198.18.0.0/16"\nvia = "10.1.0.{}"\n'
    config = c.accepts(PORT + route.format(2))
    (found,) = config.routes
    c.check((str(found.to), found.preference) == ("198.18.0.0/16", 20), "another route")
    config = c.accepts(PORT + route.format(2) + "preference = 1\n")
    c.check(config.routes[0].preference == 1, "another preference")
    config = c.accepts(PORT + route.format(2) + "metric = 10\n" + route.format(3) + "metric = 20\n")
    c.check([dict(one)["metric"] for one in config.routes] == [10, 20], "other metrics")
    c.refuses(PORT + route.format(2) + "preference = 256\n", "an integer from 0 to 255")


@config_case("RFC1812-7.1.1-2")
def routes_to_martians_are_refused(c: ConfigBed) -> None:
    """Nothing is routed to loopback, this network, multicast and class E."""
    for to in ("127.0.0.0/8", "127.1.2.0/24", "0.0.0.0/8", "224.0.0.0/4", "240.0.0.0/4"):
        c.refuses(PORT + f'[[route]]\nto = "{to}"\nvia = "10.1.0.2"\n', "a destination outside")
    c.accepts(PORT + '[[route]]\nto = "0.0.0.0/0"\nvia = "10.1.0.2"\n')
