# SPDX-License-Identifier: MIT
"""`[icmp]`: which ICMP messages the router sends, and how many of each kind (RFC 1812 4.3.2.8)."""

from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict

from twinroute.config_rules import FLAG, integer

# In the order of enum tr_icmp_kind.
KINDS = ("unreachable", "time_exceeded", "parameter_problem", "redirect", "echo_reply")


class IcmpLimit(BaseModel):
    """`[icmp.KIND]`: how many messages of a kind leave in a second, 0 for any number."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    per_s: Annotated[int, integer(0, 1_000_000_000)] = 0
    burst: Annotated[int, integer(1, 1_000_000)] = 100


class Icmp(BaseModel):
    """`[icmp]`. `icmp_errors_per_s` of [slow_path] limits all errors together besides.

    unreachables: Destination Unreachable; fragmentation needed is sent all the same, because
    without it no path MTU is found. prohibited: code 13 of them. echo: requests are answered. ttl:
    of all messages; dscp: of errors, a reply has its request's. extensions: errors tell by which
    port the packet came, its name, number, address and MTU (RFC 5837).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    unreachables: Annotated[bool, FLAG] = True
    prohibited: Annotated[bool, FLAG] = True
    echo: Annotated[bool, FLAG] = True
    extensions: Annotated[bool, FLAG] = False
    ttl: Annotated[int, integer(1, 255)] = 64
    dscp: Annotated[int, integer(0, 63)] = 48
    unreachable: IcmpLimit = IcmpLimit()
    time_exceeded: IcmpLimit = IcmpLimit()
    parameter_problem: IcmpLimit = IcmpLimit()
    redirect: IcmpLimit = IcmpLimit(per_s=100, burst=10)
    echo_reply: IcmpLimit = IcmpLimit()


def fill_icmp(icmp: Icmp, out: Any) -> None:
    """Fill a struct tr_icmp_config."""
    out.unreachables_off = not icmp.unreachables
    out.prohibited_off = not icmp.prohibited
    out.echo_off = not icmp.echo
    out.extensions = icmp.extensions
    out.ttl = icmp.ttl
    out.dscp = icmp.dscp
    for index, kind in enumerate(KINDS):
        limit: IcmpLimit = getattr(icmp, kind)
        out.limit[index].per_s = limit.per_s
        out.limit[index].burst = limit.burst


def live_icmp(icmp: Icmp) -> Iterator[tuple[tuple[str, ...], int | bool]]:
    """Yield place and value of all that may change while the router runs.

    The units of the fast path go by the limit of redirects as well, so that one stays.
    """
    for name, value in icmp:
        if not isinstance(value, IcmpLimit):
            yield ("icmp", name), value
        elif name != "redirect":
            yield from ((("icmp", name, key), number) for key, number in value)
