# SPDX-License-Identifier: MIT
"""`[dpdk]` in the configuration, EAL's command line made of it, and where the units run."""

from pathlib import Path
from typing import Any

import pytest

from twinroute.config import Config, build_config
from twinroute.errors import ConfigError

PORTS = {
    "p0": {"address": "10.0.0.1/24"},
    "p1": {"address": "10.0.1.1/24", "mac": "02:00:00:00:00:01"},
}


def config(dpdk: dict[str, Any], **tables: Any) -> Config:
    return build_config({"port": PORTS, "dpdk": dpdk, **tables}, "x.toml")


def devices(**more: Any) -> dict[str, Any]:
    tables: dict[str, Any] = {"p0": {"device": "0000:03:00.0"}, "p1": {"device": "net_tap1"}}
    for name, table in more.items():
        tables[name] = {**tables.get(name, {}), **table}
    return {"port": tables}


def refusal(dpdk: dict[str, Any], **tables: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        config(dpdk, **tables)
    (line,) = caught.value.problems
    return line


def test_defaults():
    dpdk = config(devices()).dpdk
    assert (dpdk.hugepages, dpdk.cores, dpdk.slow_core) == (True, [], None)
    assert dpdk.port["p0"].keep_mac is True
    assert dpdk.port["p1"].keep_mac is False  # [port.p1] has one
    assert (dpdk.port["p0"].twin, dpdk.port["p0"].twin_name) == (False, "p0")


def test_no_section_is_needed():
    assert config({}).dpdk.port == {}


@pytest.mark.parametrize(
    ("dpdk", "line"),
    [
        (
            devices(p1={"device": "0000:03:00.0,x=1"}),
            'dpdk.port.p1.device = "0000:03:00.0,x=1": expected another device:'
            " dpdk.port.p0 has this one",
        ),
        (
            devices(p0={"twin": True, "twin_name": "t"}, p1={"twin": True, "twin_name": "t"}),
            'dpdk.port.p1.twin_name = "t": expected another name: dpdk.port.p0 has this one',
        ),
        (
            devices(p9={"device": "net_null0"}),
            'dpdk.port.p9 = {device = "net_null0"}: expected a port of this configuration: p0, p1',
        ),
        (
            {**devices(), "cores": [1, 2]},
            "dpdk.cores = [1, 2]: expected a CPU for each of the 1 units of [fast_path]",
        ),
        (
            devices(p0={"rx_descriptors": 1}),
            "dpdk.port.p0.rx_descriptors = 1: expected an integer from 16 to 32768",
        ),
        (
            {"port": {"p0": {"device": "net_tap0"}}},
            'dpdk.port = {p0 = {device = "net_tap0"}}: expected a device for every port,'
            " none for p1",
        ),
        (
            {"slow_core": "2"},
            'dpdk.slow_core = "2": expected an integer from 0 to 1023',
        ),
    ],
)
def test_refusals(dpdk: dict[str, Any], line: str):
    assert refusal(dpdk) == f"x.toml: {line}"


IN_THE_WAY = [
    ("0000:03:00.0", "03:00.0", "this one"),
    ("0000:03:00.0", "0000:03:00.0,x=1", "this one"),
    ("0000:AF:00.0", "0000:af:00.0", "this one"),
    ("00000000:03:00.0", "0000:03:00.0", "this one"),
    ("net_tap0", "vdev:net_tap0", "this one"),
    ("net_af_packet0,iface=veth0", "net_af_packet1,iface=veth0", "interface veth0"),
    ("net_af_packet0,iface=veth0", "net_af_xdp1,start_queue=1,iface=veth0", "interface veth0"),
    ("net_af_packet0,iface=veth0", "eth_af_packet1,iface=veth0", "interface veth0"),
    ("net_pcap0,rx_iface=a,tx_iface=b", "net_pcap1,iface=b", "interface b"),
    ("net_tap0,iface=tap0", "net_tap1,iface=tap0", "interface tap0"),
    ("net_tap0,iface=t,remote=veth0", "net_af_packet0,iface=veth0", "interface veth0"),
    ("net_memif0", "net_memif1,id=0,role=slave", "memif 0 of /run/memif.sock as client"),
    (
        "net_memif0,role=server,id=7,socket=/tmp/m.sock",
        "net_memif1,socket=/tmp/m.sock,id=7,role=master",
        "memif 7 of /tmp/m.sock as server",
    ),
    (
        "net_memif0,socket=/tmp/m.sock,socket-abstract=no",
        "net_memif1,socket=/tmp//m.sock,socket-abstract=no",
        "memif 0 of /tmp/m.sock as client",
    ),
    ("net_vhost0,iface=/tmp/v", "net_vhost1,queues=2,iface=/tmp/v", "vhost socket /tmp/v"),
    ("net_virtio_user0,path=/tmp/v", "virtio_user1,path=/tmp/v", "virtio_user socket /tmp/v"),
    (
        "net_virtio_user0,path=/dev/vhost-net,iface=v0",
        "net_virtio_user1,path=/dev/vhost-net,iface=v0",
        "interface v0",
    ),
]


@pytest.mark.parametrize(("first", "second", "what"), IN_THE_WAY)
def test_one_device_for_two_ports(first: str, second: str, what: str):
    line = refusal(devices(p0={"device": first}, p1={"device": second}))
    expected = f"expected another device: dpdk.port.p0 has {what}"
    assert line == f'x.toml: dpdk.port.p1.device = "{second}": {expected}'


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("0000:03:00.0", "0000:03:00.1"),
        ("0000:03:00.0", "0001:03:00.0"),
        ("net_tap0", "net_tap1"),
        ("net_af_packet0,iface=a", "net_af_packet1,iface=b"),
        ("net_pcap0,rx_pcap=in.pcap", "net_pcap1,rx_pcap=in.pcap"),
        ("net_memif0,id=0", "net_memif1,id=1"),
        ("net_memif0,socket=/tmp/a", "net_memif1,socket=/tmp/b"),
        ("net_memif0,role=server", "net_memif1,role=client"),
        ("net_null0,size=64", "net_null1,size=64"),
        ("net_virtio_user0,path=/dev/vhost-net", "net_virtio_user1,path=/dev/vhost-net"),
    ],
)
def test_two_devices(first: str, second: str):
    config(devices(p0={"device": first}, p1={"device": second}))


def test_same_twin_name_in_two_namespaces():
    config(
        devices(
            p0={"twin": True, "twin_name": "t"},
            p1={"twin": True, "twin_name": "t", "twin_netns": "other"},
        )
    )


# --- what is made of it ---------------------------------------------------------------------------

needs_dpdk = pytest.mark.usefixtures("dpdk")


@pytest.fixture
def dpdk() -> None:
    pytest.importorskip("twinroute.dpdk._dpdk")


@needs_dpdk
def test_command_line():
    from twinroute.dpdk import eal

    words = eal.arguments(config(devices() | {"file_prefix": "x", "eal_args": ["--foo"]}))
    assert words[1:4] == ["--no-telemetry", "--file-prefix=x", "--lcores=0"]
    assert words[words.index("-a") + 1] == "0000:03:00.0"
    assert "--no-pci" not in words
    assert "--in-memory" in words
    assert words[-1] == "--foo"
    words = eal.arguments(config({"hugepages": False, "memory_mb": 77}))
    assert {"--no-huge", "--no-shconf", "--no-pci"} <= set(words)
    assert words[words.index("-m") + 1] == "77"


@needs_dpdk
@pytest.mark.parametrize(
    ("allowed", "options", "cpus", "alone"),
    [
        ({0, 1, 2, 3}, {}, [1, 2, 3], [True] * 3),
        ({0, 1}, {}, [-1, -1, -1], [False] * 3),  # too few: none is bound
        ({0, 1, 2, 3}, {"cores": [2, 3]}, [2, 3, 1], [True] * 3),
        ({0, 1, 2, 3}, {"slow_core": 0}, [1, 2, 0], [True] * 3),
        ({0, 1}, {"cores": [1, 1], "slow_core": 0}, [1, 1, 0], [False, False, True]),
    ],
)
def test_placement(allowed: set[int], options: dict[str, Any], cpus: list[int], alone: list[bool]):
    from twinroute.dpdk.placement import place

    placed = place(2, [-1, -1], allowed=allowed, **options)
    assert (placed.cpus, placed.alone) == (cpus, alone)


@needs_dpdk
def test_placement_on_the_node_of_the_ports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from twinroute.dpdk import placement

    (tmp_path / "node1").mkdir()
    (tmp_path / "node1" / "cpulist").write_text("4-5,7\n")
    assert placement.cpus_of_node(1, tmp_path) == {4, 5, 7}
    assert placement.cpus_of_node(9, tmp_path) == set()
    monkeypatch.setattr(placement, "cpus_of_node", lambda node: {4, 5, 7})
    placed = placement.place(2, [1, 1, 0], allowed=set(range(8)))
    assert placed.cpus == [4, 5, 7]
