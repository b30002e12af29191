# SPDX-License-Identifier: MIT
"""Ports of an engine that change while it runs: link, switch, MTU, addresses; and their twins."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from tests import packets as p
from tests import worlds as w
from tests.answers import asks, error_to_h1
from tests.dpdk_bed import RingBed, needs_dpdk, on_dpdk, settled, wait_for
from twinroute.config import Config
from twinroute.errors import InputError
from twinroute.reload import reload

pytestmark = [needs_dpdk, pytest.mark.root, pytest.mark.no_sanitizer]

NETNS = f"ports{os.getpid()}"
FRAME = p.ether(w.M1, w.h1, p.ipv4(w.H1, w.A1, p.udp(1024, 9, bytes(32))))


@pytest.fixture(scope="module")
def bed() -> Iterator[RingBed]:
    ring_bed = RingBed(1, prefix="o")
    yield ring_bed
    ring_bed.close()


@pytest.fixture
def engine(bed: RingBed) -> Iterator[Any]:
    bed.collect()
    with bed.engine(slow={"arp_probe": False}) as made:
        made.start()
        yield settled(made)


def with_port(config: Config, name: str, **keys: Any) -> Config:
    """Return the configuration with other keys of a port."""
    old = config.ports[name]
    port = type(old).model_validate(old.model_dump(by_alias=True) | keys)
    return config.model_copy(update={"ports": config.ports | {name: port}})


def change(engine: Any, name: str, **keys: Any) -> None:
    """Bring the engine to a configuration with other keys of a port."""
    new = with_port(engine.config, name, **keys)
    reload(engine, "dpdk", engine.config, new)
    engine.config = new
    settled(engine)


def test_a_route_by_another_port_takes_over(bed: RingBed, engine: Any) -> None:
    engine.route_add("198.18.0.0/16", w.G2, metric=1, preference=1)
    engine.route_add("198.18.0.0/16", w.G3, metric=2, preference=1)
    assert bed.exchange(settled(engine), w.P1, [FRAME])[w.P2]
    bed.rings[w.P2].set_link(up=False)
    try:
        wait_for(lambda: engine.lookup([w.A1])[0].port == w.P3, "the other way")
        out = bed.exchange(settled(engine), w.P1, [FRAME] * 67)
        assert out == {w.P1: [], w.P2: [], w.P3: [p.forwarded(FRAME, w.M3, w.g3)] * 67}
    finally:
        bed.rings[w.P2].set_link(up=True)
    wait_for(lambda: engine.lookup([w.A1])[0].port == w.P2, "the way back")


def test_a_port_goes_down_with_its_link(bed: RingBed, engine: Any) -> None:
    """The other end sees it, and comes back with the port."""
    engine.port_set_up(w.P2, False)
    assert engine.lookup([w.A1])[0].kind in ("via", "none")  # the slow path has heard of it
    assert not engine.port_status(w.P2).enabled
    out = bed.exchange(settled(engine), w.P1, [FRAME])
    assert out == {w.P1: [error_to_h1(p.ip_of(FRAME), 3, 0)], w.P2: [], w.P3: []}
    wait_for(lambda: not engine.port_infos()[1].link_up, "link down")
    engine.port_set_up(w.P2, True)
    wait_for(lambda: engine.port_infos()[1].link_up, "link up")
    wait_for(lambda: engine.port_status(w.P2).usable, "usable")
    assert bed.exchange(settled(engine), w.P1, [FRAME])[w.P2]


def test_an_address_is_added_and_announced(bed: RingBed, engine: Any) -> None:
    change(engine, w.P2, address=[f"{w.R2}/24", "10.7.0.1/24"])
    assert engine.lookup(["10.7.0.1"])[0].kind == "local"
    sent = wait_for(bed.rings[w.P2].collect, "an announcement")
    assert sent[0] == asks(w.P2, "10.7.0.1", sender="10.7.0.1")
    change(engine, w.P2, address=[f"{w.R2}/24"])
    assert engine.lookup(["10.7.0.1"])[0].kind == "none"


def test_the_mtu_changes_as_far_as_buffers_go(bed: RingBed, engine: Any) -> None:
    long = p.ether(w.M1, w.h1, p.ipv4(w.H1, w.A1, bytes(1480), fragment=p.DF))
    change(engine, w.P2, mtu=1000)
    assert [info.mtu for info in engine.port_infos()] == [1500, 1000, 1500]
    assert bed.exchange(engine, w.P1, [long])[w.P2] == []
    change(engine, w.P2, mtu=1600)
    assert bed.exchange(engine, w.P1, [long])[w.P2] == [p.forwarded(long, w.M2, w.g2)]
    before = [engine.port_status(name) for name in (w.P1, w.P2, w.P3)]
    with pytest.raises(InputError, match=r"port\.p2\.mtu = 9000: expected at most \d+, as buffers"):
        change(engine, w.P2, mtu=9000, address=[f"{w.R2}/24", "10.7.0.1/24"])
    assert [engine.port_status(name) for name in (w.P1, w.P2, w.P3)] == before


# --- twins ----------------------------------------------------------------------------------------


def ip(*argv: str) -> Any:
    done = subprocess.run(["ip", "-j", *argv], check=True, capture_output=True, text=True)
    return json.loads(done.stdout or "null")


@pytest.fixture
def twin(bed: RingBed) -> Iterator[Any]:
    """An engine whose p1 has a twin in a namespace of its own."""
    from twinroute.dpdk import Engine

    if shutil.which("ip") is None or not os.path.exists("/dev/net/tun"):
        pytest.skip("no iproute2, or no /dev/net/tun")
    bed.collect()
    ip("netns", "add", NETNS)
    table = {"device": bed.devices[w.P1], "twin": True, "twin_netns": NETNS}
    config = w.bed_config(mtu1=1400, slow={"arp_probe": False})
    with Engine(on_dpdk(config, {**bed.devices, w.P1: table})) as made:
        made.start()
        yield settled(made)
    ip("netns", "delete", NETNS)


def interface() -> dict[str, Any]:
    (link,) = ip("-n", NETNS, "address", "show", "dev", "p1")
    return dict(link)


def test_the_twin_of_a_port_that_is_down_has_no_carrier(bed: RingBed, twin: Any) -> None:
    """RFC 1812 3.3.6: routing software behind it is told so."""
    wait_for(lambda: "LOWER_UP" in interface()["flags"], "carrier")
    twin.port_set_up(w.P1, False)
    wait_for(lambda: "LOWER_UP" not in interface()["flags"], "no carrier")
    twin.port_set_up(w.P1, True)
    wait_for(lambda: "LOWER_UP" in interface()["flags"], "carrier")


def test_the_twin_has_what_the_port_has(bed: RingBed, twin: Any) -> None:
    def addresses() -> set[str]:
        return {f"{one['local']}/{one['prefixlen']}" for one in interface()["addr_info"]}

    assert addresses() == {f"{w.R1}/24"}
    wanted = ["10.1.0.9/24", "10.7.0.1/31", f"{w.R1}/24"]
    change(twin, w.P1, mtu=1300, address=wanted)
    wait_for(lambda: addresses() == set(wanted), "more addresses")
    assert interface()["mtu"] == 1300
    change(twin, w.P1, mtu=1400, address=wanted[:1])
    wait_for(lambda: addresses() == set(wanted[:1]), "one address")
    wait_for(lambda: interface()["mtu"] == 1400, "the MTU")
    change(twin, w.P1, address=[f"{w.R1}/24"])
    wait_for(lambda: addresses() == {f"{w.R1}/24"}, "another address")
