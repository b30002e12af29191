# SPDX-License-Identifier: MIT
"""Links between stations, ports and twins, and their faults."""

from dataclasses import dataclass
from typing import Any

from twinroute.config_rules import RATE_BITS
from twinroute.sim._sim import ffi, lib
from twinroute.sim.frames import Frame, Frames, copy_frames
from twinroute.sim.world import World, argument, check, millionths, picoseconds


@dataclass(frozen=True, kw_only=True)
class Faults:
    """Faults of one direction of a link. Chances are 0 to 1, drawn from the bench's seed."""

    loss: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0  # the frame arrives `reorder_us` late, behind those that follow
    reorder_us: float = 10.0
    corrupt: float = 0.0  # one bit is turned
    up_ms: float = 0.0  # mean times of the link being up and down, exponential;
    down_ms: float = 0.0  # 0: it does not fail by itself

    def fill(self, out: Any) -> None:
        """Fill a struct tr_faults."""
        out.loss_ppm = millionths(self.loss, "loss")
        out.duplicate_ppm = millionths(self.duplicate, "duplicate")
        out.reorder_ppm = millionths(self.reorder, "reorder")
        out.corrupt_ppm = millionths(self.corrupt, "corrupt")
        out.reorder_ps = picoseconds(us=self.reorder_us, name="reorder_us")
        if (self.up_ms > 0) != (self.down_ms > 0):
            raise ValueError("faults: up_ms and down_ms go together")
        out.up_mean_ps = picoseconds(us=self.up_ms * 1000, name="up_ms")
        out.down_mean_ps = picoseconds(us=self.down_ms * 1000, name="down_ms")


@dataclass(frozen=True, kw_only=True)
class LinkCounters:
    """What one direction of a link has seen, in frames."""

    sent: int
    sent_bytes: int
    lost: int
    duplicated: int
    reordered: int
    corrupted: int


@dataclass(frozen=True)
class Link:
    """A link of a bench. Direction 0 is from its first end to its second, 1 the way back."""

    world: World
    id: int

    @property
    def name(self) -> str:
        """Names of both ends."""
        return self.world.links[self.id].name

    def set_up(self, up: bool) -> None:
        """Take the link up or down from now on; frames on a link that is down are lost."""
        check(lib.tr_link_set_up(self.world.pointer, self.id, up), f"link {self.name}")

    @property
    def counters(self) -> tuple[LinkCounters, LinkCounters]:
        """Counters of direction 0 and of direction 1."""
        out = ffi.new("struct tr_link_counters *")
        check(lib.tr_link_counters(self.world.pointer, self.id, out), f"link {self.name}")
        names = LinkCounters.__dataclass_fields__
        first, second = ({name: int(getattr(out, name)[way]) for name in names} for way in (0, 1))
        return LinkCounters(**first), LinkCounters(**second)

    def record(self, direction: int = 0, on: bool = True) -> None:
        """Start or end keeping what is put on the wire in one direction."""
        _direction(direction)
        code = lib.tr_link_record(self.world.pointer, self.id, direction, on)
        check(code, f"link {self.name}")

    def recorded_bulk(self, direction: int = 0) -> Frames:
        """Return what was put on the wire as arrays; times are those of the last bit sent."""
        _direction(direction)
        self.world.at_rest("recorded frames")
        frames = ffi.new("struct tr_frames *")
        code = lib.tr_link_recorded(self.world.pointer, self.id, direction, frames)
        check(code, f"link {self.name}")
        return copy_frames(frames)

    def recorded(self, direction: int = 0) -> list[Frame]:
        """Return what was put on the wire; times are those of the last bit sent."""
        return list(self.recorded_bulk(direction).each())


def _direction(direction: int) -> None:
    """Raise unless this is a direction of a link."""
    if direction not in (0, 1):
        raise ValueError(f"direction={direction}: expected 0 or 1")


def link_config(
    rate: str | int, delay_us: float, faults: Faults | None, back_faults: Faults | None
) -> Any:
    """Make a struct tr_link_config."""
    config = ffi.new("struct tr_link_config *")
    # A configuration has read "unlimited" as 0 already.
    config.bits_per_s = 0 if rate == 0 else argument("rate", rate, RATE_BITS)
    config.delay_ps = picoseconds(us=delay_us, name="delay_us")
    for index, direction in enumerate((faults, back_faults)):
        (direction or Faults()).fill(config.faults[index])
    return config
