# SPDX-License-Identifier: MIT
"""The configuration's table `[log]`: what a running router writes down (RFC 1812 10.4.1)."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict

from twinroute import config_rules
from twinroute.config_errors import Place
from twinroute.config_rules import Expected, choice, integer

STDERR = "stderr"
DROPS_PER_S_MAX = 64  # TR_DROP_SAMPLES: of one unit no more are there after a second

AuditEvent = Literal["access", "change", "watch", "failure"]
EVENTS: tuple[AuditEvent, ...] = ("access", "change", "watch", "failure")


class Log(BaseModel):
    """`[log]`: lines of JSON on stderr, where systemd's journal takes them, or in a file.

    to: "stderr", or a file to append to. audit: which events of the management are written: a
    client was let in (which each question of `show` does); something was changed; somebody
    captures or traces packets; something was refused. drops: drop reasons, packets of which are
    written; drops_per_s: at most so many.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    to: Annotated[str, config_rules.TEXT] = STDERR
    audit: Annotated[
        list[Annotated[AuditEvent, choice(*EVENTS)]], Expected("a list of events of the audit")
    ] = ["change", "failure"]
    drops: Annotated[
        list[Annotated[str, config_rules.name(63, "a drop reason")]],
        Expected("a list of drop reasons"),
    ] = []
    drops_per_s: Annotated[int, integer(1, DROPS_PER_S_MAX)] = 10


def live_log(log: Log) -> dict[Place, object]:
    """Return place and value of all that may change while the router runs."""
    return {("log", name): value for name, value in log}
