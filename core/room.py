# SPDX-License-Identifier: MIT
"""Whether the tables have room for changes of routes: asked before, and looked at afterwards.

The forwarding table has a bounded number of next hops, and of blocks of 256 addresses that hold
prefixes longer than /24. What would not fit is refused whole. Which routes are used also follows
from links and neighbours, so some may find no room all the same: that is told once it is known.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from twinroute import routes
from twinroute.counters import TableInfo
from twinroute.errors import TwinrouteError
from twinroute.native import Native
from twinroute.routes import Array

if TYPE_CHECKING:
    from twinroute.router_api import RouterApi

LONG = 24  # bits of a block


class Unplaced(TwinrouteError):
    """Changes were made, and some routes have found no room in the tables."""


class Shortages:
    """What of a router's routes is known to have no room."""

    def __init__(self) -> None:
        """Know of none."""
        self._known = (0, 0)

    def look(self, info: TableInfo) -> None:
        """Raise Unplaced if there are more than at the last look."""
        before, self._known = self._known, (info.unplaced, info.lost)
        problems = []
        if info.unplaced > before[0]:
            what = "no next hop is left" if not info.hops_room else "its blocks for /25 to /32"
            problems.append(
                f"no room in the table for {_count(info.unplaced, 'prefix', 'es')} ({what})"
            )
        if info.lost > before[1]:
            problems.append(f"no memory for {_count(info.lost - before[1], 'change')} of routes")
        if problems:
            raise Unplaced(f"{', '.join(problems)}: all else is in force")


def _count(count: int, what: str, plural: str = "s") -> str:
    return f"{count} {what}{plural if count != 1 else ''}"


def check(router: "RouterApi", changes: Array) -> None:
    """Raise if checked changes of routes do not fit."""
    if problem := _shortage(router, changes):
        raise router.failure(f"{router.name}: routes: they {problem}")


def _shortage(router: "RouterApi", changes: Array) -> str | None:
    added = changes["route"][changes["add"]]
    if not len(added):
        return None
    info = router.table_info()
    if _surely_fit(router.native, added, info):
        return None
    present = router.routes_array(all=True)
    after = _used(router.native, present, changes)
    before = _used(router.native, present, changes[:0])
    hops, blocks = (new - old for new, old in zip(after, before, strict=True))
    if hops > info.hops_room:
        return f"need {hops} more next hops: expected at most {info.hops_room}"
    if blocks > info.blocks_room:
        return (
            f"have prefixes longer than /{LONG} in {blocks} more blocks of 256"
            f" addresses: expected at most {info.blocks_room}"
        )
    return None


def _surely_fit(native: Native, added: Array, info: TableInfo) -> bool:
    """Tell whether there would be room if all of it were new."""
    parts = len(added) - len(routes.starts(native, added))  # each makes a group at the most
    hops = len(added) + 2 * parts
    if hops > info.hops_room:
        hops = len(np.unique(_values(added, "port", "gateway", "kind"))) + 2 * parts
    long = int(np.count_nonzero(added["bits"] > LONG))
    return hops <= info.hops_room and long <= info.blocks_room


def _values(rows: Array, *names: str) -> Array:
    """Return a number for each row, made of some fields."""
    values: Array = np.zeros(len(rows), np.uint64)
    for name in names:
        bits = np.uint64(8 * rows.dtype[name].itemsize)
        values = values << bits | rows[name].astype(np.uint64)
    return values


def _used(native: Native, present: Array, changes: Array) -> tuple[int, int]:
    """Count next hops and blocks that the best route of each prefix takes after changes."""
    rows = routes.joined([routes.changes_of(present, add=True), changes])
    begins = routes.starts(native, rows["route"])
    counts = np.diff(begins, append=len(rows))
    heads = rows["route"][begins]
    # The last change of a route counts; of the routes of a prefix the one that wins.
    _, last = np.unique(_values(heads, "prefix", "bits", "source", "metric")[::-1], True)
    kept = len(heads) - 1 - last
    kept = kept[rows["add"][begins[kept]]]
    ranks = _values(heads[kept], "preference", "source", "metric")
    prefixes = _values(heads[kept], "prefix", "bits")
    kept = kept[np.lexsort((ranks, prefixes))]
    _, first = np.unique(_values(heads[kept], "prefix", "bits"), True)
    best = kept[first]
    hops: set[Any] = set()
    single = heads[best[counts[best] == 1]]
    via = np.isin(single["kind"], [native.lib.TR_ROUTE_VIA])
    hops.update((key, 0) for key in np.unique(_values(single[via], "port", "gateway")).tolist())
    other = np.unique(_values(single[~via], "port", "kind")).tolist()
    sets = set()
    for at in best[counts[best] > 1]:
        some = rows["route"][begins[at] : begins[at] + counts[at]]
        mtu = int(some[-1]["gateway"]) if some[-1]["kind"] == native.lib.TR_ROUTE_MTU else 0
        members = _values(some[:-1] if mtu else some, "port", "gateway").tolist()
        hops.update((key, mtu) for key in members)
        if len(members) > 1:
            sets.add((tuple(members), mtu))
    long = heads[best][heads[best]["bits"] > LONG]
    blocks = len(np.unique(long["prefix"] >> np.uint32(32 - LONG)))
    return len(hops) + len(other) + 2 * len(sets), blocks
