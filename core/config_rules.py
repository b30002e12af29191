# SPDX-License-Identifier: MIT
"""What a single value of the configuration may be.

A rule checks and converts one value and knows how to say what it expects. It stands in a model's
field as `Annotated[type, rule]`; config_errors.py turns its refusal into a line.
"""

import math
import re
from collections.abc import Callable
from decimal import Decimal
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, ip_address
from pathlib import Path
from typing import Any, get_args

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

PREFIX_LENGTH = re.compile(r"[0-9]{1,2}", re.ASCII)
MAC_ADDRESS = re.compile(r"[0-9a-f]{2}([:-])[0-9a-f]{2}(\1[0-9a-f]{2}){4}", re.ASCII)
NAME = re.compile(r"[A-Za-z0-9_.-]+", re.ASCII)
RATE = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,9})?)([KMGT])", re.ASCII)
PORT_NUMBER = re.compile(r"[0-9]{1,5}", re.ASCII)
SOCKET_BYTES_MAX = 107
RATE_UNITS = {"K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
RATE_MIN, RATE_MAX = 10**3, 10**12
# No station has an address from these, and no packet is routed to them (RFC 1812 5.3.7).
MARTIANS = tuple(IPv4Network(text) for text in ("0.0.0.0/8", "127.0.0.0/8", "224.0.0.0/3"))
NOT_MARTIAN = "outside 0.0.0.0/8, 127.0.0.0/8 and 224.0.0.0/3"


class Refused(ValueError):
    """A value is refused; the text says what was expected, closer than its rule does."""


class Expected:
    """Says what a field of a model holds, for a line about it.

    expected: what completes the sentence "expected ...".
    """

    def __init__(self, expected: str) -> None:
        self.expected = expected


class Rule(Expected):
    """Checks and converts a value, in the place of pydantic's own validation.

    expected: what completes the sentence "expected ...".
    parse: returns the value to store; raises Refused, or any ValueError for the general text.
    """

    def __init__(self, expected: str, parse: Callable[[Any], Any]) -> None:
        super().__init__(expected)
        self.parse = parse

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        optional = type(None) in get_args(source)

        def check(value: object) -> object:
            if value is None and optional:
                return None
            try:
                return self.parse(value)
            except Refused as refusal:
                expected = str(refusal)
            except ValueError:
                expected = self.expected
            raise PydanticCustomError("expected", "{expected}", {"expected": expected})

        return core_schema.no_info_plain_validator_function(check)


def require(condition: object, closer: str = "") -> None:
    """Refuse the value at hand unless the condition holds; `closer` replaces the rule's text."""
    if not condition:
        raise Refused(closer) if closer else ValueError


# --- numbers and words ----------------------------------------------------------------------------


def integer(low: int, high: int, unit: str = "") -> Rule:
    """Take an integer from `low` to `high`, of `unit`."""

    def parse(value: Any) -> int:
        require(type(value) is int and low <= value <= high)
        return int(value)

    return Rule(f"an integer from {low} to {high}{unit and ' ' + unit}", parse)


def power_of_two(low: int, high: int) -> Rule:
    """Take a power of two from `low` to `high`."""

    def parse(value: Any) -> int:
        require(type(value) is int and low <= value <= high and value.bit_count() == 1)
        return int(value)

    return Rule(f"a power of two from {low} to {high}", parse)


def number(low: float, high: float, unit: str) -> Rule:
    """Take an integer or float from `low` to `high`, of `unit`; stored as float."""

    def parse(value: Any) -> float:
        require(type(value) in (int, float) and math.isfinite(value) and low <= value <= high)
        return float(value)

    return Rule(f"a number of {unit} from {low:.12g} to {high:.12g}", parse)


def choice(*words: str) -> Rule:
    """Take one of some words."""

    def parse(value: Any) -> str:
        require(isinstance(value, str) and value in words)
        return str(value)

    quoted = [f'"{word}"' for word in words]
    return Rule(f"{', '.join(quoted[:-1])} or {quoted[-1]}", parse)


def name(length_max: int, what: str) -> Rule:
    """Take a name of letters, digits and _ . - that is no folder's."""

    def parse(value: Any) -> str:
        require(isinstance(value, str) and NAME.fullmatch(value) and len(value) <= length_max)
        require(value not in (".", ".."))
        return str(value)

    return Rule(f"{what} of 1 to {length_max} letters, digits and _ . -", parse)


def _flag(value: Any) -> bool:
    require(isinstance(value, bool))
    return bool(value)


def _path(value: Any) -> Path:
    require(isinstance(value, str | Path) and str(value) and "\0" not in str(value))
    return Path(value)


def _profile(value: Any) -> str:
    require(isinstance(value, str) and "\0" not in value)
    require(NAME.fullmatch(value) or value.endswith(".toml"))
    return str(value)


def _text(value: Any, length_max: int = 4095) -> str:
    require(isinstance(value, str) and value.isprintable() and 0 < len(value) <= length_max)
    return str(value)


def _rate(value: Any) -> int:
    if value == "unlimited":
        return 0
    if isinstance(value, str):
        found = RATE.fullmatch(value)
        require(found)
        assert found is not None
        bits = Decimal(found[1]) * RATE_UNITS[found[2]]
        require(bits == int(bits), "a whole number of bits per second")
        value = int(bits)
    require(type(value) is int and RATE_MIN <= value <= RATE_MAX)
    return int(value)


def _socket(value: Any) -> Path:
    require(isinstance(value, str | Path) and str(value).isprintable())
    path = Path(value)
    require(path.is_absolute() and path.name and len(str(path).encode()) <= SOCKET_BYTES_MAX)
    return path


def _listen(value: Any) -> tuple[str, int]:
    if type(value) is int:
        value = ("127.0.0.1", value)
    if isinstance(value, str):
        address, colon, port = value.rpartition(":")
        require(colon and PORT_NUMBER.fullmatch(port))
        value = (address.removeprefix("[").removesuffix("]"), int(port))
    require(isinstance(value, tuple | list) and len(value) == 2)
    address, port = value
    require(type(port) is int and 0 <= port <= 65535)
    return str(ip_address(address)), port


def _route_mtu(value: Any) -> int:
    require(type(value) is int and (value == 0 or 68 <= value <= 65535))
    return int(value)


FLAG = Rule("true or false", _flag)
ROUTE_MTU = Rule("an integer from 68 to 65535, or 0 for the MTU of the port", _route_mtu)
FILE = Rule("a path, relative to the configuration file", _path)
SOCKET = Rule(f"an absolute path of at most {SOCKET_BYTES_MAX} bytes for a UNIX socket", _socket)
LISTEN = Rule('an IP address and a port, as "127.0.0.1:9600", or a port on 127.0.0.1', _listen)
TEXT = Rule("a text without control characters", _text)
DEVICE = Rule(
    'a PCI address or a DPDK device with its arguments, as "0000:03:00.0" or "net_tap0,iface=tap0"',
    lambda value: _text(value, 255),
)
NETNS = Rule("a network namespace's name, or its path", lambda value: _text(value, 255))
PROFILE = Rule("a profile's name, or the path of its TOML file, ending in .toml", _profile)
RATE_BITS = Rule(
    'bit/s from 1000 to 10**12, as "10G", "2.5G", "100M", 64000, or "unlimited"', _rate
)


# --- addresses ------------------------------------------------------------------------------------


def is_martian(address: IPv4Address) -> bool:
    """Tell whether no station may have this address."""
    return any(address in network for network in MARTIANS)


def _address(value: Any) -> IPv4Address:
    require(isinstance(value, str | IPv4Address))
    address = IPv4Address(value)
    require(not is_martian(address), f"a unicast address {NOT_MARTIAN}")
    return address


def _with_prefix_length(value: Any, low: int) -> IPv4Interface:
    if isinstance(value, str):
        address, slash, bits = value.partition("/")
        IPv4Address(address)  # another ValueError for what is no address at all
        require(slash, f'a prefix length from {low} to 32 behind it, as "{address}/24"')
        fits = PREFIX_LENGTH.fullmatch(bits) and low <= int(bits) <= 32
        require(fits, f"a prefix length from {low} to 32 behind the slash")
    require(isinstance(value, str | IPv4Interface))
    return IPv4Interface(value)


def _interface(value: Any) -> IPv4Interface:
    interface = _with_prefix_length(value, 1)
    network = interface.network
    require(not is_martian(interface.ip), f"a unicast address {NOT_MARTIAN}")
    if network.prefixlen <= 30:
        ends = (network.network_address, network.broadcast_address)
        require(
            interface.ip not in ends,
            f"a host's address, from {ends[0] + 1} to {ends[1] - 1} in {network}",
        )
    return interface


def _network(value: Any) -> IPv4Network:
    if isinstance(value, IPv4Network):
        value = str(value)
    network = _with_prefix_length(value, 0).network
    address = IPv4Address(str(value).partition("/")[0])
    require(address == network.network_address, f'no bits set behind the prefix, as "{network}"')
    inside = any(network.subnet_of(martian) for martian in MARTIANS)
    require(not inside, f"a destination {NOT_MARTIAN}")
    return network


def _mac(value: Any) -> str:
    require(isinstance(value, str))
    text = str(value).lower()
    require(MAC_ADDRESS.fullmatch(text))
    octets = bytes.fromhex(text.replace(":", "").replace("-", ""))
    require(any(octets), "a MAC address other than zero")
    require(not octets[0] & 1, "a unicast MAC address, one with an even first byte")
    return octets.hex(":")


ADDRESS = Rule('an IPv4 address, as "10.0.0.2"', _address)
INTERFACE = Rule('an IPv4 address with its prefix length, as "10.0.0.1/24"', _interface)
NETWORK = Rule('an IPv4 prefix, as "10.2.0.0/16"', _network)
MAC = Rule('a MAC address of six bytes in hexadecimal, as "02:54:52:00:00:01"', _mac)
