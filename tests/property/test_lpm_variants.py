# SPDX-License-Identifier: MIT
"""Lookup structures against each other, with many prefixes in few places and at every address.

test_lpm.py compares each with a plain search; here their nodes are full, of few next hops or many,
and what is compared is every /24 and every address near a longer prefix.
"""

import errno
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.strategies import examples
from twinroute.sim._sim import ffi, lib

REFERENCE = "dir24_8/plain"
VARIANTS = ["dir24_8/avx512", "compact/plain", "compact/popcnt", "compact/avx512"]
FIRST = 0x0A000000
BITS = 14  # of what all prefixes are in: four /16s

Addresses = npt.NDArray[np.uint32]
Prefix = tuple[int, int]


@contextmanager
def table(kind: str) -> Iterator[object]:
    """Make an empty table."""
    lpm = lib.tr_lpm_new(kind.encode())
    if lpm == ffi.NULL and ffi.errno == errno.ENOTSUP:
        pytest.skip("not on this processor")
    assert lpm != ffi.NULL
    try:
        yield lpm
    finally:
        lib.tr_lpm_free(lpm)


def lookup(lpm: object, addresses: Addresses, run: int) -> npt.NDArray[np.uint16]:
    """Look addresses up, `run` of them in a call."""
    hops = np.zeros(len(addresses), np.uint16)
    source = ffi.cast("uint32_t *", ffi.from_buffer(addresses))
    target = ffi.cast("uint16_t *", ffi.from_buffer(hops))
    for i in range(0, len(addresses), run):
        lib.tr_lpm_lookup(lpm, source + i, target + i, min(run, len(addresses) - i))
    return hops


def cover(model: dict[Prefix, int], prefix: int, bits: int) -> Prefix:
    """Return length and hop of the longest prefix around another one, (0, 0) without one."""
    for length in range(bits - 1, 0, -1):
        above = prefix & -(1 << (32 - length)) & 0xFFFFFFFF
        if hop := model.get((above, length)):
            return length, hop
    return 0, 0


@pytest.mark.parametrize("kind", VARIANTS)
@given(
    seed=st.integers(0, 2**32 - 1),
    hops=st.sampled_from([1, 3, 14, 15, 255, 256, 32767]),
    prefixes=st.integers(1, 1500),
    longest=st.sampled_from([24, 32]),
    run=st.sampled_from([1, 15, 16, 17, 32, 63, 64, 67, 512]),
)
@settings(max_examples=examples(30))
def test_every_address(
    kind: str, seed: int, hops: int, prefixes: int, longest: int, run: int
) -> None:
    random = np.random.default_rng(seed)
    bits = random.choice(np.arange(BITS, longest + 1), prefixes)
    bits[random.random(prefixes) < 0.5] = 24
    inside = random.integers(0, 1 << (32 - BITS), prefixes)
    starts = (FIRST | inside) & -(1 << (32 - bits))
    values = random.integers(1, hops + 1, prefixes)
    near = starts[bits > 24, None] + np.arange(-1, 3)
    slots = FIRST + (np.arange(-1, (1 << (24 - BITS)) + 1) << 8)
    addresses = np.concatenate([slots, slots + 255, starts, near.ravel()]).astype(np.uint32)
    random.shuffle(addresses)
    model: dict[Prefix, int] = {}
    with ExitStack() as stack:
        reference, lpm = (stack.enter_context(table(name)) for name in (REFERENCE, kind))
        empty = lib.tr_lpm_bytes(lpm)
        rows = list(zip(starts.tolist(), bits.tolist(), values.tolist(), strict=True))
        for start, length, hop in rows:
            model[start, length] = hop
            for each in (reference, lpm):
                assert lib.tr_lpm_set(each, start, length, hop) == 0
        assert (lookup(lpm, addresses, run) == lookup(reference, addresses, 512)).all()
        for start, length, _ in rows[::2]:
            model.pop((start, length), None)
            for each in (reference, lpm):
                assert lib.tr_lpm_clear(each, start, length, *cover(model, start, length)) == 0
        assert (lookup(lpm, addresses, run) == lookup(reference, addresses, 512)).all()
        for start, length in sorted(model, key=lambda prefix: prefix[1]):
            lib.tr_lpm_clear(lpm, start, length, 0, 0)
        assert not lookup(lpm, addresses, run).any()
        assert lib.tr_lpm_bytes(lpm) == empty
