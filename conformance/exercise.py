# SPDX-License-Identifier: MIT
"""Whether the cases that claim a requirement do what its observable says.

The observable's words are looked for in what the cases sent and expected: ERR(3/0), FWD(P3), DROP,
a knob's setting, an MTU, octets in hexadecimal, every address that is written out. What is not
found has to stand, with a reason, in not_covered.toml.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

from twinroute.conformance import frames as f
from twinroute.conformance import names as n
from twinroute.conformance.evidence import Round
from twinroute.conformance.requirements import Requirement, requirements
from twinroute.conformance.wanted import DELIVERED, FORWARDED

REFERENCE = re.compile(r"\b(?:[Aa]s|and) (RFC[\w.-]*\d)")
NEVER = re.compile(
    r"\bnever \S+|\bRFC[\w.-]*\d|\(?ERR\(\d+/\d+\) (?:allowed|permitted)|\(not \S+\)"
)
ADDRESS = re.compile(r"(?<![\d.])(\d+\.\d+\.\d+\.\d+)(/\d+)?")
NAMED = {"U": n.U, "A1": n.A1, "H2": n.H2}


@dataclass
class Done:
    """What some cases did, put together for looking things up."""

    rounds: list[Round]
    octets: bytes = b""
    setups: str = ""
    ttls: set[int] = field(default_factory=set)

    @classmethod
    def of(cls, rounds: Iterable[Round]) -> "Done":
        """Put rounds together."""
        done = cls(list(rounds))
        frames = [one.data for round_ in done.rounds for one in round_.sent]
        frames += [one.data for round_ in done.rounds for one in round_.wanted]
        frames += [one.data for round_ in done.rounds if round_.collected for one in round_.got]
        done.octets = b"|".join(dict.fromkeys(frames))
        done.setups = " ".join({repr(round_.setup): "" for round_ in done.rounds})
        done.ttls = {frame[22] for frame in frames if f.is_ipv4(frame)}
        return done

    def sends_to(self, place: str) -> bool:
        """Tell whether a frame was sent into a place."""
        return any(one.place == place for round_ in self.rounds for one in round_.sent)

    @cached_property
    def expected(self) -> set[tuple[str, str, tuple[int, int] | None]]:
        """What was expected, or judged by the case: place, kind, type and code of ICMP."""
        found = set()
        for round_ in self.rounds:
            for wanted in round_.wanted:
                for one in (wanted, *wanted.others):
                    found.add((one.place, one.kind, one.about.get("icmp")))
            for got in round_.got if round_.collected else ():
                packet = f.ip_of(got.data) if f.is_ipv4(got.data) else b""
                message = packet[f.header_length(packet) :] if packet[9:10] == b"\1" else b""
                kind = DELIVERED if got.place in n.TWINS else FORWARDED
                found.add((got.place, kind, (message[0], message[1]) if message else None))
        return found

    def expects_icmp(self, kind: int, code: int) -> bool:
        """Tell whether an ICMP message was expected."""
        return any(icmp == (kind, code) for _, _, icmp in self.expected)

    def expects(self, kind: str, place: str = "") -> bool:
        """Tell whether a frame of a kind was expected, anywhere or at a place."""
        return any(kind == one and place in ("", where) for where, one, _ in self.expected)

    def is_silent_once(self) -> bool:
        """Tell whether something was sent and nothing had to come of it."""
        return any(
            round_.sent
            and not (
                round_.got
                if round_.collected
                else [one for one in round_.wanted if not one.optional]
            )
            for round_ in self.rounds
        )

    def knob(self, name: str, value: str) -> bool:
        """Tell whether a knob was turned to a value."""
        return any(
            setting == value and name in knob.replace("-", "_")
            for round_ in self.rounds
            if round_.setup
            for knob, setting in round_.setup.knobs.items()
        )

    def mtu(self, port: str, value: int) -> bool:
        """Tell whether a port had an MTU."""
        return any(round_.setup and round_.setup.mtu.get(port) == value for round_ in self.rounds)


def observable(requirement: Requirement, seen: frozenset[str] = frozenset()) -> str:
    """Return what is to be observed, with what "As RFC..." refers to."""
    text = requirement.observable
    known = requirements()
    parts = [text]
    for name in REFERENCE.findall(text):
        if name in known and name not in seen:
            parts.append(observable(known[name], seen | {requirement.id}))
    return NEVER.sub("", " ".join(parts))


def unexercised(requirement: Requirement, rounds: Iterable[Round]) -> list[str]:
    """Return the words of a requirement's observable that cases did nothing about."""
    done = Done.of(rounds)
    text = observable(requirement)
    return list(dict.fromkeys(word for word, found in _words(text, done) if not found))


def _words(text: str, done: Done) -> Iterator[tuple[str, bool]]:
    """Yield each word of an observable that can be checked, and whether it was done."""
    for kind, code in re.findall(r"(?<!no )ERR\((\d+)/(\d+)\)", text):
        yield f"ERR({kind}/{code})", done.expects_icmp(int(kind), int(code))
    for port in re.findall(r"FWD\(P(\d)\)", text):
        yield f"FWD(P{port})", done.expects(FORWARDED, f"p{port}")
    if re.search(r"\bFWD\b(?!\()", text):
        yield "FWD", done.expects(FORWARDED)
    if re.search(r"\bDROP\b(?! (?:of the packet )?and (?:one )?ERR)", text):
        yield "DROP", done.is_silent_once()
    if re.search(r"(?:one|normal) echo reply", text):
        yield "echo reply", done.expects_icmp(0, 0)
    if "one copy on the twin" in text:
        yield "the twin", done.expects(DELIVERED)
    for port in re.findall(r"\bin P(\d)", text):
        yield f"in P{port}", done.sends_to(f"p{port}")
    for port, mtu in re.findall(r"P(\d) MTU (\d+)", text):
        yield f"P{port} MTU {mtu}", done.mtu(f"p{port}", int(mtu))
    for names, value in re.findall(r"([\w-]+(?: and [\w-]+)?) knobs? = (\w+)", text):
        for name in names.lower().split(" and "):
            if name not in ("option", "options"):
                yield f"{name} knob = {value}", done.knob(name.replace("-", "_"), value)
    for ttl in re.findall(r"\bTTL (\d+)", text):
        yield f"TTL {ttl}", int(ttl) in done.ttls
    yield from _addresses(text, done)
    for octets in re.findall(r"\b[0-9a-f]{2}(?: [0-9a-f]{2}){2,}\b", text):
        yield octets, bytes.fromhex(octets) in done.octets


def _addresses(text: str, done: Done) -> Iterator[tuple[str, bool]]:
    """Yield the addresses that an observable writes out or names."""
    for address, bits in ADDRESS.findall(text):
        if all(int(part) < 256 for part in address.split(".")):
            found = f.address_bytes(address) in done.octets or address in done.setups
            yield address + bits, found or (not bits and _is_mask(address))
    for name, address in NAMED.items():
        if re.search(rf"\b{name}\b", text):
            yield name, f.address_bytes(address) in done.octets


def _is_mask(address: str) -> bool:
    return address.startswith("255.") and address.endswith(".0")
