# SPDX-License-Identifier: MIT
"""FastClick on the same ports, where its `click` is in the PATH.

It has to be linked to DPDK's shared libraries, as the source of the frames is a plugin of those:
configured by --enable-dpdk --enable-dpdk-pool --enable-zerocopy --enable-user-multithread
--enable-local --disable-linuxmodule, and `pkg-config --libs libdpdk` in the place of the static
libraries that it would link.
"""

import shutil
from typing import TYPE_CHECKING

from twinroute.perf.processes import Rate

if TYPE_CHECKING:
    from twinroute.perf.rivals import Course

CLICK = "click"
BUFFERS = 65536  # its receive queues alone want 40960

# What any router has to check and to change.
PORT = """
FromDPDKDevice({port}, BURST {burst}, MAXTHREADS 1)
  -> Classifier(12/0800) -> Strip(14) -> CheckIPHeader(CHECKSUM true) -> routes;
routes[{port}] -> DecIPTTL -> EtherEncap(0x0800, 02:00:00:00:01:0{port}, 02:00:00:00:00:0{station})
  -> ToDPDKDevice({port}, BURST {burst}, BLOCKING false);
"""


def is_here() -> bool:
    """Tell whether it is installed."""
    return shutil.which(CLICK) is not None


def measure_fastclick(course: "Course", *, burst: int) -> Rate:
    """Measure it; without a table all leaves by the second port."""
    lines = ["0.0.0.0/0 1"]
    if course.routes is not None:
        words = course.route_file.read_text().split()
        lines += (f"{line} {course.port_of(i)}" for i, line in enumerate(words))
    text = f"DPDKInfo(NB_MBUF {BUFFERS});\nroutes :: DirectIPLookup({', '.join(lines)});\n"
    text += "".join(PORT.format(port=port, burst=burst, station=port + 2) for port in (0, 1))
    path = course.folder / "router.click"
    path.write_text(text)
    return course.dpdk([CLICK, "--dpdk"], [str(path)])
