# SPDX-License-Identifier: MIT
"""Knobs that the RFCs ask for: that they are there, and their defaults. What they do is seen on the
wire, in other cases."""

from collections.abc import Iterator
from typing import Any

from twinroute.config import Document, Port
from twinroute.conformance.kit import DROP, P1, PORT, ConfigBed, T, Testbed, case, config_case

FILTER = '[[filter]]\naction = "drop"\nsource = "10.9.0.0/16"\n'


def value(config: Any, key: str) -> Any:
    """Return what a configuration has under a key; a port's is p1's."""
    for name in key.split("."):
        config = config.ports["p1"] if name == "port" else getattr(config, name, None)
    return config


def toml(key: str, setting: object) -> str:
    """Return a configuration of one port in which a key is set."""
    *tables, name = key.split(".")
    text = str(setting).lower() if isinstance(setting, bool | int) else f'"{setting}"'
    line = f"{name} = {text}\n"
    return PORT + line if tables == ["port"] else f"{PORT}[{'.'.join(tables)}]\n{line}"


def has(c: ConfigBed, key: str, default: object, *settings: object) -> None:
    """Demand that a key has this default, and takes these settings."""
    c.check(value(c.accepts(PORT), key) == default, f"{key}: another default")
    for one in settings:
        c.check(value(c.accepts(toml(key, one)), key) == one, f"{key}: another setting")


@config_case(
    *("RFC1812-4.3.3.6-4", "RFC1812-4.3.3.6-5", "RFC1812-4.2.2.9-6", "RFC1812-4.3.2.5-6"),
    *("RFC1812-4.3.2.8-3", "RFC1812-5.2.7.3-2", "RFC1812-5.2.7.3-3", "RFC4884-4.6-1"),
)
def icmp_knobs(c: ConfigBed) -> None:
    """Echo, extensions, TTL, DSCP, Time Exceeded by port, limits of all errors and of each kind."""
    has(c, "icmp.echo", True, False)
    has(c, "icmp.extensions", False, True)
    has(c, "icmp.ttl", 64, 1, 255)
    has(c, "icmp.dscp", 48, 0, 63)
    has(c, "port.time_exceeded", True, False)
    has(c, "slow_path.icmp_errors_per_s", 1000, 0, 10**9)
    has(c, "slow_path.icmp_errors_burst", 100, 1, 10**6)
    for kind in ("unreachable", "time_exceeded", "parameter_problem", "echo_reply"):
        has(c, f"icmp.{kind}.per_s", 0, 10)
        has(c, f"icmp.{kind}.burst", 100, 5)


@config_case("RFC1812-4.2.2.11-11", "RFC1812-4.2.2.11-12", "RFC1812-5.3.5.2-4")
def directed_broadcasts_are_opt_in(c: ConfigBed) -> None:
    """Neither received nor sent, unless a port is told to."""
    has(c, "port.receive_directed_broadcast", False, True)
    has(c, "port.forward_directed_broadcast", False, True)


@config_case("RFC1812-5.3.13.4-2", "RFC7126-4.8.5-2")
def option_knobs(c: ConfigBed) -> None:
    """Source routes and Router Alert are dropped, ignored or processed, as one likes."""
    choices = ("drop", "ignore", "process")
    has(c, "options.loose_source_route", "drop", *choices)
    has(c, "options.strict_source_route", "drop", *choices)
    has(c, "options.router_alert", "ignore", *choices)
    c.refuses(toml("options.router_alert", "honour"), '"drop", "ignore" or "process"')


@config_case("RFC1812-5.3.3.1-2", "RFC1812-5.3.3.1-4")
def preferred_classes(c: ConfigBed) -> None:
    """Which DSCPs a congested port prefers is configurable, and can be switched off."""
    has(c, "qos.precedence", True, False)
    qos = value(c.accepts(PORT), "qos").priorities()
    c.check(qos == [dscp // 8 for dscp in range(64)], "not by class selectors")
    for dscp, priority in ((0, 7), (46, 6), (63, 0)):
        config = c.accepts(PORT + f"[qos.priority]\n{dscp} = {priority}\n")
        c.check(value(config, "qos").priorities()[dscp] == priority, f"DSCP {dscp}")
    c.refuses(PORT + "[qos.priority]\n64 = 0\n", "a DSCP from 0 to 63")
    c.refuses(PORT + "[qos.priority]\n46 = 8\n", "an integer from 0 to 7")


@config_case("RFC1122-2.3.2.1-2")
def arp_timeout(c: ConfigBed) -> None:
    """How long an entry lives, and how it is asked for, can be set."""
    has(c, "slow_path.arp_lifetime_s", 300.0, 1, 60)
    has(c, "slow_path.arp_retries", 3, 1, 10)
    has(c, "slow_path.arp_retry_ms", 1000, 10, 60_000)


@config_case("RFC1812-5.3.9-6", "RFC1812-5.3.11-1")
def filters_and_forwarding(c: ConfigBed) -> None:
    """A port's filter lets in what is named, or all but that; a port forwards or does not."""
    has(c, "port.filter_default", "permit", "permit", "drop", "reject")
    has(c, "port.forwarding", True, False)
    c.check(value(c.accepts(PORT + FILTER), "filters")[0].action == "drop", "another action")


@config_case("RFC5735-7-1", "RFC1812-5.3.7-4", "RFC1812-5.3.7-8")
def special_prefixes_can_be_let_in(c: ConfigBed) -> None:
    """Documentation and link-local prefixes are martians, each until it is allowed."""
    martians = value(c.accepts(PORT), "martians")
    c.check(martians is not None, "no table [martians]")
    default = set(martians.prefixes())
    for text in ("169.254.0.0/16", "192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24"):
        c.check(text in {str(one) for one in default}, f"{text} is let in")
        config = c.accepts(PORT + f'[martians]\nallow = ["{text}"]\n')
        left = {str(one) for one in value(config, "martians").prefixes()}
        c.check(left == {str(one) for one in default} - {text}, f"{text} cannot be let in")


def switches() -> Iterator[tuple[str, bool]]:
    """Yield every key that is true or false, and the opposite of its default; no backend's."""
    for table in ("fast_path", "slow_path", "icmp", "options", "qos"):
        model = Document.model_fields[table].default
        for key, default in model:
            if isinstance(default, bool):
                yield f"{table}.{key}", not default
    for key, field in Port.model_fields.items():
        if isinstance(field.default, bool) and key not in ("up", "forwarding"):
            yield f"port.p1.{key}", not field.default


@case("RFC1812-4.2.2.5-3", "RFC1812-5.2.2-9", needs=("counters",))
def no_switch_disables_the_header_checks(t: Testbed) -> None:
    """With every switch of the configuration turned, in turn, all five checks are made."""
    bad = {
        "ip_short": T()[:33],
        "ip_version": T(version=6),
        "ip_header_length": T(ihl=4),
        "ip_total_length": T(total=19),
        "ip_checksum": T(header_checksum=0x1234),
    }
    for key, setting in switches():
        knobs: dict[str, object] = {key: setting}
        if key == "fast_path.rebatch":
            knobs["fast_path.scatter"] = "split"
        t.configure(knobs=knobs)
        t.send(P1, *bad.values())
        t.expect(DROP, drop=dict.fromkeys(bad, 1), note=f"{key} = {setting}")
