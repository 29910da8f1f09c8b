import asyncio
import os
import pty
import re
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from flows.asking import reviewing
from flows.cli import console
from flows.cli.terminal import ask_in_terminal
from tasks.review import Again, Answer, Question, ReviewTimedOut
from tests.conftest import Sandbox
from tests.flows.conftest import Workplace, small_brief

ROOT = Path(__file__).parents[3]
TIMEOUT_SECONDS = 90


@pytest.fixture
def typing(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Types into the terminal of the test; an empty text closes it."""
    receiver, sender = os.pipe()
    is_open = True

    def type_(text: str) -> None:
        nonlocal is_open
        os.write(sender, text.encode())
        if not text:
            os.close(sender)
            is_open = False

    with os.fdopen(receiver, encoding="utf-8") as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        yield type_
    if is_open:
        os.close(sender)


@pytest.fixture
def question(workplace: Workplace) -> Question:
    """A question about two pictures that were really made."""
    questions: list[Question] = []

    def keep_all(question: Question) -> Answer:
        questions.append(question)
        return Answer()

    with reviewing(keep_all):
        workplace.run(workplace.brief(), review=True)
    return questions[0]


def test_enter_keeps_all(question: Question, typing: Callable[[str], None]) -> None:
    """Two empty lines are an answer: nothing is rejected, nothing is made again."""
    typing("\n\n")
    assert asyncio.run(ask_in_terminal(question)) == Answer()


def test_numbers_and_texts_are_read_line_by_line(
    question: Question, typing: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    """A number that is not there is asked for at once, before anything else has to be typed again."""
    typing("7\n2\n1\na green teapot, 50 % off\n")
    answer = asyncio.run(ask_in_terminal(question))

    assert answer == Answer(reject="2", again=(Again(number="1", prompt="a green teapot, 50 % off"),))
    shown = capsys.readouterr().out
    assert "1  a red teapot" in shown
    assert question.contact_sheet in shown
    assert "7 cannot be meant here; the frames are 1, 2." in shown


def test_what_was_decided_before_is_one_enter_away(question: Question, typing: Callable[[str], None]) -> None:
    """A question that is filled in keeps what it says at Enter, and forgets it at `-`."""
    earlier = Answer(reject="2", again=(Again(number="1", prompt="a green teapot"),))
    filled_in = question.model_copy(update={"earlier": earlier})
    typing("\n\n\n")
    assert asyncio.run(ask_in_terminal(filled_in)) == earlier
    typing("-\n-\n")
    assert asyncio.run(ask_in_terminal(filled_in)) == Answer()


def test_a_terminal_that_closes_answers_nothing(question: Question, typing: Callable[[str], None]) -> None:
    """The end of the input is no Enter: nobody has agreed to anything."""
    typing("")
    with pytest.raises(ReviewTimedOut, match="terminal was closed"):
        asyncio.run(ask_in_terminal(question))


def test_a_terminal_obeys_no_stranger(question: Question, capsys: pytest.CaptureFixture[str]) -> None:
    """Titles and prompts may hold control sequences and markup; none reaches the terminal."""
    console.show_question(question.model_copy(update={"title": "\x1b[2J[red]x[/]", "complaint": "\x9b2J [/]"}))
    shown = capsys.readouterr().out
    assert re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", shown) is None
    assert "[red]x[/]" in shown


def test_a_campaign_is_reviewed_from_the_command_line(
    sandbox: Sandbox, workplace: Workplace, tmp_path: Path, prefect_server: str
) -> None:
    """`--review` asks in the terminal between generation and edit, and goes on with what is typed there."""
    brief = tmp_path / "brief.yaml"
    edits = [{"instruction": "Turn it into a watercolor."}]
    brief.write_text(yaml.safe_dump(small_brief(edits=edits)), encoding="utf-8")
    command = [sys.executable, "-m", "flows", "campaign", str(brief), "--sandbox", sandbox.origin, "--review"]
    command += ["--archive", str(workplace.archive)]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    settings = {**kept, "PREFECT_API_URL": prefect_server, "PREFECT_HOME": str(tmp_path / "home"), "COLUMNS": "200"}
    controller, terminal = pty.openpty()
    with subprocess.Popen(
        command, cwd=ROOT, env=settings, stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True
    ) as process:
        os.close(terminal)
        shown = read_until(controller, "Reject (")
        assert str(workplace.archive / "sheets/teapots/1/index.html") in shown
        os.write(controller, b"2\n\n")
        shown = read_until(controller, "contact sheet  ")
        assert process.wait(TIMEOUT_SECONDS) == 0
    os.close(controller)

    assert "rejected" in shown
    assert [job["request"]["prompt"] for job in sandbox.jobs("sunra")] == ["Turn it into a watercolor."]


def read_until(file: int, text: str) -> str:
    """Reads what a program shows until it has shown a text."""
    shown = ""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while text not in shown:
        ready, _, _ = select.select([file], [], [], max(0.0, deadline - time.monotonic()))
        assert ready, shown
        shown += os.read(file, 65_536).decode(errors="replace")
    return shown
