# SPDX-License-Identifier: MIT
"""The functions of the vector variants, on batches made for them: each lane may break any rule, at
any place, and every variant has to say of it what a plain model says."""

import random
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import worlds as w
from tests.packets import checksum
from tests.strategies import examples
from twinroute.sim._sim import ffi, lib

MAC = bytes.fromhex("020000000101")
MTUS = [46, 60, 200, 1500, 65535]
SIZES = [0, 1, 12, 26, 27, 40, 41, 100, 180, 181]
MARKS = [(0x7F000000, 8), (0xA9FE0000, 16), (0xC0000200, 24), (0x0A0100FF, 32), (0x0A010000, 32)]
SOURCES = [0x0A010002, 0x0A0100FF, 0x0A010000, 0x7F000001, 0x80000000, 0xA9FEFFFF, 0xC0000301, 1]
UNKNOWN, BAD, GOOD = 0, 1 << 4, 1 << 7
VERDICTS = [UNKNOWN, GOOD, BAD, GOOD | BAD]  # both: none


@dataclass
class Lane:
    """What a lane is, and by the model what becomes of it."""

    frame: bytes
    verdict: int  # of the NIC on the checksum
    hop: int

    @property
    def header(self) -> bytes:
        """The IPv4 header, were it one."""
        return self.frame[14:34]

    def is_plain(self, *, sums: bool) -> bool:
        """Say whether nothing about the frame wants a second look."""
        right = {GOOD: True, BAD: False}.get(self.verdict, checksum(self.header) == 0)
        return (
            self.frame[:6] == MAC
            and self.frame[12:15] == b"\x08\x00\x45"
            and int.from_bytes(self.header[2:4]) == len(self.frame) - 14
            and self.header[12:16] != bytes(4)
            and (right or not sums)
        )


@dataclass
class Hop:
    """A next hop."""

    macs: bytes
    port: int
    mtu: int
    verdict: int

    def takes(self, frame: bytes) -> bool:
        """Say whether a frame can go."""
        return not self.verdict and len(frame) - 14 <= self.mtu and frame[22] > 1

    def forward(self, frame: bytes) -> bytes:
        """Return the frame as it goes: RFC 1624 section 3, equation 3."""
        old, kept = frame[22] << 8, int.from_bytes(frame[24:26])
        total = (~kept & 0xFFFF) + (~old & 0xFFFF) + old - 0x100
        total = (total & 0xFFFF) + (total >> 16)
        lowered = bytes([frame[22] - 1, frame[23]])
        new = (~((total & 0xFFFF) + (total >> 16)) & 0xFFFF).to_bytes(2)
        return self.macs + frame[12:22] + lowered + new + frame[26:]


def make_lane(dice: random.Random, odd: float, sizes: list[int]) -> Lane:
    """Make a lane; a rule that it may break it breaks with probability `odd`."""

    def choose(usual: int, *others: int) -> int:
        return dice.choice(others) if dice.random() < odd else usual

    data = dice.choice(sizes)
    if dice.random() < odd / 20:
        data = dice.choice([9000, 40000, 65501])
    total = choose(20 + data, 19 + data, 21 + data, 0, 0xFFFF, (20 + data) << 8 & 0xFFFF)
    ttl = choose(64, 0, 1, 2, 255)
    head = [choose(0x45, 0x46, 0x44, 0x55, 0x65), dice.randrange(256), total >> 8, total & 255]
    head += [dice.randrange(256) for _ in range(4)] + [ttl, dice.randrange(256), 0, 0]
    source = choose(dice.getrandbits(32), 0, *SOURCES)
    header = bytearray(head) + source.to_bytes(4) + dice.randbytes(4)
    header[10:12] = checksum(bytes(header)).to_bytes(2)
    if dice.random() < odd:
        header[10:12] = dice.choice([b"\0\0", b"\xff\xff", b"\xff\xfe", b"\xfe\xff", b"\0\1"])
    if dice.random() < odd:
        header[dice.randrange(20)] ^= 1 << dice.randrange(8)
    frame = bytearray(MAC + dice.randbytes(6) + b"\x08\x00" + header + dice.randbytes(data))
    if dice.random() < odd:
        frame[dice.choice([0, 1, 2, 3, 4, 5, 12, 13])] ^= 1 << dice.randrange(8)
    return Lane(bytes(frame), choose(GOOD, *VERDICTS), dice.randrange(lib.TR_SIM_HOPS))


def make_hop(dice: random.Random, odd: float, longest: int) -> Hop:
    """Make a next hop, likewise."""
    verdict = dice.randrange(1, 0x400) if dice.random() < odd else 0
    mtu = dice.choice([longest - 1, longest, *MTUS]) if dice.random() < odd else 1500
    return Hop(dice.randbytes(12), dice.randrange(32), mtu, verdict)


def run(
    variant: str, lanes: list[Lane], hops: list[Hop], live: int, *, sums: bool
) -> dict[str, Any]:
    """Have a variant do all that it does; what it says and the frames."""
    frames = [ffi.new("uint8_t[]", lane.frame) for lane in lanes]
    given = ffi.new("struct tr_sim_lanes *")
    given.lanes, given.sums = len(lanes), sums
    given.form_destination = int.from_bytes(MAC, "little")
    given.form_head = int.from_bytes(b"\x08\x00\x45", "little")
    given.live = [live >> i * 64 & (1 << 64) - 1 for i in range(lib.TR_SIM_WORDS)]
    given.frame[0 : len(lanes)] = frames
    given.bytes[0 : len(lanes)] = [len(lane.frame) for lane in lanes]
    given.checksum[0 : len(lanes)] = [lane.verdict for lane in lanes]
    given.hop[0 : len(lanes)] = [lane.hop for lane in lanes]
    given.hop_macs = [hop.macs for hop in hops]
    given.hop_port = [hop.port for hop in hops]
    given.hop_mtu = [hop.mtu for hop in hops]
    given.hop_verdict = [hop.verdict for hop in hops]
    given.match_port = hops[0].port
    given.marks = len(MARKS)
    given.mark[0 : len(MARKS)] = [prefix for prefix, _ in MARKS]
    given.mark_bits[0 : len(MARKS)] = [bits for _, bits in MARKS]
    assert lib.tr_sim_lanes_run(variant.encode(), given) == 0
    said: dict[str, Any] = {
        name: sum(word << i * 64 for i, word in enumerate(getattr(given, name)))
        for name in ("plain", "suspect", "forwarded", "matched")
    }
    said["sums"] = given.bytes_sum, given.bytes_min, given.checksums_good
    said["source"] = list(given.source[0 : len(lanes)])
    said["destination"] = list(given.destination[0 : len(lanes)])
    gone = [i for i in range(len(lanes)) if said["forwarded"] >> i & 1]
    said["egress"] = {i: given.egress[i] for i in gone}
    way_out = list(given.egress[0 : len(lanes)])
    assert said["matched"] == bits([port == hops[0].port for port in way_out])
    said["packed"] = list(given.packed_lane[0 : given.packed])
    assert list(given.packed_bytes[0 : given.packed]) == [given.bytes[i] for i in said["packed"]]
    said["frames"] = [bytes(ffi.buffer(frame))[:-1] for frame in frames]
    for frame, lane in zip(frames, lanes, strict=True):
        assert len(frame) == len(lane.frame) + 1
    return said


def bits(answers: list[bool]) -> int:
    """Return a mask."""
    return sum(1 << i for i, answer in enumerate(answers) if answer)


@pytest.mark.parametrize("variant", w.VECTORS)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.one_of(st.integers(1, 512), st.sampled_from([1, 7, 8, 9, 63, 64, 65, 128, 512])),
    odd=st.sampled_from([0.0, 0.0, 0.02, 0.1, 0.5]),
    sums=st.booleans(),
    odd_hops=st.sampled_from([0.0, 0.1, 0.5]),
    others=st.sampled_from([0, 1, 2, 512]),
    sizes=st.lists(st.sampled_from(SIZES), min_size=1, max_size=8),
)
@settings(max_examples=examples(400))
def test_variants_do_what_the_model_says(
    variant: str,
    seed: int,
    n: int,
    odd: float,
    sums: bool,
    odd_hops: float,
    others: int,  # lanes, most of them at once, whose next hop may not be that of all
    sizes: list[int],
) -> None:
    dice = random.Random(seed)
    lanes = [make_lane(dice, odd, sizes) for _ in range(n)]
    for lane in dice.sample(lanes, max(0, n - others)):
        lane.hop = 0
    hops = [make_hop(dice, odd_hops, 20 + max(sizes)) for _ in range(lib.TR_SIM_HOPS)]
    live = bits([dice.random() >= odd for _ in range(n)])
    said = run(variant, lanes, hops, live, sums=sums)
    lengths = [len(lane.frame) for lane in lanes]
    good = all(lane.verdict == GOOD for lane in lanes)
    assert said["sums"] == (sum(lengths), min(lengths), good)
    assert said["plain"] == bits([lane.is_plain(sums=sums) for lane in lanes])
    assert said["source"] == [int.from_bytes(lane.frame[26:30]) for lane in lanes]
    assert said["destination"] == [int.from_bytes(lane.frame[30:34]) for lane in lanes]
    chosen = [hops[lane.hop] for lane in lanes]
    taken = [
        bool(live >> i & 1) and hop.takes(lane.frame)
        for i, (lane, hop) in enumerate(zip(lanes, chosen, strict=True))
    ]
    assert said["forwarded"] == bits(taken)
    assert said["egress"] == {i: chosen[i].port for i in range(n) if taken[i]}
    assert said["frames"] == [
        hop.forward(lane.frame) if goes else lane.frame
        for lane, hop, goes in zip(lanes, chosen, taken, strict=True)
    ]
    assert said["packed"] == [i for i in range(n) if live >> i & 1]
    check_suspects(said["suspect"], said["source"])


def check_suspects(suspects: int, sources: list[int]) -> None:
    """Whoever has a mark is a suspect; others only if their hash is that of a marked host."""
    hashed = {prefix * 0x9E3779B1 % 2**32 >> 19 for prefix, length in MARKS if length == 32}
    for i, source in enumerate(sources):
        block = any(
            source >> 16 == prefix >> 16 if length > 16 else (source ^ prefix) >> 32 - length == 0
            for prefix, length in MARKS
            if length < 32
        )
        expected = block or source * 0x9E3779B1 % 2**32 >> 19 in hashed
        assert bool(suspects >> i & 1) == expected, hex(source)
