from pathlib import Path

import pytest

from blocks.errors import SetupError
from deployments import house as houses
from deployments.house import House, kept

OURS = {
    "PATH": "/bin",
    "PREFECT_API_URL": "https://api.prefect.cloud/api",
    "PREFECT_API_KEY": "key-of-another-server",
    "PREFECT_PROFILE": "cloud",
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
    """Keys are in the blocks; our processes know our server, and none of the user's."""
    assert house.environment(OURS) == {
        "DO_NOT_TRACK": "1",
        "PATH": "/bin",
        "PREFECT_API_URL": "http://127.0.0.1:4200/api",
        "PREFECT_HOME": str(house.state / "prefect"),
        "PREFECT_SERVER_API_KEEPALIVE_TIMEOUT": "7",
    }


def test_a_home_that_somebody_chose_is_kept(house: House) -> None:
    """`make` says where Prefect keeps its state."""
    assert house.environment({"PREFECT_HOME": "/chosen"})["PREFECT_HOME"] == "/chosen"


def test_the_server_has_its_settings(house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They come from one file; a variable of the environment goes before it; other sites are kept out."""
    settings = tmp_path / "server.env"
    settings.write_text("# a comment\n\nPREFECT_ONE = 1\nPREFECT_TWO=a=b\n", encoding="utf-8")
    monkeypatch.setattr(houses, "SERVER_SETTINGS", settings)

    environment = house.server_environment({"PREFECT_ONE": "mine"})

    assert (environment["PREFECT_ONE"], environment["PREFECT_TWO"]) == ("mine", "a=b")
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
