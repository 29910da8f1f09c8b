import asyncio
from decimal import Decimal

import pytest

from blocks.provider import Money
from tasks.models import Cost
from tasks.progress import Milestones, Progress, Tally, watching

SPENT = Cost(amounts=(Money(amount=Decimal(5), unit="CU"),))


def test_counts_add_up() -> None:
    """Differences are added, stage and money are replaced, and what is not mentioned stays."""
    tally = Tally()
    assert tally.now == Progress(stage="planning", planned=0, running=0, made=0, reused=0, failed=0, spent=Cost())

    tally.change(planned=4, reused=1)
    tally.change(stage="generating", spent=SPENT)
    tally.change(planned=2, made=1, failed=1)

    assert tally.now == Progress(stage="generating", planned=6, made=1, reused=1, failed=1, spent=SPENT)
    assert tally.now.settled == 3


def test_a_watcher_is_told_of_every_change() -> None:
    """Whoever draws the progress sees each state once, in order, as a value that does not change later."""
    seen: list[Progress] = []
    with watching(seen.append):
        tally = Tally()
    tally.change(planned=2)
    with tally.running():
        tally.change(made=1)

    assert seen == [
        Progress(planned=2),
        Progress(planned=2, running=1),
        Progress(planned=2, running=1, made=1),
        Progress(planned=2, made=1),
    ]


def test_a_shot_that_fails_no_longer_runs() -> None:
    """Whatever ends a shot, it is not counted as running any more."""
    tally = Tally()
    with pytest.raises(RuntimeError, match="crash"), tally.running():
        raise RuntimeError("crash")

    assert tally.now == Progress()


def test_watching_ends_with_its_context() -> None:
    """A later run of another campaign does not report to the watcher of this one, even where the first one broke."""
    seen: list[Progress] = []
    with pytest.raises(RuntimeError, match="crash"), watching(seen.append):
        raise RuntimeError("crash")
    Tally().change(planned=1)

    assert seen == []


def test_another_watcher_is_told_while_it_wants_to() -> None:
    """The terminal and the run's log watch the same tally, each for its own time."""
    terminal: list[int] = []
    log: list[int] = []
    with watching(lambda progress: terminal.append(progress.planned)):
        tally = Tally()
    with tally.told_to(lambda progress: log.append(progress.planned)):
        tally.change(planned=1)
    tally.change(planned=1)

    assert (terminal, log) == ([1, 2], [1])


def test_a_watcher_is_forgotten_where_its_work_broke() -> None:
    """Whatever ends the context, nobody is told after it."""
    told: list[Progress] = []
    tally = Tally()
    with pytest.raises(RuntimeError, match="crash"), tally.told_to(told.append):
        raise RuntimeError("crash")
    tally.change(planned=1)

    assert told == []


def test_all_stages_are_counted_in_advance() -> None:
    """What is expected counts until more than that is planned."""
    assert Progress(expected=8, planned=4).total == 8
    assert Progress(expected=8, planned=9).total == 9


def test_the_facts_are_words_for_people() -> None:
    """Only what there is is mentioned, and the money always."""
    assert Progress(made=12, running=4).facts == "12 made, 4 running · nothing spent"
    assert Progress(made=1, reused=2, failed=3, skipped=4, spent=SPENT).facts == (
        "1 made, 0 running, 2 had, 3 failed, 4 not bought · 5 CU spent"
    )


def test_milestones_are_stages_and_tenths() -> None:
    """A log of two hundred shots has a line for each stage and for each further tenth, not for each shot."""
    milestones = Milestones()
    counts = [Progress(stage="generating", planned=40, made=made) for made in range(9)]
    counts = [Progress(), *counts, Progress(stage="archiving", planned=40, made=9)]

    assert [count.made for count in counts if milestones.is_next(count)] == [0, 4, 8, 9]


async def test_runs_side_by_side_have_their_own_watchers() -> None:
    """Two campaigns in one process do not mix their counts."""
    seen: dict[int, list[int]] = {1: [], 2: []}

    async def run(number: int) -> None:
        with watching(lambda progress: seen[number].append(progress.planned)):
            tally = Tally()
            await asyncio.sleep(0)
            tally.change(planned=number)

    await asyncio.gather(run(1), run(2))

    assert seen == {1: [1], 2: [2]}


def test_an_unknown_count_is_a_mistake() -> None:
    """A count that is misspelled does not vanish."""
    with pytest.raises(AttributeError, match="plannd"):
        Tally().change(plannd=1)
