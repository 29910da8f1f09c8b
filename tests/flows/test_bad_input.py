from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from flows.cli.main import main
from tests.conftest import Sandbox
from tests.flows.conftest import small_brief


class Bad(NamedTuple):
    """A brief that cannot work: what is changed in a good one, and what the person is told."""

    name: str
    changes: Mapping[str, Any]
    says: tuple[str, ...]
    exit_code: int = 2


FIVE = [f"r{number}" for number in range(5)]
BAD_BRIEFS = [
    Bad("unknown field", {"promts": "a teapot"}, ("promts: unknown field.", "Did you mean 'prompts'?")),
    Bad("unknown provider", {"generate": {"provider": "midjourney"}}, ("generate.provider", "'scenario' or 'sunra'")),
    Bad(
        "missing reference",
        {"references": {"cup": "nowhere.png"}, "generate": {"references": ["cup"]}},
        ("references.cup: there is no file at", "nowhere.png"),
    ),
    Bad(
        "text named .png",
        {"references": {"cup": "text.png"}, "generate": {"references": ["cup"]}},
        ("references.cup: text.png is no complete PNG, JPEG or WebP picture",),
    ),
    Bad(
        "five references",
        {
            "references": dict.fromkeys(FIVE, "cup.png"),
            "generate": {"references": FIVE},
        },
        ("generate:", "Scenario", "4", "5"),
    ),
    Bad(
        "five pictures in an edit",
        {
            "references": dict.fromkeys(FIVE[:4], "cup.png"),
            "edits": [{"instruction": "Add it.", "references": FIVE[:4]}],
        },
        ("edits.0:", "image_urls", "4"),
    ),
    Bad(
        "width 1000",
        {"generate": {"width_px": 1000, "height_px": 512}},
        ("generate: width must be a multiple of 16 from 128 to 2048 (Scenario), got 1000",),
    ),
    Bad("an unknown role", {"generate": {"references": ["cup"]}}, ("no reference has the role 'cup'",)),
    Bad("no prompt", {"prompts": []}, ("prompts:",)),
    Bad("a name that is a path", {"name": "../teapots"}, ("name:", "'../teapots'")),
    Bad("a price in no known unit", {"budget": {"amount": 5, "unit": "EUR"}}, ("unknown price", "EUR"), 3),
]


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., Path]:
    """Writes a brief into a folder that also has a picture and a text that is named like one."""
    (tmp_path / "text.png").write_text("This is no picture.", encoding="utf-8")

    def write(**changes: Any) -> Path:
        path = tmp_path / "brief.yaml"
        path.write_text(yaml.safe_dump(small_brief(**changes)), encoding="utf-8")
        return path

    return write


@pytest.mark.parametrize("bad", BAD_BRIEFS, ids=lambda bad: bad.name.replace(" ", "-"))
@pytest.mark.usefixtures("workplace")
def test_a_bad_brief_is_one_message_and_nothing_bought(
    bad: Bad, written: Callable[..., Path], sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What cannot work is said once, with the place in the brief; no traceback, no purchase."""
    archive = str(tmp_path / "archive")
    code = main(["campaign", str(written(**bad.changes)), "--sandbox", sandbox.origin, "--archive", archive])

    shown = capsys.readouterr()
    assert code == bad.exit_code
    for words in bad.says:
        assert words in shown.err
    assert "Traceback" not in shown.err
    assert shown.err.count("Error:") + shown.err.count("InvalidRequest:") == 1
    assert shown.out == ""
    assert sandbox.jobs() == []


def test_no_credentials(
    written: Callable[..., Path], sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who has no account is told how to save its keys, and how to run on the sandbox."""
    code = main(["campaign", str(written()), "--archive", str(tmp_path / "archive")])

    said = capsys.readouterr().err
    assert code == 3
    assert said.startswith("SetupError: There are no scenario credentials")
    assert "SCENARIO_SDK_API_KEY and SCENARIO_SDK_API_SECRET" in said
    assert "python -m deployments.register" in said
    assert "python -m deployments.sandbox" in said
    assert "--sandbox http://127.0.0.1:8765" in said
    assert sandbox.jobs() == []
    assert not (tmp_path / "archive").exists()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "There is no brief at"),
        (b"name: [teapots", "YAML"),
        (b"- a list", "mapping"),
        (b"\xff\xfe\x00", "brief.yaml"),
    ],
    ids=["missing", "no-yaml", "no-mapping", "binary"],
)
def test_a_file_that_is_no_brief(
    content: bytes | None, says: str, sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that cannot be read as a brief is named, and that is all."""
    path = tmp_path / "brief.yaml"
    if content is not None:
        path.write_bytes(content)
    code = main(["campaign", str(path), "--sandbox", sandbox.origin])

    said = capsys.readouterr().err
    assert code == 2
    assert said.startswith("BriefError: ")
    assert says in said
    assert "Traceback" not in said
    assert sandbox.jobs() == []


def test_an_archive_that_is_a_file(
    written: Callable[..., Path], sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An archive needs a folder; a file in its place is left as it is."""
    (tmp_path / "archive").write_text("mine", encoding="utf-8")
    code = main(["campaign", str(written()), "--sandbox", sandbox.origin, "--archive", str(tmp_path / "archive")])

    said = capsys.readouterr().err
    assert code == 3
    assert str(tmp_path / "archive") in said
    assert "Traceback" not in said
    assert (tmp_path / "archive").read_text(encoding="utf-8") == "mine"
    assert sandbox.jobs() == []


def test_a_sandbox_that_does_not_run(
    written: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A provider that cannot be reached is one message, with the address."""
    code = main(["plan", str(written()), "--sandbox", "http://127.0.0.1:1", "--archive", str(tmp_path / "archive")])

    said = capsys.readouterr().err
    assert code == 6
    assert said.startswith("ConnectFailed: ")
    assert "Traceback" not in said
