"""Free ports of this machine."""

import socket


def free_port(preferred: int) -> int:
    """Returns the preferred port of 127.0.0.1 if it is free, or any other that is."""
    for port in (preferred, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:  # taken
                continue
            number: int = probe.getsockname()[1]
            return number
    raise OSError("No port of 127.0.0.1 is free.")
