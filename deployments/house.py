"""Where `make serve` keeps its things, and the environment of its processes."""

import fcntl
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from blocks.errors import SetupError
from deployments.register import SECRETS

SERVER_SETTINGS = Path(__file__).parent / "server.env"
_FOR_ALL = ("PREFECT_LOGGING_LEVEL",)
_FOR_THE_SERVER = ("PREFECT_SERVER_API_AUTH_STRING", "PREFECT_SERVER_ENCRYPTION_KEY", "PREFECT_SERVER_LOGGING_LEVEL")
"""What the caller may say of our Prefect. All else that is set for Prefect belongs to another server than ours: its
address, its keys, its home, its database."""


class House(NamedTuple):
    """The folders and addresses of one `make serve`."""

    state: Path
    ui: str
    sheets: str
    sandbox: str

    @property
    def logs(self) -> Path:
        """Folder of what the processes say."""
        return self.state / "logs"

    @property
    def inbox(self) -> Path:
        """Folder that briefs are dropped into."""
        return self.state / "inbox"

    @property
    def archive(self) -> Path:
        """Where pictures are kept if nobody says otherwise."""
        return self.state / "archive"

    @property
    def api(self) -> str:
        """Address of the Prefect server's API."""
        return f"{self.ui}/api"

    def log(self, name: str) -> Path:
        """The file of what one process says."""
        return self.logs / f"{name.lower().replace(' ', '-')}.log"

    def environment(self, ours: Mapping[str, str]) -> dict[str, str]:
        """Makes the environment of a child process: our Prefect server instead of the user's, and no key."""
        kept = {
            name: value
            for name, value in ours.items()
            if name not in SECRETS and not name.upper().startswith("PREFECT_")  # Prefect reads small letters, too
        }
        password = ours.get("PREFECT_SERVER_API_AUTH_STRING")
        return {
            "DO_NOT_TRACK": "1",
            **kept,
            **_said(_FOR_ALL, ours),
            **({"PREFECT_API_AUTH_STRING": password} if password else {}),
            "PREFECT_HOME": str(self.state / "prefect"),
            "PREFECT_API_URL": self.api,
        }

    def server_environment(self, ours: Mapping[str, str]) -> dict[str, str]:
        """Adds the settings of the Prefect server; only its own pages may call it from a browser."""
        names = (self.ui, self.ui.replace("127.0.0.1", "localhost"))
        return {
            "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": ",".join(names),
            "PREFECT_SERVER_UI_API_URL": self.api,
            **_settings_in(SERVER_SETTINGS),
            **self.environment(ours),
            **_said(_FOR_THE_SERVER, ours),
        }


@contextmanager
def kept(house: House) -> Iterator[None]:
    """Makes the folders, and keeps them for one `make serve` at a time.

    Raises:
        SetupError: Another one is at work there.
    """
    for folder in (house.state, house.logs, house.inbox):
        folder.mkdir(parents=True, exist_ok=True)
    with (house.state / "serve.lock").open("a+", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            raise SetupError(f"It is served already, by process {lock.read() or 'unknown'}.") from error
        lock.truncate(0)
        lock.write(f"{os.getpid()} at {house.ui}")
        lock.flush()
        yield


def _said(names: Iterable[str], ours: Mapping[str, str]) -> dict[str, str]:
    """Takes what is set and not empty: an empty password would be one that nobody can give."""
    return {name: ours[name] for name in names if ours.get(name)}


def _settings_in(file: Path) -> dict[str, str]:
    """Reads `NAME=value` lines; comments and empty lines are left out."""
    if not file.is_file():
        return {}
    lines = (line.strip() for line in file.read_text(encoding="utf-8").splitlines())
    pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return {name.strip(): value.strip() for name, _, value in pairs}
