# SPDX-License-Identifier: MIT
"""What an unreachable costs on Linux, beside the limits of ICMP messages: a setting of the whole
machine, which must be 0 as long as anybody here tests its router."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

SETTING = Path("/proc/sys/net/ipv4/route/error_cost")
BEFORE = Path("/run/twinroute-error-cost")  # the machine's own value, while somebody tests


class ErrorCost:
    """Makes unreachables free, until the last of those who test at the same time is done."""

    def __init__(self, setting: Path = SETTING, before: Path = BEFORE) -> None:
        """Set it, and hold a lock that says so."""
        self._setting, self._before = setting, before
        self._lock = os.open(setting, os.O_RDONLY)
        with self._alone() as file:
            if not os.pread(file, 1, 0):
                os.write(file, setting.read_bytes())
            self._set(b"0")
            fcntl.flock(self._lock, fcntl.LOCK_SH)

    def close(self) -> None:
        """Set it back, unless another one still tests."""
        with self._alone() as file:
            with suppress(BlockingIOError):
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self._set(os.pread(file, 32, 0))
                os.ftruncate(file, 0)
            os.close(self._lock)

    @contextmanager
    def _alone(self) -> Iterator[int]:
        """Open the file of the value before, while nobody else begins or ends."""
        file = os.open(self._before, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield file
        finally:
            os.close(file)

    def _set(self, value: bytes) -> None:
        with suppress(OSError):
            self._setting.write_bytes(value)
