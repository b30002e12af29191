# SPDX-License-Identifier: MIT
"""A listening UNIX socket that one process has at a time, and that leaves nothing behind."""

import contextlib
import errno
import fcntl
import os
import socket
import stat
from pathlib import Path
from types import TracebackType
from typing import Self

from twinroute.errors import TwinrouteError

BACKLOG = 64
MODE = 0o600


class SocketTaken(TwinrouteError):
    """Another process listens there."""


class SocketFile:
    """A listening socket of mode 0600 at a path; close() removes it, and its folder if made."""

    def __init__(self, path: Path) -> None:
        """Listen at `path`. A socket that a dead process left is replaced.

        Raises SocketTaken where a live one listens, TwinrouteError where that cannot be done.
        """
        self.path = path
        self._made_folder = False
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._claim()
            found = path.stat()
            self._identity = (found.st_dev, found.st_ino)
            self.socket.listen(BACKLOG)
        except OSError as error:
            self.socket.close()
            self._remove_folder()
            raise TwinrouteError(f"{path}: no socket can be made: {error.strerror}") from None
        except TwinrouteError:
            self.socket.close()
            raise

    def _claim(self) -> None:
        """Bind the socket, one process at a time."""
        folder = self.path.parent
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o755)
            self._made_folder = True
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            _remove_stale(self.path)
            os.fchmod(self.socket.fileno(), MODE)  # Linux makes the file with it, less the umask
            self.socket.bind(str(self.path))
        finally:
            os.close(lock)

    def __enter__(self) -> Self:
        """Return the socket."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close."""
        self.close()

    def close(self) -> None:
        """Stop listening and remove the file, unless somebody has replaced it."""
        self.socket.close()
        with contextlib.suppress(OSError):
            found = self.path.lstat()
            if (found.st_dev, found.st_ino) == self._identity:
                self.path.unlink()
        self._remove_folder()

    def _remove_folder(self) -> None:
        if self._made_folder:
            with contextlib.suppress(OSError):  # others have their sockets there by now
                self.path.parent.rmdir()


def _remove_stale(path: Path) -> None:
    """Remove a socket at which nobody listens; refuse where somebody does, or it is none."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        raise TwinrouteError(f"{path}: expected a socket or nothing there, this is something else")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)  # a backlog that is full means that it lives
        code = probe.connect_ex(str(path))
    if code == errno.ECONNREFUSED:
        path.unlink()
    elif code != errno.ENOENT:
        raise SocketTaken(f"{path}: another twinroute runs with this control socket")
