import re

import pytest

from blocks.errors import BriefError
from flows.cli import console, image_pages
from flows.questions import Plan
from flows.showing import Provenance
from tasks.estimate import Estimate, EstimateLine
from tasks.measured import Drift
from tasks.models import Binding, CampaignResult, Cost, Failure, Flagged, ImageRecord, Prompt, Round, Verdict
from tasks.progress import Progress
from tests.images import image_record
from tests.money import usd

HOSTILE = "[bold red]pot[/bold red] [link=http://evil.example]here[/link] [/] :bomb: \\[x]"
"""What rich would colour, link, replace, or refuse with an error."""

SEQUENCES = "\x1b[2J\x1b]0;owned\x07 \x9b2J"
"""What a terminal would obey."""


def failure(message: str, kind: str = "JobFailed") -> Failure:
    return Failure(shot_key="0" * 64, prompt="a teapot", step=0, kind=kind, message=message)


def result(*failures: Failure, **changes: object) -> CampaignResult:
    facts: dict[str, object] = {
        "campaign": "teapots",
        "edition": "1",
        "archive": "/somewhere/archive",
        "images": (),
        "verdicts": (),
        "failures": failures,
        "bought": 3,
        "reused": 1,
        "cost": Cost.of([usd("0.03")]),
        "contact_sheet": "/somewhere/archive/sheets/index.html",
    }
    return CampaignResult.model_validate({**facts, **changes})


@pytest.fixture
def record() -> ImageRecord:
    return image_record()


def everything_shown(text: str, record: ImageRecord) -> None:
    """Shows a text in every place that a stranger can write to."""
    prompt = Prompt(text=text, template=text, bindings=(Binding(name="light", value=text),))
    request = record.request.model_copy(update={"prompt": text})
    record = record.model_copy(update={"prompt": prompt, "request": request, "edition": text})
    console.show_plan(Plan(title=text, prompts=(prompt,), combinations=1, estimate=Estimate(lines=()), already_made=0))
    console.show_result(result(failure(text), archive=text, contact_sheet=text, edition=text))
    image_pages.show_image(Provenance(record=record, verdicts=(), edits=(), file=text), as_json=False)
    console.show_error(BriefError(text))


def test_what_strangers_write_is_shown_as_it_is(record: ImageRecord, capsys: pytest.CaptureFixture[str]) -> None:
    """Markup in prompts, names, failures and paths is text: it colours, links, replaces and breaks nothing."""
    everything_shown(HOSTILE, record)

    shown = capsys.readouterr()
    words = " ".join((shown.out + shown.err).split())
    assert words.count(HOSTILE) == 11


def test_no_text_commands_the_terminal(record: ImageRecord, capsys: pytest.CaptureFixture[str]) -> None:
    """Control sequences in what strangers write reach no terminal."""
    everything_shown(SEQUENCES, record)

    shown = capsys.readouterr()
    assert "owned" in shown.out
    assert not {"\x1b", "\x07", "\x9b"} & set(shown.out + shown.err)


def test_failures_are_said_once_with_their_number(capsys: pytest.CaptureFixture[str]) -> None:
    """A hundred shots that failed for one reason are one line; the commonest comes first."""
    console.show_result(result(failure("once"), *(failure("often") for _ in range(99))))

    lines = [line for line in capsys.readouterr().out.splitlines() if "×" in line]
    assert lines == ["99 × JobFailed: often", "1 × JobFailed: once"]


def test_a_result_is_summed_up(capsys: pytest.CaptureFixture[str]) -> None:
    """The table at the end has every count, the money, and where to look."""
    console.show_result(result())

    shown = capsys.readouterr().out
    rows = dict(re.findall(r"│ (\S.*?)\s+│\s+(\S.*?) │", shown))
    assert rows == {
        "pictures": "0",
        "keepers": "0",
        "near-duplicates": "0",
        "shots bought now": "3",
        "shots had before": "1",
        "shots failed": "0",
        "spent now": "0.03 USD",
    }
    assert shown.splitlines()[-2:] == [
        "archive        /somewhere/archive",
        "contact sheet  /somewhere/archive/sheets/index.html",
    ]


def test_a_picture_that_may_be_a_placeholder_is_told(record: ImageRecord, capsys: pytest.CaptureFixture[str]) -> None:
    """Not only on the sheet: it was paid for, and nobody may ever see it."""
    checks = record.checks.model_copy(update={"flags": ("flat", "black")})
    console.show_result(result(images=(record.model_copy(update={"checks": checks}),)))

    said = "look 1 picture is all one colour, as where a provider's moderation holds a picture back"
    assert f"{said}: {record.sha256[:12]}." in capsys.readouterr().out.splitlines()


def test_rounds_are_told_with_the_result_and_with_the_plan(capsys: pytest.CaptureFixture[str]) -> None:
    """How they ended and what they yielded; a plan says that its price is the least."""
    ended = Round(change="seeds", planned=8, paid=8, gained=1, distinct=1, target=9, message="1 of 9: the end")
    estimated = Estimate(lines=(), target_unique=9)

    console.show_result(result(rounds=(ended,)))
    assert capsys.readouterr().out.splitlines()[-3] == (
        "distinct       1 of 9: the end; distinct of paid pictures, round by round: 1 of 8"
    )
    console.show_plan(Plan(title="x", prompts=(), combinations=4, estimate=estimated, already_made=0))
    shown = " ".join(capsys.readouterr().out.split())
    assert "at least" in shown
    assert "at most" not in shown
    assert "Goes on in rounds until 9 pictures are distinct" in shown


@pytest.mark.parametrize(
    ("prices", "total"),
    [(["0.5", None], "1 USD + unknown"), ([None], "unknown"), (["0.5", "0.25"], "1.5 USD"), ([], "nothing")],
)
def test_an_unknown_price_is_never_shown_as_zero(
    prices: list[str | None], total: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The sum of a plan says what is known of it, and that the rest is not."""
    lines = tuple(
        EstimateLine(stage="edit", provider="sunra", shots=2, price=None if price is None else usd(price))
        for price in prices
    )
    console.show_plan(Plan(title="x", prompts=(), combinations=0, estimate=Estimate(lines=lines), already_made=0))

    row = next(line for line in capsys.readouterr().out.splitlines() if "│ all" in line)
    assert row.split("│")[-2].strip() == total


def test_a_long_plan_shows_its_first_prompts(capsys: pytest.CaptureFixture[str]) -> None:
    """A thousand prompts do not scroll the price out of sight."""
    prompts = tuple(Prompt(text=f"prompt {number}", template="t") for number in range(1000))
    console.show_plan(Plan(title="x", prompts=prompts, combinations=1000, estimate=Estimate(lines=()), already_made=3))

    shown = capsys.readouterr().out
    assert [line for line in shown.splitlines() if line.startswith("  ")] == [
        *(f"  · prompt {number}" for number in range(8)),
        "  … and 992 more",
    ]
    assert "1000 prompts of 1,000 possible; 3 of the generated shots are in the archive already" in shown


def test_a_log_gets_few_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a terminal, progress is a line at each stage and after each tenth, however many shots there are."""
    with console.progress() as watcher:
        watcher(Progress(stage="generating", planned=1000))
        for made in range(1, 1001):
            watcher(Progress(stage="generating", planned=1000, made=made, running=2, spent=Cost.of([usd("0.5")])))
        watcher(Progress(stage="archiving", planned=1000, made=1000))

    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 12
    assert lines[0] == "generating: 0 of 1000 shots; 0 made, 0 running · nothing spent"
    assert lines[1] == "generating: 100 of 1000 shots; 100 made, 2 running · 0.5 USD spent"
    assert lines[-1] == "archiving: 1000 of 1000 shots; 1000 made, 0 running · nothing spent"


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the person will type."""
    typed: list[str] = []
    monkeypatch.setattr("builtins.input", lambda *_: typed.pop(0))
    return typed


@pytest.mark.parametrize(
    ("typed", "agreed"), [("y", True), ("YES ", True), ("", False), ("n", False), ("yeah", False), ("no", False)]
)
def test_only_a_clear_yes_buys(answers: list[str], typed: str, agreed: bool) -> None:
    """Return alone, and everything that is not yes, means no."""
    answers.append(typed)

    assert console.confirmed() is agreed


def test_nobody_is_asked_where_nobody_can_answer() -> None:
    """Under a test, in a log or in a pipe the command does not wait for an answer."""
    assert not console.asks_first(is_agreed=False)
    assert not console.asks_first(is_agreed=True)


def test_what_was_rejected_is_counted_where_there_is_any(capsys: pytest.CaptureFixture[str]) -> None:
    """A review leaves its trace in the sum; a run without one has no such line."""
    rejected = Verdict(sha256="a" * 64, kind="rejected", keeper_sha256="a" * 64, distance_bits=0, reason="in review")
    console.show_result(result(verdicts=(rejected,)))
    assert re.search(r"rejected\W+1\b", capsys.readouterr().out)
    console.show_result(result())
    assert "rejected" not in capsys.readouterr().out


def test_flagged_edits_are_told_with_the_result(capsys: pytest.CaptureFixture[str]) -> None:
    """Each says what is the matter with it; the first forty, and how many more there are."""
    flagged = tuple(
        Flagged(sha256=f"{number:064x}"[::-1], step=1, kind="no_change", outcome="kept", reason="changed nothing")
        for number in range(42)
    )
    console.show_result(result(flagged=flagged))
    told = capsys.readouterr().out

    assert re.search(r"edits flagged\W+42\b", told)
    assert f"edit 1 {flagged[0].sha256[:12]}: changed nothing\n" in told
    assert told.count("changed nothing") == 40
    assert "… and 2 more, flagged on the contact sheet" in told


def test_an_edit_shows_its_drift(record: ImageRecord, capsys: pytest.CaptureFixture[str]) -> None:
    """`show` says how far an edit went from its parent, where somebody has measured it."""
    drift = Drift(changed_share=0.34, mean_change=0.1, color_shift=2.14)
    for shown in (record, record.model_copy(update={"drift": drift})):
        image_pages.show_image(Provenance(record=shown, verdicts=(), edits=(), file="x"), as_json=False)

    told = [line for line in capsys.readouterr().out.splitlines() if line.startswith("drift")]
    assert [line.split(maxsplit=1) for line in told] == [["drift", "34 % changed, colour shift 2.1"]]
