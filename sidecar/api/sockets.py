"""Makes the listening sockets, so that nobody can connect who should not."""

import contextlib
import errno
import fcntl
import ipaddress
import os
import socket
import stat
import struct
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sidecar.api.errors import ListenError, NotLoopbackError, SocketInUseError
from sidecar.clock import Clock

BACKLOG: Final = 1024
_CREDENTIALS: Final = struct.Struct("3i")
_LOCK_ATTEMPTS: Final = 40
_LOCK_PAUSE_SECONDS: Final = 0.05


@dataclass(frozen=True, slots=True)
class UnixSocket:
    """A bound Unix socket, and how to recognise its file."""

    socket: socket.socket
    path: Path
    identity: tuple[int, int]
    """Device and inode."""

    def remove(self) -> None:
        """Remove the socket file, unless another process has put its own there since."""
        with contextlib.suppress(FileNotFoundError):
            if _identity(self.path) == self.identity:
                self.path.unlink()


async def bind_unix(path: Path, mode: int, clock: Clock) -> UnixSocket:
    """Bind a Unix socket with this file mode and listen; a dead process's socket file is replaced.

    Raises:
        SocketInUseError: when a living process listens there.
        ListenError: when the path cannot be used.
    """
    try:
        async with _alone_in(path.parent, clock):
            return _bind_unix(path, mode)
    except OSError as failure:
        hint = "; a Unix socket's path may have at most 107 bytes" if "too long" in str(failure) else ""
        raise ListenError(f"listen.unix: cannot listen on {path}: {_why(failure)}{hint}") from failure


def bind_tcp(host: str, port: int, *, key: str) -> socket.socket:
    """Bind an address of this machine and listen. `key` names the configuration key in what may be raised.

    Raises:
        ListenError: when the address is not this machine's, or taken.
    """
    listening = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(BACKLOG)
        listening.setblocking(False)
    except OSError as failure:
        listening.close()
        raise ListenError(
            f"{key}: cannot listen on {host} port {port}: {_why(failure)}; "
            "stop what uses it or configure another address"
        ) from failure
    return listening


def close_listener(listening: socket.socket) -> list[socket.socket]:
    """Close a listening socket that does not block; returns the connections that nobody had accepted yet."""
    with listening:
        return list(_waiting(listening))


def split_address(address: str, *, key: str) -> tuple[str, int]:
    """Host and port of `host:port`; the host as a number, without brackets.

    Raises:
        ListenError: when the host's name leads to no address.
    """
    name, _, port = address.rpartition(":")
    name = name.strip("[]")
    try:
        found = socket.getaddrinfo(name, int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as failure:
        raise ListenError(f"{key}: {name} is no address of this machine: {_why(failure)}") from failure
    # localhost may have two addresses; the one that every client tries is IPv4's.
    chosen = min(found, key=lambda info: info[0] != socket.AF_INET)
    return str(chosen[4][0]), int(port)


def require_loopback(host: str, *, forced: bool) -> None:
    """Refuse a bots' address that other machines can reach, unless it is `forced`.

    Raises:
        NotLoopbackError: when it is neither loopback nor forced.
    """
    if not forced and not ipaddress.ip_address(host.partition("%")[0]).is_loopback:
        raise NotLoopbackError(
            f"listen.tcp: {host} can be reached from other machines, and whoever reaches it can trade; "
            "bind 127.0.0.1, or set listen.allow_orders_from_the_network: true if that is really meant"
        )


def require_peer_credentials() -> None:
    """Refuse `listen.allowed_uids` where the system does not tell who connects.

    Raises:
        ListenError: on any system but Linux.
    """
    if sys.platform != "linux":
        raise ListenError("listen.allowed_uids: only Linux tells who connects; leave it empty and rely on unix_mode")


def peer_uid(connection: socket.socket) -> int | None:
    """The user id of the process at the other end of a Unix socket; None where the system does not tell."""
    if sys.platform != "linux":
        return None
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return int(_CREDENTIALS.unpack(raw)[1])


def _waiting(listening: socket.socket) -> Iterator[socket.socket]:
    while True:
        try:
            connection, _ = listening.accept()
        except ConnectionAbortedError:
            continue
        except OSError:
            return  # nobody is left, or there are no more file descriptors
        connection.setblocking(False)
        yield connection


def _bind_unix(path: Path, mode: int) -> UnixSocket:
    _remove_dead(path)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listening.bind(os.fspath(path))
        # Nobody can connect before `listen`, so that the mode holds from the first connection on.
        path.chmod(mode)
        listening.listen(BACKLOG)
        listening.setblocking(False)
        return UnixSocket(listening, path, _identity(path))
    except OSError:
        listening.close()
        raise


def _remove_dead(path: Path) -> None:
    try:
        kind = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(kind):
        raise ListenError(f"listen.unix: {path} exists and is not a socket; remove it or configure another path")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        answer = probe.connect_ex(os.fspath(path))
    if answer != errno.ECONNREFUSED:
        raise SocketInUseError(
            f"listen.unix: a process already listens on {path}; stop it or configure another path for this sidecar"
        )
    path.unlink()


@contextlib.asynccontextmanager
async def _alone_in(directory: Path, clock: Clock) -> AsyncIterator[None]:
    """Keep other sidecars from taking a socket that is bound but not yet listening for a dead one."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        for _ in range(_LOCK_ATTEMPTS):
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                await clock.sleep(_LOCK_PAUSE_SECONDS)
        else:
            raise ListenError(f"listen.unix: another process keeps {directory} locked; configure another directory")
        yield
    finally:
        os.close(handle)


def _identity(path: Path) -> tuple[int, int]:
    status = path.lstat()
    return status.st_dev, status.st_ino


def _why(failure: OSError) -> str:
    return (failure.strerror or str(failure)).lower()
