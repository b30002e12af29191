# SPDX-License-Identifier: MIT
"""`[qos]`: whose packets are preferred at a port that is offered more than it can send.

While a port takes all, nothing is preferred. See core/queues/distributor.c.
"""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict

from twinroute.config_rules import FLAG, Rule, integer, require

CODEPOINTS = 64


def _codepoint(value: Any) -> str:
    require(isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 2)
    require(int(value) < CODEPOINTS)
    return str(int(value))


CODEPOINT = Rule("a DSCP from 0 to 63", _codepoint)


class Qos(BaseModel):
    """`[qos]`, by which a congested port sends first and drops last (RFC 2474 4.2.2.2).

    precedence: false: no packet is preferred, whatever it carries (RFC 1812 5.3.3.1). priority: of
    single DSCPs, the highest first; 0 is what is dropped at once. All others have the priority of
    their class selector, DSCP / 8, as the old precedence.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    precedence: Annotated[bool, FLAG] = True
    priority: dict[Annotated[str, CODEPOINT], Annotated[int, integer(0, 7)]] = {}

    def priorities(self) -> list[int]:
        """Return the priority of each DSCP from 0 to 63."""
        if not self.precedence:
            return [0] * CODEPOINTS
        return [self.priority.get(str(dscp), dscp >> 3) for dscp in range(CODEPOINTS)]
