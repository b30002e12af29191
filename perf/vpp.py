# SPDX-License-Identifier: MIT
"""VPP on the same ports, where its `vpp` is in the PATH.

It has to have its DPDK plugin, linked to DPDK's shared libraries, as the source of the frames is a
plugin of those: configured by -DVPP_USE_SYSTEM_DPDK=ON. It takes no option of EAL's for plugins,
so they are loaded before it.
"""

import shutil
from typing import TYPE_CHECKING

from twinroute.perf.processes import Rate

if TYPE_CHECKING:
    from twinroute.perf.rivals import Course

COMMAND = "vpp"
# Its threads go to the CPUs that all applications get: one forwards.
STARTUP = """
unix {{ nodaemon exec {setup} runtime-dir {folder} }}
cpu {{ main-core {first} corelist-workers {last} }}
memory {{ main-heap-size 2G }}
statseg {{ size 512M }}
buffers {{ buffers-per-numa {buffers} }}
plugins {{ plugin default {{ disable }} plugin dpdk_plugin.so {{ enable }} }}
dpdk {{ dev default {{ num-rx-desc 512 num-tx-desc 512 }} no-pci no-multi-seg {devices} }}
"""
# The names of a device that it has no special name for.
PORT = """
set interface ip address Ethernet{port} 10.0.{port}.1/24
set ip neighbor Ethernet{port} 10.0.{port}.2 02:00:00:00:00:0{station}
"""
ROUTE = "ip route add {prefix} via 10.0.{port}.2 Ethernet{port}"
BUFFERS = 16384


def is_here() -> bool:
    """Tell whether it is installed."""
    return shutil.which(COMMAND) is not None


def measure_vpp(course: "Course") -> Rate:
    """Measure it; without a table all leaves by the second port. Frames come when all is set up."""
    routes = [ROUTE.format(prefix="0.0.0.0/0", port=1)]
    if course.routes is not None:
        prefixes = course.route_file.read_text().split()
        routes += (
            ROUTE.format(prefix=prefix, port=course.port_of(i)) for i, prefix in enumerate(prefixes)
        )
    setup = "".join(PORT.format(port=port, station=port + 2) for port in (0, 1))
    setup += "\n".join(routes) + "\n"
    setup += "".join(f"set interface state Ethernet{port} up\n" for port in (1, 0))
    (course.folder / "vpp.setup").write_text(setup)
    first, last = course.cpus
    startup = course.folder / "vpp.conf"
    startup.write_text(
        STARTUP.format(
            setup=course.folder / "vpp.setup",
            folder=course.folder,
            first=first,
            last=last,
            buffers=BUFFERS,
            devices=" ".join(f"vdev {name}" for name in course.names),
        )
    )
    preload = ":".join(str(path) for path in course.devices.plugins)
    return course.run([COMMAND, "-c", str(startup)], {"LD_PRELOAD": preload})
