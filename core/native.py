# SPDX-License-Identifier: MIT
"""The C core as one backend has compiled it, and the names that it gives to its numbers.

Each backend has the core in an extension of its own. Nothing here imports one: a backend makes a
`Native` of its (ffi, lib) and hands it on.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

ROUTE_KINDS = (
    *("none", "via", "connected", "local", "broadcast", "multicast"),
    *("blackhole", "unreachable", "prohibit", "martian", "more", "mtu"),
)
ROUTE_SOURCES = ("builtin", "port", "learned", "config", "api", "kernel")
NEIGHBOR_STATES = ("free", "incomplete", "reachable", "refreshing", "failed")
VERDICTS = {0x000: "forward", 0x100: "drop", 0x200: "punt", 0x300: "-"}  # core/reasons.h


@dataclass(frozen=True)
class Reason:
    """Why packets are dropped or punted."""

    name: str
    rfc: str  # section that asks for it, or ""
    text: str
    consumed: bool  # a drop by which nothing is lost: the packet was answered or used up


@dataclass(frozen=True, eq=False)
class Native:
    """A backend's extension: cffi's `ffi` and `lib`, with the functions of core/api.h in it."""

    ffi: Any
    lib: Any
    announces: bool = True  # own addresses, where the configuration does not say

    def text(self, text: Any) -> str:
        """Copy a C string; NULL is an empty one."""
        return self.ffi.string(text).decode("utf-8", "replace") if text else ""

    def names(self, function: Callable[[int], Any]) -> list[str]:
        """List what a C function names for 0, 1, ... until it returns NULL."""
        names: list[str] = []
        while text := function(len(names)):
            names.append(self.text(text))
        return names

    @cached_property
    def drops(self) -> tuple[Reason, ...]:
        """Every reason for which a packet ends in the router, in the order of drops.def."""
        return self._reasons(self.lib.tr_drop_info)

    @cached_property
    def punts(self) -> tuple[Reason, ...]:
        """Every reason for which the fast path hands a packet over, in the order of punts.def."""
        return self._reasons(self.lib.tr_punt_info)

    def _reasons(self, info: Callable[[int], Any]) -> tuple[Reason, ...]:
        found: list[Reason] = []
        while reason := info(len(found)):
            texts = (self.text(reason.name), self.text(reason.rfc), self.text(reason.text))
            found.append(Reason(*texts, bool(reason.consumed)))
        return tuple(found)

    @cached_property
    def steps(self) -> tuple[str, ...]:
        """The steps of the fast path and the handlers of the slow path, in their order."""
        return tuple(self.names(self.lib.tr_step_name))

    @cached_property
    def route_kinds(self) -> dict[int, str]:
        """Names of enum tr_route_kind."""
        return {getattr(self.lib, f"TR_ROUTE_{name.upper()}"): name for name in ROUTE_KINDS}

    @cached_property
    def route_sources(self) -> dict[int, str]:
        """Names of enum tr_route_source."""
        return {getattr(self.lib, f"TR_SOURCE_{name.upper()}"): name for name in ROUTE_SOURCES}

    @cached_property
    def neighbor_states(self) -> dict[int, str]:
        """Names of enum tr_neighbor_state."""
        return {getattr(self.lib, f"TR_NEIGHBOR_{name.upper()}"): name for name in NEIGHBOR_STATES}

    def verdict(self, code: int) -> tuple[str, str]:
        """Name a verdict of a trace and its reason: ("punt", "arp"); "done": used up, not lost."""
        kind = VERDICTS.get(code & 0xFF00, "?")
        if kind not in ("drop", "punt"):
            return kind, ""
        reason = (self.drops if kind == "drop" else self.punts)[code & 0xFF]
        return "done" if reason.consumed else kind, reason.name
