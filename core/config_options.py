# SPDX-License-Identifier: MIT
"""`[options]`: what becomes of packets with IP options, by the kind of option (RFC 7126).

"drop": packets with the option are dropped. "ignore": they go on as if it were not there, and it is
carried unchanged. "process": the option does what it is for, where the router knows that.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict

from twinroute.config_rules import choice

Carried = Annotated[Literal["drop", "ignore"], choice("drop", "ignore")]
Known = Annotated[Literal["drop", "ignore", "process"], choice("drop", "ignore", "process")]


class Options(BaseModel):
    """`[options]`, with the defaults of RFC 7126.

    router_alert: "process" hands the packet to the host stack, which takes it or sends it on.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    loose_source_route: Known = "drop"
    strict_source_route: Known = "drop"
    record_route: Known = "drop"
    timestamp: Known = "drop"
    stream_id: Carried = "drop"
    router_alert: Known = "ignore"
    quick_start: Carried = "ignore"
    security: Carried = "ignore"
    obsolete: Carried = "drop"
    experimental: Carried = "drop"
    unknown: Carried = "ignore"


# The types of each key's options; `unknown` has all others.
OPTION_TYPES = {
    "loose_source_route": (131,),
    "strict_source_route": (137,),
    "record_route": (7,),
    "timestamp": (68,),
    "stream_id": (136,),
    "router_alert": (148,),
    "quick_start": (25,),
    "security": (130, 133, 134),
    "obsolete": (11, 12, 82, 142, 145, 147, 149, 151, 152),
    "experimental": (30, 94, 158, 222),
}


def option_policies(options: Options, lib: Any) -> list[int]:
    """Return the policy of each option type from 0 to 255, as enum tr_option_policy.

    lib: the library of a backend.
    """
    values = {
        "ignore": lib.TR_OPTION_IGNORE,
        "drop": lib.TR_OPTION_DROP,
        "process": lib.TR_OPTION_PROCESS,
    }
    policies = [values[options.unknown]] * 256
    for name, types in OPTION_TYPES.items():
        for number in types:
            policies[number] = values[getattr(options, name)]
    return policies
