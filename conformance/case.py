# SPDX-License-Identifier: MIT
"""Cases: functions that prove requirements on a test bed, and how they are found.

@case("RFC1812-5.3.1-4", "RFC1812-5.3.1-5")
def ttl_runs_out(t: Testbed) -> None:
    '''TTL 1 and 0: Time Exceeded, and nothing is forwarded.'''
    for ttl in (1, 0):
        packet = T(ttl=ttl)
        t.send(P1, packet)
        t.expect(ERR(packet, 11, 0), drop="ttl_expired")
"""

import importlib
import pkgutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from twinroute.conformance.config_bed import ConfigBed
    from twinroute.conformance.testbed import Testbed

Function = Callable[["Testbed"], None]
ConfigFunction = Callable[["ConfigBed"], None]

BURSTS = (1, 67)  # a batch is 64: one of 64 and a tail
ALONE = (1,)
POSITIONS = ("first", "middle", "last")


@dataclass(frozen=True, order=True)
class Variation:
    """How what a case sends is embedded: in a burst of so many frames, and where in it."""

    burst: int = 1
    position: str = "first"

    def __str__(self) -> str:
        """Name it."""
        return "alone" if self.burst == 1 else f"{self.position} of {self.burst}"

    @property
    def options(self) -> str:
        """Options of the command that runs it."""
        return "" if self.burst == 1 else f" --burst {self.burst} --position {self.position}"

    def before(self, count: int) -> int:
        """Return how many good frames go before `count` frames."""
        good = max(self.burst - count, 0)
        return {"first": 0, "middle": good // 2, "last": good}[self.position]


@dataclass(frozen=True)
class Case:
    """A case: what it proves, and how.

    needs: capabilities of a device that it cannot do without. wait_ms: time that it waits for, in
    all. arp: ARP frames are judged on devices, too, whose neighbours come and go by themselves.
    function: of a test bed; config: in its place, of our configuration and command line.
    """

    name: str
    ids: tuple[str, ...]
    text: str
    module: str
    function: Function | None = None
    config: ConfigFunction | None = None
    bursts: tuple[int, ...] = ALONE
    needs: tuple[str, ...] = ()
    wait_ms: float = 0
    arp: bool = False

    @property
    def variations(self) -> list[Variation]:
        """Every way in which it is run."""
        return [
            Variation(burst, position)
            for burst in self.bursts
            for position in (POSITIONS if burst > 1 else POSITIONS[:1])
        ]


_cases: dict[str, Case] = {}


class CaseError(Exception):
    """A case is written wrongly."""


def case(
    *ids: str,
    bursts: Sequence[int] = BURSTS,
    needs: Sequence[str] = (),
    wait_ms: float = 0,
    arp: bool = False,
) -> Callable[[Function], Function]:
    """Make a case of a function, named as it; its docstring says what it does.

    ids: the requirements that it proves. bursts: by default what is sent in one go is also tried
    among good packets, as the first, in the middle and as the last of 67; ALONE: it is not.
    """

    def register(function: Function) -> Function:
        name, text, module = _named(function, ids)
        _cases[name] = Case(
            name=name,
            ids=ids,
            text=text,
            module=module,
            function=function,
            bursts=tuple(bursts),
            needs=tuple(needs),
            wait_ms=wait_ms,
            arp=arp,
        )
        return function

    return register


def config_case(*ids: str) -> Callable[[ConfigFunction], ConfigFunction]:
    """Make a case of a function that asks our configuration or command line; see ConfigBed."""

    def register(function: ConfigFunction) -> ConfigFunction:
        name, text, module = _named(function, ids)
        _cases[name] = Case(name=name, ids=ids, text=text, module=module, config=function)
        return function

    return register


def _named(function: Callable[..., None], ids: tuple[str, ...]) -> tuple[str, str, str]:
    """Return name, text and module of a case. Raises CaseError."""
    name = function.__name__
    text = " ".join((function.__doc__ or "").split())
    module = function.__module__.rsplit(".", 1)[-1]
    if name in _cases and _cases[name].module != module:
        raise CaseError(f"{module}.{name}: {_cases[name].module} has a case of this name")
    if not ids or not text:
        raise CaseError(f"{module}.{name}: expected requirement ids and a docstring")
    return name, text, module


@cache
def all_cases() -> dict[str, Case]:
    """Import every module of cases; return the cases by name, by module and as written there."""
    from twinroute.conformance import cases

    names = sorted(module.name for module in pkgutil.iter_modules(cases.__path__))
    for name in names:
        importlib.import_module(f"{cases.__name__}.{name}")
    order = {name: place for place, name in enumerate(names)}
    found = [one for one in _cases.values() if one.module in order]
    return {one.name: one for one in sorted(found, key=lambda one: order[one.module])}
