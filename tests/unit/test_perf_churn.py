# SPDX-License-Identifier: MIT
"""Changes of routes at full rate: what is changed, and what is noticed when a change is lost."""

import numpy as np
import pytest

from twinroute.perf.churn import Changes, in_force
from twinroute.perf.tables import make_table
from twinroute.sim import Bench, Router

TABLE = make_table(1000)


@pytest.fixture
def bed() -> tuple[Bench, Router]:
    """Return a router between the subnets of both gateways."""
    bench = Bench()
    return bench, bench.router(port={"p0": "10.0.0.1/24", "p1": "10.0.1.1/24"})


@pytest.mark.parametrize("turns", [0, 1, 2, 40])
def test_all_is_as_the_last_change_has_left_it(bed: tuple[Bench, Router], turns: int) -> None:
    bench, router = bed
    changes = Changes(router, TABLE, 80)
    bench.settle()
    made = []
    for _ in range(turns):
        made.append(changes.turn())
        bench.settle()
    assert made == [60, *[80] * (turns - 1)][:turns]
    assert in_force(router)
    assert changes.wrong() == 0
    assert np.count_nonzero(~changes.is_there) == (20 if turns else 0)
    by_hand = [route for route in router.routes() if route.source == "api"]
    assert len(by_hand) == len(TABLE) - (20 if turns else 0)


def test_a_lost_change_is_noticed(bed: tuple[Bench, Router]) -> None:
    bench, router = bed
    changes = Changes(router, TABLE, 80)
    changes.turn()
    bench.settle()
    there = np.flatnonzero(changes.is_there)[0]
    router.routes_post(TABLE.prefixes[[there]], TABLE.bits[[there]], [0], add=False)
    bench.settle()
    assert changes.wrong() == 1
