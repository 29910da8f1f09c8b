from pathlib import Path

import pytest

from blocks.errors import SetupError
from deployments import house as houses
from deployments.house import House, kept

OURS = {
    "PATH": "/bin",
    "PREFECT_API_URL": "https://api.prefect.cloud/api",
    "PREFECT_API_KEY": "key-of-another-server",
    "PREFECT_API_AUTH_STRING": "password:of-another-server",
    "PREFECT_HOME": "/home/somebody/.prefect",
    "PREFECT_PROFILE": "cloud",
    "PREFECT_SERVER_DATABASE_CONNECTION_URL": "postgresql+asyncpg://somebody:key-5@host/theirs",
    "prefect_api_database_connection_url": "sqlite+aiosqlite:////theirs.db",
    "PREFECT_LOGGING_LEVEL": "DEBUG",
    "SCENARIO_SDK_API_KEY": "key-1",
    "SCENARIO_SDK_API_SECRET": "key-2",
    "SUNRA_KEY": "key-3",
    "KLEINBILD_CATALOGUE_URL": "postgresql://user:key-4@host/name",
    "PREFECT_SERVER_API_KEEPALIVE_TIMEOUT": "7",
}


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path / "state", "http://127.0.0.1:4200", "http://127.0.0.1:8780", "http://127.0.0.1:8765")


def test_no_process_is_handed_a_key(house: House) -> None:
    """Keys are in the blocks; our processes know our server, and nothing of the user's: address, home, database."""
    assert house.environment(OURS) == {
        "DO_NOT_TRACK": "1",
        "PATH": "/bin",
        "PREFECT_API_URL": "http://127.0.0.1:4200/api",
        "PREFECT_HOME": str(house.state / "prefect"),
        "PREFECT_LOGGING_LEVEL": "DEBUG",
    }


def test_the_server_is_not_led_to_the_users_database(house: House) -> None:
    """It would migrate it. Beside our own settings, only what is meant for ours is said to the server."""
    environment = house.server_environment({**OURS, "PREFECT_SERVER_ENCRYPTION_KEY": "key-6"})

    said = {name: value for name, value in environment.items() if value in OURS.values() or value == "key-6"}
    assert said == {"PATH": "/bin", "PREFECT_LOGGING_LEVEL": "DEBUG", "PREFECT_SERVER_ENCRYPTION_KEY": "key-6"}
    assert environment["PREFECT_HOME"] == str(house.state / "prefect")


def test_a_password_of_the_server_is_told_to_its_clients(house: House) -> None:
    """Deploying, worker and watcher get in; the server's own secrets reach the server alone."""
    ours = {**OURS, "PREFECT_SERVER_API_AUTH_STRING": "us:password", "PREFECT_SERVER_ENCRYPTION_KEY": "key-6"}
    client, server = house.environment(ours), house.server_environment(ours)

    assert client["PREFECT_API_AUTH_STRING"] == "us:password"
    assert [name for name in client if name.startswith("PREFECT_SERVER_")] == []
    assert server["PREFECT_SERVER_API_AUTH_STRING"] == "us:password"


def test_an_empty_password_is_none(house: House) -> None:
    """Prefect would take it for a password, which no client can give."""
    environment = house.server_environment({"PREFECT_SERVER_API_AUTH_STRING": ""})

    assert [name for name in environment if "AUTH_STRING" in name] == []


def test_the_server_has_its_settings(house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They come from one file; what the user has set for another server does not go before it; other sites are out."""
    settings = tmp_path / "server.env"
    settings.write_text("# a comment\n\nPREFECT_ONE = 1\nPREFECT_TWO=a=b\n", encoding="utf-8")
    monkeypatch.setattr(houses, "SERVER_SETTINGS", settings)

    environment = house.server_environment({"PREFECT_ONE": "theirs"})

    assert (environment["PREFECT_ONE"], environment["PREFECT_TWO"]) == ("1", "a=b")
    assert environment["PREFECT_SERVER_CORS_ALLOWED_ORIGINS"] == "http://127.0.0.1:4200,http://localhost:4200"
    assert environment["PREFECT_SERVER_UI_API_URL"] == "http://127.0.0.1:4200/api"


def test_one_at_a_time(house: House) -> None:
    """A second one would work on the same database; the first one's end lets it in."""
    with kept(house):
        assert house.logs.is_dir()
        assert house.inbox.is_dir()
        with pytest.raises(SetupError, match=r"served already, by process .* at http://127\.0\.0\.1:4200"), kept(house):
            pytest.fail("it was let in")
    with kept(house):
        pass
