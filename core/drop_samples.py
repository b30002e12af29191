# SPDX-License-Identifier: MIT
"""Samples of the packets that a router drops, on any backend (core/queues/drop_log.h)."""

from collections.abc import Iterable
from dataclasses import dataclass

from twinroute.config_errors import as_toml, place_text
from twinroute.errors import ConfigError
from twinroute.native import Native
from twinroute.router_api import RouterApi


@dataclass(frozen=True)
class DropSample:
    """A packet that was dropped, with the first bytes of its frame."""

    reason: str
    port: str  # by which it came, "-": made by the router
    size: int  # bytes of the frame
    data: bytes


def check_reasons(native: Native, names: Iterable[str], source: str) -> None:
    """Demand that these are drop reasons. Raises ConfigError.

    source: of the configuration that has them in log.drops.
    """
    known = [one.name for one in native.drops if not one.consumed]
    problems = [
        f"{source}: {place_text(('log', 'drops', index))} = {as_toml(name)}: expected one of the"
        f" drop reasons: {', '.join(known)}"
        for index, name in enumerate(names)
        if name not in known
    ]
    if problems:
        raise ConfigError(problems)


def sample_drops(router: RouterApi, names: Iterable[str]) -> None:
    """Sample packets that are dropped for these reasons from now on, and no others."""
    native = router.native
    numbers = {one.name: number for number, one in enumerate(native.drops)}
    mask = sum(1 << numbers[name] for name in set(names))
    words = native.ffi.new("uint64_t[]", native.lib.TR_DROP_WORDS)
    for index in range(len(words)):
        words[index] = mask >> 64 * index & 2**64 - 1
    native.lib.tr_router_sample_drops(router.info.pointer, words)


def drop_samples(router: RouterApi) -> tuple[list[DropSample], int]:
    """Take the samples since the last call, and how many packets have been missed ever."""
    native = router.native
    rings = router.info.units + 1  # the slow path has two
    out = native.ffi.new("struct tr_drop_sample[]", rings * native.lib.TR_DROP_SAMPLES)
    missed = native.ffi.new("uint64_t *")
    count = native.lib.tr_router_drop_samples(router.info.pointer, out, len(out), missed)
    ports = router.info.ports
    samples = [
        DropSample(
            reason=native.drops[one.reason].name,
            port=ports[one.port] if one.port < len(ports) else "-",
            size=int(one.bytes),
            data=bytes(native.ffi.buffer(one.data, one.copied)),
        )
        for one in out[0:count]
    ]
    return samples, int(missed[0])
