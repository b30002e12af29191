# SPDX-License-Identifier: MIT
"""The lookup structures against a dict of prefixes and a linear search for the longest match."""

import errno
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from tests.strategies import examples
from twinroute.sim._sim import ffi, lib

KINDS = ["dir24_8/plain", "dir24_8/avx512", "compact/plain", "compact/popcnt", "compact/avx512"]
ALL_ONES = 0xFFFFFFFF
HOP_MAX = 32767
GROUPS = 32768  # /24s with longer prefixes that a structure holds

Prefix = tuple[int, int]  # address, length
Operation = tuple[str, Prefix, int]


def mask(bits: int) -> int:
    """Return the network mask of a prefix length."""
    return ALL_ONES << (32 - bits) & ALL_ONES


class Table:
    """A lookup table beside its oracle, which also plays the RIB: it knows the covers."""

    def __init__(self, lpm: object) -> None:
        self.lpm = lpm
        self.model: dict[Prefix, int] = {}

    def longest(self, address: int, below: int = 33) -> tuple[int, int]:
        """Return length and hop of the longest prefix shorter than `below`, (0, 0) without one."""
        matches = [
            (bits, hop)
            for (prefix, bits), hop in self.model.items()
            if bits < below and (address ^ prefix) & mask(bits) == 0
        ]
        return max(matches, default=(0, 0))

    def set(self, prefix: Prefix, hop: int) -> int:
        """Add or replace a prefix; the oracle follows if the table took it."""
        error = lib.tr_lpm_set(self.lpm, *prefix, hop)
        if not error:
            self.model[prefix] = hop
        return error

    def clear(self, prefix: Prefix) -> None:
        """Delete a prefix, present or not."""
        self.model.pop(prefix, None)
        cover = self.longest(prefix[0], below=prefix[1])
        assert lib.tr_lpm_clear(self.lpm, *prefix, *cover) == 0

    def lookup(self, addresses: list[int]) -> list[int]:
        """Look up a run of addresses."""
        count = len(addresses)
        hops = ffi.new("uint16_t[]", [0xFFFF] * (count + 1))
        lib.tr_lpm_lookup(self.lpm, ffi.new("uint32_t[]", addresses), hops, count)
        assert hops[count] == 0xFFFF, "nothing is written behind the run"
        return list(hops)[:count]

    def check(self, addresses: Iterable[int]) -> None:
        """Compare table and oracle at these addresses, in one run."""
        run = sorted({address & ALL_ONES for address in addresses})
        got = dict(zip(run, self.lookup(run), strict=True))
        want = {address: self.longest(address)[1] for address in run}
        assert got == want
        assert {address: lib.tr_lpm_find(self.lpm, address) for address in run} == want


@contextmanager
def table(kind: str) -> Iterator[Table]:
    """Make an empty table."""
    lpm = lib.tr_lpm_new(kind.encode())
    if lpm == ffi.NULL and ffi.errno == errno.ENOTSUP:
        pytest.skip("not on this processor")
    assert lpm != ffi.NULL
    try:
        yield Table(lpm)
    finally:
        lib.tr_lpm_free(lpm)


def edges(prefix: Prefix) -> list[int]:
    """Return where a prefix begins and ends, inside and outside."""
    first, bits = prefix
    last = first | ~mask(bits) & ALL_ONES
    return [first, last, first - 1, last + 1, (first + last) // 2]


# Around few addresses, so that prefixes nest, touch and share a /24. Short prefixes are rare only
# because they write up to half of the table.
LENGTHS = st.one_of(
    st.integers(8, 32), st.integers(23, 32), st.integers(25, 32), st.integers(1, 32)
)
CENTRES = [0x0A0000FF, 0x0A000100, 0x0A00017F, 0xC0A80000, 0, ALL_ONES, 0x7FFFFFFF, 0x80000000]


@st.composite
def prefixes(draw: st.DrawFn) -> Prefix:
    """Prefixes that nest, touch or lie anywhere."""
    address = draw(st.one_of(st.sampled_from(CENTRES), st.integers(0, ALL_ONES)))
    flipped = draw(st.one_of(st.just(0), st.integers(0, 31).map(lambda bit: 1 << bit)))
    bits = draw(LENGTHS)
    return (address ^ flipped) & mask(bits), bits


OPERATIONS = st.lists(
    st.tuples(
        st.sampled_from(["set", "set", "clear", "clear a known one"]),
        prefixes(),
        st.one_of(st.integers(1, HOP_MAX), st.sampled_from([1, HOP_MAX])),
    ),
    max_size=60,
)


@pytest.mark.parametrize("kind", KINDS)
@given(operations=OPERATIONS, elsewhere=st.lists(st.integers(0, ALL_ONES), max_size=20))
@settings(max_examples=examples(300))
def test_longest_match(kind: str, operations: list[Operation], elsewhere: list[int]) -> None:
    with table(kind) as lpm:
        empty = lib.tr_lpm_bytes(lpm.lpm)
        seen = set(elsewhere)
        for what, prefix, number in operations:
            if what == "clear a known one" and lpm.model:
                known = sorted(lpm.model)
                prefix = known[number % len(known)]
            if what == "set":
                assert lpm.set(prefix, number) == 0
            else:
                lpm.clear(prefix)
            seen.update(edges(prefix))
            lpm.check(seen)
        event(f"{len(lpm.model) // 10 * 10} or more prefixes")
        for prefix in sorted(lpm.model, key=lambda known: hash(known)):
            lpm.clear(prefix)
            lpm.check(edges(prefix))
        lpm.check(seen)
        assert lib.tr_lpm_bytes(lpm.lpm) == empty, "an empty table takes what it took at first"


@pytest.mark.parametrize("kind", KINDS)
@given(
    st.lists(st.integers(1, 32), min_size=2, max_size=32, unique=True),
    st.sampled_from(CENTRES),
    st.randoms(use_true_random=False),
)
@settings(max_examples=examples(100))
def test_nest_does_not_depend_on_order(kind: str, lengths: list[int], address: int, random) -> None:
    nest = [(address & mask(bits), bits) for bits in lengths]
    everywhere = [edge for prefix in nest for edge in edges(prefix)]
    with table(kind) as lpm:
        for hop, prefix in enumerate(nest, 1):
            assert lpm.set(prefix, hop) == 0
        lpm.check(everywhere)
        random.shuffle(nest)
        for prefix in nest:
            lpm.clear(prefix)
            lpm.check(everywhere)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("run", [*range(70), 127, 128, 129, 512])
def test_every_length_of_run(kind: str, run: int) -> None:
    with table(kind) as lpm:
        lpm.set((0x0A000000, 8), 1)
        lpm.set((0x0A010200, 25), 2)
        addresses = [0x0A010200 + 50 * i for i in range(run)]
        assert lpm.lookup(addresses) == [lpm.longest(address)[1] for address in addresses]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("prefix", "bits", "hop"),
    [
        (0, 0, 1),
        (0, 33, 1),
        (0x0A000001, 24, 1),
        (0x0A000001, 31, 1),
        (0x0A000000, 8, 0),
        (0x0A000000, 8, HOP_MAX + 1),
    ],
)
def test_bad_prefix_or_hop_is_refused(kind: str, prefix: int, bits: int, hop: int) -> None:
    with table(kind) as lpm:
        assert lib.tr_lpm_set(lpm.lpm, prefix, bits, hop) == -errno.EINVAL
        if hop == 1:
            assert lib.tr_lpm_clear(lpm.lpm, prefix, bits, 0, 0) == -errno.EINVAL
        lpm.check([prefix])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("cover", [(8, 1), (9, 1), (4, 0), (0, 1), (4, HOP_MAX + 1)])
def test_bad_cover_is_refused(kind: str, cover: tuple[int, int]) -> None:
    with table(kind) as lpm:
        lpm.set((0x0A000000, 8), 1)
        assert lib.tr_lpm_clear(lpm.lpm, 0x0A000000, 8, *cover) == -errno.EINVAL
        lpm.check([0x0A000000])


def test_unknown_kind() -> None:
    assert lib.tr_lpm_new(b"patricia") == ffi.NULL
    lib.tr_lpm_free(ffi.NULL)


@pytest.mark.parametrize("kind", KINDS)
def test_without_room(kind: str) -> None:
    def host(group: int) -> Prefix:
        return 0x0B000001 + (group << 8), 32

    with table(kind) as lpm:
        for group in range(GROUPS):
            assert lib.tr_lpm_set(lpm.lpm, *host(group), group % HOP_MAX + 1) == 0
        late = host(GROUPS)
        lpm.model = {host(0): 1, host(GROUPS - 1): 1}
        seen = [edge for prefix in (host(0), host(GROUPS - 1), late) for edge in edges(prefix)]
        assert lpm.set(late, 7) == -errno.ENOSPC
        lpm.check(seen)
        lpm.clear(late)  # it never got in: nothing changes
        lpm.check(seen)
        assert lpm.set(host(0), 9) == 0, "what is there can be replaced"
        assert lpm.set((late[0] & mask(24), 24), 5) == 0, "a /24 needs no group"
        lpm.check(seen)
        lpm.clear(host(0))
        assert lpm.set(late, 7) == 0, "the group given back serves again"
        lpm.check(seen)
