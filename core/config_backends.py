# SPDX-License-Identifier: MIT
"""The tables of the configuration that count on one backend only."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict

from twinroute import config_rules
from twinroute.config_rules import Expected, choice, integer, number

NeighborMode = Literal["answer", "silent"]
PortName = Annotated[str, config_rules.name(15, "a port's name")]


class Table(BaseModel):
    """A table of the file: no key but the known ones, and no change once it is read."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class SimPort(Table):
    """`[sim.port.NAME]`: the link and the NIC of a port, in the simulator only.

    rate: bit/s, 0 for unlimited. delay_us: of the link, in µs. descriptors: frames of a queue.
    """

    rate: Annotated[int, config_rules.RATE_BITS] = 10**10
    delay_us: Annotated[float, number(0, 1e9, "µs")] = 0.0
    rx_descriptors: Annotated[int, integer(1, 65536)] = 512
    tx_descriptors: Annotated[int, integer(1, 65536)] = 512
    checksum_verdict: Annotated[bool, config_rules.FLAG] = True
    rss_symmetric: Annotated[bool, config_rules.FLAG] = False
    filters: Annotated[bool, config_rules.FLAG] = False


class Sim(Table):
    """`[sim]`: the world around the router, in the simulator only.

    profile: a name, or the path of a TOML file. buffers: packet buffers. Every port has a SimPort.
    """

    seed: Annotated[int, integer(0, 2**64 - 1)] = 1
    profile: Annotated[str, config_rules.PROFILE] = "functional"
    buffers: Annotated[int, integer(64, 1 << 24)] = 16384
    neighbors: Annotated[NeighborMode, choice("answer", "silent")] = "answer"
    port: Annotated[dict[PortName, SimPort], Expected("tables [sim.port.NAME]")] = {}


class DpdkPort(Table):
    """`[dpdk.port.NAME]`: the device of a port and its twin, on DPDK only.

    device: PCI address, vdev with arguments, or the name of a device that EAL has. keep_mac: use
    the device's own MAC address; by default so if [port.NAME] has no `mac`. twin: a TAP named
    twin_name (the port's name) in the network namespace twin_netns (the process's own).
    """

    device: Annotated[str, config_rules.DEVICE]
    rx_descriptors: Annotated[int, integer(16, 32768)] = 512
    tx_descriptors: Annotated[int, integer(16, 32768)] = 512
    keep_mac: Annotated[bool | None, config_rules.FLAG] = None
    twin: Annotated[bool, config_rules.FLAG] = False
    twin_name: Annotated[str, config_rules.name(15, "an interface's name")] = ""
    twin_netns: Annotated[str, config_rules.NETNS] = ""


class Dpdk(Table):
    """`[dpdk]`: what the router runs on, on DPDK only.

    memory_mb: for EAL, MiB. buffers: packet buffers of a NUMA node. 0: enough for the queues.
    cores: a CPU for each fast-path unit; slow_core: for the slow path. Without them the units take
    CPUs of the ports' NUMA node, or share what there is. drain_ms: most time to stop in.
    """

    hugepages: Annotated[bool, config_rules.FLAG] = True
    memory_mb: Annotated[int, integer(0, 1 << 20, "MiB")] = 0
    buffers: Annotated[int, integer(0, 1 << 24)] = 0
    file_prefix: Annotated[str, config_rules.name(63, "a file prefix")] = "twinroute"
    cores: Annotated[
        list[Annotated[int, integer(0, 1023)]], Expected("a list of CPU numbers from 0 to 1023")
    ] = []
    slow_core: Annotated[int | None, integer(0, 1023)] = None
    drain_ms: Annotated[int, integer(0, 60_000, "ms")] = 200
    log: Annotated[bool, config_rules.FLAG] = False
    eal_args: Annotated[
        list[Annotated[str, config_rules.TEXT]], Expected("a list of EAL's command-line options")
    ] = []
    port: Annotated[dict[PortName, DpdkPort], Expected("tables [dpdk.port.NAME]")] = {}
