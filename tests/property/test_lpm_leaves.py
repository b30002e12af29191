# SPDX-License-Identifier: MIT
"""Lookup structures with nodes of every size: leaves of each width, up to each border and beyond.

A node of the compressed structure holds 24 bytes of leaves, or 28 if those are all, and a block
takes the others: what counts is the leaf that crosses a border. The oracle is a list of 256 hops.
"""

from collections.abc import Iterator

import pytest

from tests.property.test_lpm import KINDS, Prefix, Table, table

FIRST = 0x0A0A0A00
WIDTHS = range(1, 16)  # bits of a hop
LINE_BITS, NODE_BITS = 24 * 8, 28 * 8
# Length of the prefixes, and how far apart they are: in a /16, or in the group of a /24.
LEVELS = [(24, 256), (32, 1)]


def sizes(width: int) -> list[int]:
    """Return numbers of leaves: few, around those that end at a border, and as many as can be."""
    near = {bits // width + i for bits in (LINE_BITS, NODE_BITS) for i in range(-2, 3)}
    return sorted({1, 2, 127, 128, 129, 255, 256} | {size for size in near if 0 < size <= 256})


def hops(width: int, size: int, step: int) -> list[int]:
    """Return what slots lead to: `size` of them to hops of that width, others nowhere."""
    found = [0] * 256
    top = (1 << width) - 1
    for i in range(size):
        # Neighbours differ, and the last ones have all bits set.
        found[i * step % 256] = top - i % 2 if width > 1 and size - i > 3 else top
    return found


def shapes(width: int) -> Iterator[list[int]]:
    """Yield nodes for both forms: slots side by side, and each second one while there are any."""
    for size in sizes(width):
        yield hops(width, size, 1)
        if size <= 128:
            yield hops(width, size, 2)


def fill(lpm: Table, wanted: list[int], present: list[int], level: tuple[int, int]) -> None:
    """Set and clear prefixes until slots lead to what they should."""
    bits, apart = level
    first = FIRST & -(256 * apart)
    for slot, (hop, before) in enumerate(zip(wanted, present, strict=True)):
        prefix: Prefix = (first + slot * apart, bits)
        if hop and hop != before:
            assert lpm.set(prefix, hop) == 0
        elif before and not hop:
            lpm.clear(prefix)


@pytest.mark.parametrize("level", LEVELS, ids=["/16", "/24"])
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("kind", KINDS)
def test_leaves_of_each_width(kind: str, width: int, level: tuple[int, int]) -> None:
    apart = level[1]
    first = FIRST & -(256 * apart)
    addresses = [first + slot * apart for slot in range(256)]
    with table(kind) as lpm:
        present = [0] * 256
        for wanted in shapes(width):
            fill(lpm, wanted, present, level)
            assert lpm.lookup(addresses) == wanted
            present = wanted


@pytest.mark.parametrize("kind", KINDS)
def test_leaves_beside_a_group(kind: str) -> None:
    level = LEVELS[0]
    first = FIRST & -65536
    addresses = [first + slot * 256 for slot in range(256)]
    with table(kind) as lpm:
        assert lpm.set((first + 1, 32), 5) == 0  # the leaf of slot 0 is 16 bits wide, as all are
        present = [0] * 256
        for wanted in shapes(4):
            fill(lpm, wanted, present, level)
            assert lpm.lookup([*addresses, first + 1]) == [*wanted, 5]
            present = wanted
        for size in range(1, 40):
            wanted = hops(9, size, 1)
            fill(lpm, wanted, present, level)
            assert lpm.lookup([*addresses, first + 1]) == [*wanted, 5]
            present = wanted
