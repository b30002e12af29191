# SPDX-License-Identifier: MIT
"""Every kind of problem of a configuration, and the one line that tells it."""

from pathlib import Path

import pytest

from twinroute.config import parse_config
from twinroute.errors import ConfigError

pytestmark = pytest.mark.no_sanitizer

P0 = '[port.p0]\naddress = "10.0.0.1/24"\n'
P1 = '[port.p1]\naddress = "10.0.1.1/24"\n'
PORTS = P0 + P1
MTU = "expected an integer from 68 to 9216"
TIME = "expected a number of µs from 0 to 1000000"
ADDRESS = 'expected an IPv4 address, as "10.0.0.2"'
INTERFACE = 'expected an IPv4 address with its prefix length, as "10.0.0.1/24"'
NETWORK = 'expected an IPv4 prefix, as "10.2.0.0/16"'
MASK = "expected a prefix length from 1 to 32 behind the slash"
MAC = 'expected a MAC address of six bytes in hexadecimal, as "02:54:52:00:00:01"'
UNICAST = "expected a unicast address outside 0.0.0.0/8, 127.0.0.0/8 and 224.0.0.0/3"
DESTINATION = "expected a destination outside 0.0.0.0/8, 127.0.0.0/8 and 224.0.0.0/3"
PORT_NAME = "expected a port's name of 1 to 15 letters, digits and _ . -"
OWN_PORT = "expected a port of this configuration: p0, p1"
NEIGHBOR = "expected a neighbour on a connected subnet (10.0.0.0/24, 10.0.1.0/24), else"
RATE = 'expected bit/s from 1000 to 10**12, as "10G", "2.5G", "100M", 64000, or "unlimited"'
FAST_KEYS = (
    "units, burst, scatter, vector, lpm, rebatch, rebatch_us, tx_buffer, tx_flush_us or hash_seed"
)


NEIGHBOR_TABLE = 'port = "p0"\naddress = "10.0.0.2"\nmac = "02:00:00:00:00:02"\n'


def port(line: str) -> str:
    return f"{P0}{line}\n{P1}"


def addressed(value: str) -> str:
    return f"[port.p0]\naddress = {value}\n{P1}"


def route(lines: str) -> str:
    return f"{PORTS}[[route]]\n{lines}\n"


def neighbor(lines: str) -> str:
    return f"{PORTS}[[neighbor]]\n{lines}\n"


# The text, and the line about it behind "router.toml".
BAD = {
    # syntax
    "empty": ("", ": expected at least one table [port.NAME], the file is empty"),
    "blank": (" \n\n", ": expected at least one table [port.NAME], the file is empty"),
    "comment": ("# nothing\n", ": port: required key is missing: expected tables [port.NAME] for"),
    "syntax": ("[port.p0]\nmtu 20\n", ":2:5: TOML syntax: expected '=' after a key"),
    "cut": ("[port.p0]\r\nname = ", ":2:8: TOML syntax: invalid value"),
    "twice": (P0 + P0, ":3:9: TOML syntax: cannot declare ('port', 'p0') twice"),
    "control": ('[router]\nname = "\0"', ":2:9: TOML syntax: illegal character '\\x00'"),
    "deep": ("a = " + "[" * 5000, ": expected TOML that is not nested so deep"),
    "digits": ("a = " + "1" * 5000, ": expected TOML: Exceeds the limit"),
    # keys
    "top": (
        "ports = 1\n" + PORTS,
        ": ports = 1: unknown key, expected router, fast_path, slow_path",
    ),
    "table": (PORTS + "[simm]\n", ": simm: unknown key, expected router, fast_path, slow_path"),
    "near": (
        port("mut = 20"),
        ": port.p0.mut = 20: unknown key, expected address, mac, mtu, up, ",
    ),
    "far": (port("zzz = 20"), ": port.p0.zzz = 20: unknown key, expected address, mac, mtu, up, "),
    "field": (port("addresses = 1"), ": port.p0.addresses = 1: unknown key, expected address, mac"),
    "fast": (
        PORTS + "[fast_path]\nbrust = 1",
        f": fast_path.brust = 1: unknown key, expected {FAST_KEYS}",
    ),
    "route key": (
        route('to = "10.9.0.0/16"\nvia = "10.0.0.2"\ndev = "p0"'),
        ': route[1].dev = "p0": unknown key, expected to, via, port, kind, preference, metric',
    ),
    "only": (
        PORTS + "[router]\nnmae = 1",
        ': router.nmae = 1: unknown key, expected name or forwarding (did you mean "name"?)',
    ),
    "quoted": (PORTS + '["a b"]\n"c\\n" = 1', ': "a b": unknown key, expected router, fast_path'),
    "no to": (route('via = "10.0.0.2"'), f": route[1].to: required key is missing: {NETWORK}"),
    "no mac": (
        neighbor('port = "p0"\naddress = "10.0.0.2"'),
        f": neighbor[1].mac: required key is missing: {MAC}",
    ),
    # types and ranges
    "up": (port("up = 1"), ": port.p0.up = 1: expected true or false"),
    "mtu low": (port("mtu = 20"), f": port.p0.mtu = 20: {MTU}"),
    "mtu 67": (port("mtu = 67"), f": port.p0.mtu = 67: {MTU}"),
    "mtu high": (port("mtu = 9217"), f": port.p0.mtu = 9217: {MTU}"),
    "mtu text": (port('mtu = "1500"'), f': port.p0.mtu = "1500": {MTU}'),
    "mtu float": (port("mtu = 1500.0"), f": port.p0.mtu = 1500.0: {MTU}"),
    "mtu flag": (port("mtu = true"), f": port.p0.mtu = true: {MTU}"),
    "mtu table": (port("mtu = {a = [1, {}]}"), f": port.p0.mtu = {{a = [1, {{}}]}}: {MTU}"),
    "mtu date": (port("mtu = 2026-01-02"), f": port.p0.mtu = 2026-01-02: {MTU}"),
    "mtu huge": (port("mtu = 0x1" + "0" * 9000), f": port.p0.mtu = 0x1{'0' * 54}...: {MTU}"),
    "units": (
        PORTS + "[fast_path]\nunits = 17",
        ": fast_path.units = 17: expected an integer from 1 to 16",
    ),
    "burst": (
        PORTS + "[fast_path]\nburst = 0",
        ": fast_path.burst = 0: expected an integer from 1 to 512 packets",
    ),
    "lpm": (
        PORTS + '[fast_path]\nlpm = "patricia"',
        ': fast_path.lpm = "patricia": expected "dir24_8" or "compact"',
    ),
    "scatter": (
        PORTS + '[fast_path]\nscatter = "mask"',
        ': fast_path.scatter = "mask": expected "drop-out", "masks" or "split"',
    ),
    "flag": (PORTS + "[fast_path]\nrebatch = 1", ": fast_path.rebatch = 1: expected true or false"),
    "nan": (PORTS + "[fast_path]\nrebatch_us = nan", f": fast_path.rebatch_us = nan: {TIME}"),
    "inf": (PORTS + "[fast_path]\ntx_flush_us = inf", f": fast_path.tx_flush_us = inf: {TIME}"),
    "negative": (PORTS + "[fast_path]\ntx_flush_us = -1", f": fast_path.tx_flush_us = -1: {TIME}"),
    "option": (
        PORTS + '[options]\nrecord_route = "accept"',
        ': options.record_route = "accept": expected "drop", "ignore" or "process"',
    ),
    "option not processed": (
        PORTS + '[options]\nunknown = "process"',
        ': options.unknown = "process": expected "drop" or "ignore"',
    ),
    "option key": (
        PORTS + '[options]\nlsrr = "drop"',
        ': options.lsrr = "drop": unknown key, expected loose_source_route, strict_source_route,',
    ),
    "power": (
        PORTS + "[slow_path]\npunt_ring = 1000",
        ": slow_path.punt_ring = 1000: expected a power of two from 2 to 65536",
    ),
    "not a table": ("port = 5", ": port = 5: expected tables [port.NAME] for 1 to 32 ports"),
    "array": ("[[port]]\n", ": port = [{}]: expected tables [port.NAME] for 1 to 32 ports"),
    "flat": ('[port]\naddress = "10.0.0.1/24"', ': port.address = "10.0.0.1/24": expected a table'),
    "one route": (PORTS + "[route]\n", ": route = {}: expected tables [[route]]"),
    "section": ("fast_path = 1\n" + PORTS, ": fast_path = 1: expected a table"),
    "no ports": ("[port]\n", ": port = {}: expected tables [port.NAME] for 1 to 32 ports"),
    "33 ports": (
        "".join(f'[port.p{i}]\naddress = "10.0.{i}.1/24"\n' for i in range(33)),
        ': port = {p0 = {address = "10.0.0.1/24"}, p1 = {address = "10.0.1....: expected tables',
    ),
    "port name": (P0 + '[port."p 1"]\naddress = "10.0.1.1/24"', f': port."p 1": {PORT_NAME}'),
    "long port": (
        P0 + '[port.p123456789012345]\naddress = "10.0.1.1/24"',
        f": port.p123456789012345: {PORT_NAME}",
    ),
    "folder": (P0 + '[port.".."]\naddress = "10.0.1.1/24"', f': port."..": {PORT_NAME}'),
    "name": (
        PORTS + '[router]\nname = "a\\nb"',
        r': router.name = "a\nb": expected a name of 1 to 63',
    ),
    "line break": (
        PORTS + '[router]\nname = "a\\u2028b"',
        r': router.name = "a\u2028b": expected a name',
    ),
    "long": (
        PORTS + f'[router]\nname = "{"x" * 999}"',
        f': router.name = "{"x" * 56}...: expected a name',
    ),
    # addresses
    "address": (addressed('"10.0.0"'), f': port.p0.address = "10.0.0": {INTERFACE}'),
    "number": (addressed("10"), f": port.p0.address = 10: {INTERFACE}, or a list of 1 to 16"),
    "no address listed": (addressed("[]"), f": port.p0.address = []: {INTERFACE}, or a list of 1"),
    "second address": (
        addressed('["10.0.0.1/24", 7]'),
        f": port.p0.address[2] = 7: {INTERFACE}",
    ),
    "17 addresses": (
        addressed(str([f"10.0.{i}.1/24" for i in range(17)])),
        ': port.p0.address = ["10.0.0.1/24", "10.0.1.1/24", "10.0.2.1/24", "10.0.3.1/2...: ',
    ),
    "no mask": (
        addressed('"10.0.0.1"'),
        ': port.p0.address = "10.0.0.1": expected a prefix length from 1 to 32 behind it, as',
    ),
    "mask": (addressed('"10.0.0.1/33"'), f': port.p0.address = "10.0.0.1/33": {MASK}'),
    "mask 0": (addressed('"10.0.0.1/0"'), f': port.p0.address = "10.0.0.1/0": {MASK}'),
    "netmask": (
        addressed('"10.0.0.1/255.255.255.0"'),
        f': port.p0.address = "10.0.0.1/255.255.255.0": {MASK}',
    ),
    "mask sign": (addressed('"10.0.0.1/+9"'), f': port.p0.address = "10.0.0.1/+9": {MASK}'),
    "IPv6": (addressed('"2001:db8::1/64"'), f': port.p0.address = "2001:db8::1/64": {INTERFACE}'),
    "multicast": (addressed('"224.0.0.5/24"'), f': port.p0.address = "224.0.0.5/24": {UNICAST}'),
    "loopback": (addressed('"127.0.0.1/8"'), f': port.p0.address = "127.0.0.1/8": {UNICAST}'),
    "zero": (addressed('"0.0.0.0/24"'), f': port.p0.address = "0.0.0.0/24": {UNICAST}'),
    "all ones": (
        addressed('"255.255.255.255/32"'),
        f': port.p0.address = "255.255.255.255/32": {UNICAST}',
    ),
    "network": (
        addressed('"10.0.0.0/24"'),
        ': port.p0.address = "10.0.0.0/24": expected a host\'s address, from 10.0.0.1 to',
    ),
    "broadcast": (
        addressed('"10.0.0.3/30"'),
        ': port.p0.address = "10.0.0.3/30": expected a host\'s address, from 10.0.0.1 to 10.0.0.2',
    ),
    "mac": (port('mac = "02:54:52"'), f': port.p0.mac = "02:54:52": {MAC}'),
    "mac digit": (port('mac = "02:54:52:00:00:0g"'), f': port.p0.mac = "02:54:52:00:00:0g": {MAC}'),
    "mac mixed": (port('mac = "02:54-52:00:00:00"'), f': port.p0.mac = "02:54-52:00:00:00": {MAC}'),
    "mac number": (port("mac = 2"), f": port.p0.mac = 2: {MAC}"),
    "mac zero": (
        port('mac = "00:00:00:00:00:00"'),
        ': port.p0.mac = "00:00:00:00:00:00": expected a MAC address other than zero',
    ),
    "mac group": (
        port('mac = "01:00:5e:00:00:01"'),
        ': port.p0.mac = "01:00:5e:00:00:01": expected a unicast MAC address, one with an even',
    ),
    # ports against each other
    "same mac": (
        port('mac = "02-54-52-00-00-01"'),
        ": port.p1.mac: expected another MAC address: 02:54:52:00:00:01 is that of port.p0",
    ),
    "same address": (
        P0 + '[port.p1]\naddress = "10.0.0.1/24"',
        ': port.p1.address = "10.0.0.1/24": expected an address that is not used yet: port.p0',
    ),
    "same address twice": (
        addressed('["10.0.0.1/24", "10.0.0.1/25"]'),
        ': port.p0.address[2] = "10.0.0.1/25": expected an address that is not used yet: port.p0',
    ),
    "same subnet": (
        P0 + '[port.p1]\naddress = "10.0.0.2/24"',
        ': port.p1.address = "10.0.0.2/24": expected a subnet apart from 10.0.0.0/24 of port.p0',
    ),
    "overlap": (
        P0 + '[port.p1]\naddress = ["10.0.1.1/24", "10.3.0.1/8"]',
        ': port.p1.address[2] = "10.3.0.1/8": expected a subnet apart from 10.0.0.0/24 of port.p0',
    ),
    "rebatch": (
        PORTS + "[fast_path]\nrebatch = true",
        ': fast_path.rebatch = true: expected false, or scatter = "split" with it: scatter is',
    ),
    # routes
    "to": (route('to = "net"\nvia = "10.0.0.2"'), f': route[1].to = "net": {NETWORK}'),
    "host bits": (
        route('to = "10.2.3.4/16"\nvia = "10.0.0.2"'),
        ': route[1].to = "10.2.3.4/16": expected no bits set behind the prefix, as "10.2.0.0/16"',
    ),
    "to mask": (
        route('to = "10.2.0.0/40"\nvia = "10.0.0.2"'),
        ': route[1].to = "10.2.0.0/40": expected a prefix length from 0 to 32 behind the slash',
    ),
    "to martian": (
        route('to = "239.0.0.0/8"\nvia = "10.0.0.2"'),
        f': route[1].to = "239.0.0.0/8": {DESTINATION}',
    ),
    "via": (route('to = "10.2.0.0/16"\nvia = "p1"'), f': route[1].via = "p1": {ADDRESS}'),
    "no via": (
        route('to = "10.2.0.0/16"'),
        ': route[1].via: expected the neighbour to send to, or a kind other than "via"',
    ),
    "unreachable": (
        route('to = "10.2.0.0/16"\nvia = "192.0.2.1"'),
        f': route[1].via = "192.0.2.1": {NEIGHBOR} the next hop is unreachable',
    ),
    "other port": (
        route('to = "10.2.0.0/16"\nvia = "10.0.0.2"\nport = "p1"'),
        ': route[1].via = "10.0.0.2": expected a neighbour on a subnet of port.p1 (10.0.1.0/24)',
    ),
    "own via": (
        route('to = "10.2.0.0/16"\nvia = "10.0.1.1"'),
        ": route[1].via = \"10.0.1.1\": expected a neighbour's address, this is the router's own",
    ),
    "via broadcast": (
        route('to = "10.2.0.0/16"\nvia = "10.0.1.255"'),
        ': route[1].via = "10.0.1.255": expected a neighbour\'s address, from 10.0.1.1 to',
    ),
    "route port": (
        route('to = "10.2.0.0/16"\nvia = "10.0.1.2"\nport = "p2"'),
        f': route[1].port = "p2": {OWN_PORT}',
    ),
    "kind": (
        route('to = "10.2.0.0/16"\nkind = "drop"'),
        ': route[1].kind = "drop": expected "via", "blackhole", "unreachable" or "prohibit"',
    ),
    "kind and via": (
        route('to = "10.2.0.0/16"\nkind = "blackhole"\nvia = "10.0.0.2"'),
        ': route[1].via = "10.0.0.2": expected no such key, as kind is "blackhole"',
    ),
    "metric": (
        route('to = "10.2.0.0/16"\nvia = "10.0.0.2"\nmetric = 65536'),
        ": route[1].metric = 65536: expected an integer from 0 to 65535",
    ),
    "preference": (
        route('to = "10.2.0.0/16"\nvia = "10.0.0.2"\npreference = 256'),
        ": route[1].preference = 256: expected an integer from 0 to 255",
    ),
    "same route": (
        route(
            'to = "10.2.0.0/16"\nvia = "10.0.0.2"\n[[route]]\nto = "10.2.0.0/16"\nkind = "prohibit"'
        ),
        ': route[2].to = "10.2.0.0/16": expected one route for a destination and metric, route[1]'
        " is another",
    ),
    "no route file": (
        PORTS + '[[route_file]]\npath = "no such.txt"',
        ': route_file[1].path = "no such.txt": expected a route file, there is no such file',
    ),
    "route folder": (
        PORTS + '[[route_file]]\npath = "."',
        ': route_file[1].path = ".": expected a route file, this is a directory',
    ),
    "route path": (
        PORTS + f'[[route_file]]\npath = "{"x" * 300}"',
        f': route_file[1].path = "{"x" * 56}...: expected a route file, File name too long',
    ),
    "empty path": (
        PORTS + '[[route_file]]\npath = ""',
        ': route_file[1].path = "": expected a path, relative to the configuration file',
    ),
    "file via": (
        PORTS + '[[route_file]]\npath = "routes.txt"\nvia = ["10.0.0.2", "10.9.0.1"]',
        f': route_file[1].via[2] = "10.9.0.1": {NEIGHBOR} the next hop is unreachable',
    ),
    "file via text": (
        PORTS + '[[route_file]]\npath = "routes.txt"\nvia = "10.0.0.2"',
        ': route_file[1].via = "10.0.0.2": expected a list of IPv4 addresses',
    ),
    # neighbours
    "neighbor port": (
        neighbor('port = "p7"\naddress = "10.0.0.2"\nmac = "02:00:00:00:00:02"'),
        f': neighbor[1].port = "p7": {OWN_PORT}',
    ),
    "neighbor subnet": (
        neighbor('port = "p1"\naddress = "10.0.0.2"\nmac = "02:00:00:00:00:02"'),
        ': neighbor[1].address = "10.0.0.2": expected a neighbour on a subnet of port.p1',
    ),
    "same neighbor": (
        PORTS + 2 * ("[[neighbor]]\n" + NEIGHBOR_TABLE),
        ': neighbor[2].address = "10.0.0.2": expected one entry for a neighbour, neighbor[1] is',
    ),
    # simulator
    "rate": (PORTS + '[sim.port.p0]\nrate = "fast"', f': sim.port.p0.rate = "fast": {RATE}'),
    "rate 0": (PORTS + "[sim.port.p0]\nrate = 0", f": sim.port.p0.rate = 0: {RATE}"),
    "rate high": (PORTS + '[sim.port.p0]\nrate = "2T"', f': sim.port.p0.rate = "2T": {RATE}'),
    "rate part": (
        PORTS + '[sim.port.p0]\nrate = "1.0005K"',
        ': sim.port.p0.rate = "1.0005K": expected a whole number of bits per second',
    ),
    "sim port": (PORTS + "[sim.port.p9]", f": sim.port.p9 = {{}}: {OWN_PORT}"),
    "seed": (PORTS + "[sim]\nseed = -1", ": sim.seed = -1: expected an integer from 0 to"),
    "profile": (
        PORTS + '[sim]\nprofile = "a/b"',
        ': sim.profile = "a/b": expected a profile\'s name, or the path of its TOML file',
    ),
    "profile file": (
        PORTS + '[sim]\nprofile = "x.toml"',
        ': sim.profile = "x.toml": expected a profile\'s name or TOML file, there is no such file',
    ),
}


def problems(text: str, base: Path = Path(".")) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse_config(text, source="router.toml", base=base)
    assert str(caught.value) == "\n".join(caught.value.problems)
    return caught.value.problems


@pytest.mark.parametrize("case", BAD)
def test_a_problem_is_one_line(case: str, tmp_path: Path):
    (tmp_path / "routes.txt").touch()
    text, expected = BAD[case]
    found = problems(text, tmp_path)
    assert len(found) == 1, found
    assert found[0].splitlines() == found
    assert found[0].isprintable()
    assert found[0].startswith(f"router.toml{expected}")


def test_every_problem_is_told():
    text = '[port.p0]\naddress = "10.0.0.1/33"\nmtu = 20\n[[route]]\nto = 1\n[[route]]\nmut = 1\n'
    assert [line.split(" = ")[0].split(": ")[1] for line in problems(text)] == [
        "port.p0.address", "port.p0.mtu", "route[1].to", "route[2].to", "route[2].mut",
    ]  # fmt: skip


def test_too_many_are_counted():
    ports = "".join(f'[port.p{i}]\naddress = "10.0.{i}.1/24"\n' for i in range(33))
    assert problems(ports)[0].endswith("for 1 to 32 ports, found 33")


def test_the_nearest_known_key_is_suggested():
    assert problems(port("mut = 20"))[0].endswith('(did you mean "mtu"?)')
    assert problems(PORTS + "[ports]\n")[0].endswith('(did you mean "port"?)')
    assert problems(port("zzz = 20"))[0].endswith(" or filter_default")
