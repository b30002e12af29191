# SPDX-License-Identifier: MIT
"""RFC 7126: what becomes of packets by the kinds of option that they carry."""

import logging

from twinroute.conformance.kit import (
    A1,
    ALONE,
    DROP,
    ERR,
    FWD,
    H2,
    MAYBE,
    P1,
    P2,
    PORT,
    R1,
    R2,
    TWIN,
    ConfigBed,
    T,
    Testbed,
    case,
    config_case,
    g2,
    h2,
)
from twinroute.conformance.options import STREAM_ID, loose, padded, strict

UNKNOWN = b"\x1f\4ab"


def _of_type(kind: int, length: int) -> bytes:
    """Return an option with some octets."""
    return padded(bytes([kind, length]) + bytes(range(length - 2)))


@case("RFC7126-4.1.5-1", "RFC7126-4.2.5-1")
def padding_is_no_reason_to_drop(t: Testbed) -> None:
    """End of option list and No-operations alone are forwarded as they are."""
    for options in (bytes(4), bytes(40), b"\1" * 4, b"\1" * 40, b"\1" * 39 + b"\0"):
        packet = T(options=options)
        t.send(P1, packet)
        t.expect(FWD(packet), note=options.hex())


@case("RFC7126-4.3-1", "RFC7126-4.3-2")
def two_source_routes_are_dropped(t: Testbed) -> None:
    """Two loose ones, or one of each kind: not forwarded, whatever the knob says."""
    for setting in ("drop", "ignore", "process"):
        t.configure(knobs={"source_route": setting})
        reason = "source_route" if setting == "drop" else "two_source_routes"
        for first, second in ((loose, loose), (loose, strict), (strict, loose), (strict, strict)):
            for dst in (R1, A1):
                packet = T(dst=dst, options=first(A1) + b"\1" + second(A1))
                problem = () if setting == "drop" else (MAYBE(ERR(packet, 12, 0, 28 << 24)),)
                t.send(P1, packet)
                note = f"{setting}: {first.__name__}, {second.__name__}, to {dst}"
                t.expect(*problem, drop=reason, note=note)


@case("RFC7126-4.3.5-1", "RFC7126-4.4.5-1")
def source_routes_have_three_settings(t: Testbed) -> None:
    """Drop, ignore, process: for the loose and for the strict one, each by itself."""
    for knob, make, other in (
        ("loose_source_route", loose, strict),
        ("strict_source_route", strict, loose),
    ):
        for setting in ("drop", "ignore", "process"):
            t.configure(knobs={knob: setting})
            to, mac = (H2, h2) if make is strict else (A1, g2)
            local, transit = T(dst=R1, options=make(to)), T(dst=A1, options=make(A1))
            note = f"{knob} = {setting}"
            t.send(P1, local)
            if setting == "drop":
                t.expect(DROP, drop="source_route", note=note)
                t.send(P1, transit)
                t.expect(DROP, drop="source_route", note=note)
            elif setting == "ignore":
                t.expect(TWIN(local), note=note)
                t.send(P1, transit)
                t.expect(FWD(transit), note=note)
            else:
                wanted = padded(make(R2, pointer=8))
                t.expect(FWD(local, to=mac, dst=to, options=wanted), note=note)
            t.send(P1, T(dst=R1, options=other(H2)))
            t.expect(DROP, drop="source_route", note=f"{note}, the other kind")


DROPPED = (
    *(("stream_id", STREAM_ID),),
    *(("obsolete_option", _of_type(kind, 4)) for kind in (11, 12)),
    ("obsolete_option", _of_type(82, 12)),
    ("obsolete_option", _of_type(142, 4)),
    ("obsolete_option", _of_type(145, 12)),
    ("obsolete_option", _of_type(147, 10)),
    ("obsolete_option", _of_type(149, 7)),
    ("obsolete_option", _of_type(151, 9)),
    ("obsolete_option", _of_type(152, 6)),
    *(("experimental_option", _of_type(kind, 4)) for kind in (30, 94, 158, 222)),
)


@case("RFC7126-4.6.5-1", "RFC7126-4.9.5-1", "RFC7126-4.22.5-1")
def options_dropped_by_default(t: Testbed) -> None:
    """Stream Identifier, what is obsolete, and what is for experiments: silently, and counted."""
    for reason, options in DROPPED:
        t.send(P1, T(options=options))
        t.expect(DROP, drop=reason, note=f"type {options[0]}")
        t.send(P1, T(options=b"\1\1" + options))
        t.expect(DROP, drop=reason, note=f"type {options[0]} behind NOPs")


@case("RFC7126-4.8.5-1", "RFC7126-4.12.5-1", "RFC7126-4.21.5-1")
def options_carried_by_default(t: Testbed) -> None:
    """Router Alert, Quick-Start and the security options: forwarded as they are, to nobody else."""
    for options in (
        bytes.fromhex("94040000"),
        _of_type(25, 8),
        _of_type(130, 11),
        _of_type(133, 4),
        _of_type(134, 12),
    ):
        packet = T(options=options)
        t.send(P1, packet)
        t.expect(FWD(packet), note=f"type {options[0]}")


@case("RFC7126-4.23.4-1")
def unknown_options_have_a_knob(t: Testbed) -> None:
    """Ignored and forwarded by default; with "drop" they are dropped and counted."""
    others = (bytes.fromhex("94040000"), _of_type(130, 11), b"\1" * 4)
    for knobs in ({}, {"unknown_option": "ignore"}, {"unknown_option": "drop"}):
        t.configure(knobs=knobs)
        drop = knobs.get("unknown_option") == "drop"
        for options in (UNKNOWN, b"\x9f\4ab", b"\2\2\0\0"):
            packet = T(options=options)
            t.send(P1, packet)
            t.expect(DROP if drop else FWD(packet), drop="unknown_option" if drop else None)
        for options in others:
            packet = T(options=options)
            t.send(P1, packet)
            t.expect(FWD(packet), note=f"known type {options[0]}")


class _Lines(logging.Handler):
    """Counts what is logged."""

    count = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Count a line."""
        self.count += 1


@case("RFC7126-4.23.4-2", bursts=ALONE, wait_ms=4000)
def drops_of_options_are_counted_not_logged(t: Testbed) -> None:
    """10,000 packets/s for 2 s: each is counted, hardly any is logged, and others are forwarded."""
    t.configure(knobs={"unknown_option": "drop"})
    bad, good = T(options=UNKNOWN), T()
    lines = _Lines()
    logging.getLogger().addHandler(lines)
    try:
        for _ in range(200):
            t.send(P1, *[bad] * 50, good, *[bad] * 50)
            t.run(ms=10)
        out = t.collect(count=200)
    finally:
        logging.getLogger().removeHandler(lines)
    wanted = FWD(good)
    t.check(len(out[P2]) == 200, f"{len(out[P2])} good packets of 200")
    t.check(not any(wanted.problems(frame) for frame in out[P2]), "they are forwarded as usual")
    t.check(not any(out[place] for place in out if place != P2), "and nothing else comes out")
    t.check(t.dropped() in ({}, {"unknown_option": 20_000}), f"all are counted: {t.dropped()}")
    t.check(lines.count <= 20, f"{lines.count} lines logged in 2 s")


# --- configuration --------------------------------------------------------------------------------


@config_case("RFC1812-5.3.13.4-2", "RFC7126-4.8.5-2")
def options_have_settings(c: ConfigBed) -> None:
    """Source routes and Router Alert each have a setting: drop, ignore, process, nothing else."""
    for key, default in (
        ("loose_source_route", "drop"),
        ("strict_source_route", "drop"),
        ("router_alert", "ignore"),
    ):
        c.check(getattr(c.accepts(PORT).options, key) == default, f"{key} is {default} by default")
        for setting in ("drop", "ignore", "process"):
            config = c.accepts(f'{PORT}\n[options]\n{key} = "{setting}"\n')
            c.check(getattr(config.options, key) == setting, f"{key} is {setting}")
        c.refuses(f'{PORT}\n[options]\n{key} = "reject"\n', key, "drop", "ignore", "process")
