"""Ports of this machine for servers that take a number, and cannot say which free port they took."""

import atexit
import socket

_HELD: list[socket.socket] = []


def held_port() -> int:
    """A port of 127.0.0.1 that nobody listens on, and that nobody else is given until these tests end.

    It stays bound, and is not listened on. So the kernel gives it to no one who asks for any port, as the tests beside
    us do. A server that asks for this very one gets it, for servers set SO_REUSEADDR. Who connects before is refused.
    """
    holder = socket.socket()
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holder.bind(("127.0.0.1", 0))
    _HELD.append(holder)
    port: int = holder.getsockname()[1]
    return port


@atexit.register
def _release() -> None:
    for holder in _HELD:
        holder.close()
