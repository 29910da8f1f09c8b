import socket

from deployments.addresses import free_port


def test_a_free_port_is_taken_as_preferred() -> None:
    """Addresses that people know stay the same as long as they are free."""
    preferred = free_port(0)

    assert free_port(preferred) == preferred


def test_a_taken_port_is_not_fought_for() -> None:
    """Whoever listens there already keeps the port; we take another, which can be bound."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        other = free_port(port)

        assert other != port
        socket.create_server(("127.0.0.1", other)).close()
