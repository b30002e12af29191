# SPDX-License-Identifier: MIT
"""Martians, reverse path checks and the packet filter, between the configuration and the core.

The core tries its rules in order and lets pass what none fits. What a port's `filter_default` says
is thus one rule more, behind all others. Each rule has a counter of its own, which it keeps as
long as it is there: when the rules are replaced, those that are new get free ones.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING, Any

from twinroute import routes
from twinroute.config import Config
from twinroute.config_filters import PROTOCOLS, TCP_FLAGS, Filter
from twinroute.native import Native

if TYPE_CHECKING:
    from twinroute.router_api import CoreInfo

ACTIONS = ("permit", "drop", "reject")
FIELDS = (
    *("ports", "source", "source_mask", "destination", "destination_mask", "protocol"),
    *("icmp_type", "by_ports", "tcp_mask", "tcp_flags", "action", "source_port_min"),
    *("source_port_max", "destination_port_min", "destination_port_max"),
)
ANY_PORT = (0, 65535)


@dataclass(frozen=True)
class FilterInfo:
    """A rule of the packet filter, and the packets that it has decided on."""

    action: str  # permit, drop or reject
    ports: list[str]  # of ingress
    match: str  # "udp from any to 198.18.0.1/32 port 9"
    packets: int


# --- a configuration's, for the core --------------------------------------------------------------


def fill_filters(native: Native, config: Config, out: Any) -> None:
    """Fill in what a struct tr_config says of martians, reverse paths, forwarding and filters."""
    lib = native.lib
    for index, port in enumerate(config.ports.values()):
        mode = port.urpf.upper().replace("-", "_")
        out.port[index].urpf = getattr(lib, f"TR_URPF_{mode}")
        out.port[index].forwarding_off = not (config.forwarding and port.forwarding)
    martians = config.martians.prefixes()
    out.martians = len(martians)
    for index, network in enumerate(martians):
        out.martian[index].prefix = int(network.network_address)
        out.martian[index].bits = network.prefixlen
    rules = configured(native, config)
    out.rules = len(rules)
    for index, values in enumerate(rules):
        _fill_rule(values, index, False, out.rule[index])


def configured(native: Native, config: Config) -> list[tuple[int, ...]]:
    """Return the rules of a configuration, each with its values in the order of FIELDS."""
    ports = {name: 1 << index for index, name in enumerate(config.ports)}
    rules = [
        _rule(native, rule, sum(ports[name] for name in set(rule.ports)) or sum(ports.values()))
        for rule in config.filters
    ]
    for action in ("drop", "reject"):
        mask = sum(
            ports[name] for name, port in config.ports.items() if port.filter_default == action
        )
        if mask:
            rules.append(_rule(native, Filter.model_validate({"action": action}), mask))
    return rules


def _rule(native: Native, rule: Filter, ports: int) -> tuple[int, ...]:
    anything = native.lib.TR_RULE_ANY
    flags = {} if rule.tcp_flags is None else rule.tcp_flags
    bits = {name: 1 << index for index, name in enumerate(TCP_FLAGS)}
    return (
        ports,
        *_prefix(rule.source),
        *_prefix(rule.destination),
        anything if rule.protocol is None else rule.protocol,
        anything if rule.icmp_type is None else rule.icmp_type,
        int(rule.source_port is not None or rule.destination_port is not None),
        sum(bits[name] for name in flags),
        sum(bits[name] for name, wanted in flags.items() if wanted),
        getattr(native.lib, f"TR_RULE_{rule.action.upper()}"),
        *(rule.source_port or ANY_PORT),
        *(rule.destination_port or ANY_PORT),
    )


def _prefix(network: IPv4Network | None) -> tuple[int, int]:
    return (int(network.network_address), int(network.netmask)) if network else (0, 0)


def _fill_rule(values: Sequence[int], counter: int, fresh: bool, out: Any) -> None:
    for name, value in zip(FIELDS, values, strict=True):
        setattr(out, name, value)
    out.counter = counter
    out.fresh = fresh


# --- a running router's ---------------------------------------------------------------------------


class FilterApi(ABC):
    """The packet filter of a router; RouterApi has the rest."""

    @property
    @abstractmethod
    def native(self) -> Native:
        """The backend's extension."""

    @property
    @abstractmethod
    def info(self) -> "CoreInfo":
        """Names and the C object."""

    @abstractmethod
    def _at_rest(self, what: str) -> None: ...

    @abstractmethod
    def apply(self, changes: routes.Array, *, filters: Config | None = None) -> None:
        """Make changes of a router as one."""

    def _read_rules(self, out: Any, room: int) -> int:
        return int(self.native.lib.tr_rules_read(self.info.pointer, out, room))

    def filters(self) -> list[FilterInfo]:
        """Return the rules, in the order in which they are tried, with their counters."""
        counts = self._filter_packets()
        return [
            FilterInfo(
                ACTIONS[rule.action],
                [name for index, name in enumerate(self.info.ports) if rule.ports >> index & 1],
                _match_text(self.native, rule),
                counts[int(rule.counter)],
            )
            for rule in self._rules()
        ]

    def filters_set(self, config: Config) -> None:
        """Replace the rules by those of a configuration."""
        self.apply(routes.joined([]), filters=config)

    def filters_differ(self, config: Config) -> bool:
        """Tell whether filters_set() would change anything."""
        return self._filters_replacement(config) is not None

    def _filters_replacement(self, config: Config) -> Any:
        """Return the structs tr_rule that filters_set() posts; None: there is no change."""
        return replacement(self.native, self._rules(), configured(self.native, config))

    def _rules(self) -> list[Any]:
        """Read the structs tr_rule."""
        self._at_rest("filters")
        out = self.native.ffi.new("struct tr_rule[]", self.native.lib.TR_RULES_MAX)
        return list(out[0 : self._read_rules(out, len(out))])

    def _filter_packets(self) -> list[int]:
        """Return what all units together have counted, by the index of the counter."""
        out = self.native.ffi.new("struct tr_counters *")
        sums = [0] * int(self.native.lib.TR_RULES_MAX)
        for unit in range(self.info.units):
            self.native.lib.tr_router_counters(self.info.pointer, unit, out)
            sums = [have + int(count) for have, count in zip(sums, out.rule, strict=True)]
        return sums


def replacement(native: Native, present: Sequence[Any], wanted: list[tuple[int, ...]]) -> Any:
    """Return an array of structs tr_rule to post, or None if the router has these very rules.

    present: structs tr_rule, whose counters the same rules keep.
    """
    have = [tuple(int(getattr(rule, name)) for name in FIELDS) for rule in present]
    if have == wanted:
        return None
    counters: dict[tuple[int, ...], list[int]] = {}
    for values, rule in zip(have, present, strict=True):
        counters.setdefault(values, []).append(int(rule.counter))
    kept = [counters[values].pop(0) if counters.get(values) else None for values in wanted]
    free = iter(sorted(set(range(native.lib.TR_RULES_MAX)).difference(kept)))
    out = native.ffi.new("struct tr_rule[]", len(wanted))
    for index, (values, counter) in enumerate(zip(wanted, kept, strict=True)):
        _fill_rule(values, next(free) if counter is None else counter, counter is None, out[index])
    return out


def _match_text(native: Native, rule: Any) -> str:
    """Say what a packet must be like, as one reads it."""
    anything = native.lib.TR_RULE_ANY
    names = {number: name for name, number in PROTOCOLS.items()}
    parts = []
    if rule.protocol != anything:
        parts.append(names.get(rule.protocol, f"protocol {rule.protocol}"))
    for word, prefix, mask, low, high in (
        ("from", rule.source, rule.source_mask, rule.source_port_min, rule.source_port_max),
        (
            *("to", rule.destination, rule.destination_mask),
            *(rule.destination_port_min, rule.destination_port_max),
        ),
    ):
        bits = int(mask).bit_count()
        parts += [word, f"{IPv4Address(int(prefix))}/{bits}" if bits else "any"]
        if rule.by_ports and (low, high) != ANY_PORT:
            parts += ["port", f"{low}" if low == high else f"{low}-{high}"]
    flags = [
        name if rule.tcp_flags >> index & 1 else f"!{name}"
        for index, name in enumerate(TCP_FLAGS)
        if rule.tcp_mask >> index & 1
    ]
    if flags:
        parts += ["flags", ",".join(flags)]
    if rule.icmp_type != anything:
        parts += ["type", str(rule.icmp_type)]
    return " ".join(parts)
