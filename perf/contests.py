# SPDX-License-Identifier: MIT
"""What is measured on DPDK ports, by name: tables, packets, and how the router is set up."""

from dataclasses import dataclass

from twinroute.perf.selection import (
    ALL_24S,
    INTERNET,
    NONE,
    ONE,
    RANDOM,
    SLASH24S,
    UNIFORM,
    ZIPF,
)

ALL_BURSTS = (16, 32, 64, 128, 256, 512)
BURSTS = (64, 128, 256)
ONE_DESTINATION, RANDOM_24, COMPLEX_10 = "one destination", "random 24 bits", "10 % complex"
SOFTWARE, TWO_UNITS = "checksum by software", "two units"
COMPACT = ", compact"


@dataclass(frozen=True)
class Contest:
    """Packets for one or several applications, and the router's settings."""

    table: str = NONE
    to: str = ONE
    bursts: tuple[int, ...] = (64,)  # of the router's
    l3fwd: tuple[str, ...] = ()  # lookups by which l3fwd takes part, and testpmd with it
    expired_every: int = 0
    imix: bool = False
    verdict: bool = True  # the NIC tells whether the checksum is right
    units: int = 1
    ways: int = 2  # ports that the table's routes leave by in turn; of one, the second
    gateways: int = 1  # of each route
    rules: int = 0  # of the packet filter; no packet meets one
    lpm: str = "dir24_8"

    @property
    def is_plain(self) -> bool:
        """Whether any driver can send these packets, given the destinations."""
        return not self.expired_every and not self.imix and self.verdict


def contests(*, big: bool = False) -> dict[str, Contest]:
    """Return the selection: every name once. big: 2^24 routes too, which take GB of memory.

    l3fwd takes large tables by rte_fib only: rte_lpm compares each new route with all others.
    """
    found = {
        ONE_DESTINATION: Contest(bursts=ALL_BURSTS, l3fwd=("lpm", "fib")),
        RANDOM_24: Contest(to=RANDOM, bursts=BURSTS, l3fwd=("lpm", "fib")),
        SLASH24S: Contest(SLASH24S, UNIFORM, BURSTS, l3fwd=("fib",)),
        SLASH24S + COMPACT: Contest(SLASH24S, UNIFORM, BURSTS, lpm="compact"),
        INTERNET: Contest(INTERNET, UNIFORM, BURSTS, l3fwd=("fib",)),
        INTERNET + COMPACT: Contest(INTERNET, UNIFORM, BURSTS, lpm="compact"),
        f"{INTERNET}, one way": Contest(INTERNET, UNIFORM, l3fwd=("fib",), ways=1),
        f"{INTERNET}, Zipf": Contest(INTERNET, ZIPF),
        f"{INTERNET}, Zipf{COMPACT}": Contest(INTERNET, ZIPF, lpm="compact"),
        "IMIX": Contest(imix=True),
        "1 % complex": Contest(expired_every=100),
        COMPLEX_10: Contest(expired_every=10),
        "four gateways a route": Contest(gateways=4),
        "16 rules": Contest(rules=16),
        SOFTWARE: Contest(verdict=False),
        TWO_UNITS: Contest(units=2),
        f"{INTERNET}, {TWO_UNITS}": Contest(INTERNET, UNIFORM, units=2),
    }
    if big:
        for more, lpm in (("", "dir24_8"), (COMPACT, "compact")):
            found[ALL_24S + more] = Contest(ALL_24S, UNIFORM, BURSTS, ways=1, lpm=lpm)
        found[f"{ALL_24S}, two ways"] = Contest(ALL_24S, UNIFORM)
    return found
