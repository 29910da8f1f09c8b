import json

from blocks.archive.ledger import Ledger, Reservation, ShotState

MADE, PARENT, OTHER = "a" * 64, "b" * 64, "c" * 64


def asking_for(shot_key: str, sha256: str) -> Reservation:
    request = json.dumps({"request": {"references": [sha256]}})
    return Reservation(
        shot_key=shot_key, provider="sunra", sandbox=True, request_json=request, campaign="c", edition="e", run_id="r"
    )


async def test_the_ledger_names_what_was_made_and_what_is_asked_for(ledger: Ledger) -> None:
    """Images of every attempt that is done; parents and references as long as the shot is open."""
    await ledger.reserve(asking_for("shot", PARENT))
    among = frozenset({MADE, PARENT, OTHER})
    assert await ledger.names_of(among) == {PARENT}
    await ledger.mark_sending("shot", 1)
    await ledger.mark_running("shot", 1, "job")
    assert await ledger.names_of(among) == {PARENT}
    await ledger.mark_done("shot", 1, [MADE])
    assert await ledger.names_of(among) == {MADE}
    assert await ledger.names_of(frozenset({OTHER})) == frozenset()


async def test_what_failed_or_was_released_names_nothing(ledger: Ledger) -> None:
    """Whoever tries it again brings its references again."""
    for shot_key in ("failed", "released"):
        await ledger.reserve(asking_for(shot_key, PARENT))
    await ledger.mark_sending("failed", 1)
    await ledger.mark_running("failed", 1, "job")
    await ledger.mark_failed("failed", 1, "E1", "no picture")
    await ledger.release("released", 1, None, "never sent")

    assert await ledger.names_of(frozenset({PARENT})) == frozenset()
    assert [entry.shot_key for entry in await ledger.in_states(ShotState.FAILED)] == ["failed"]


async def test_a_part_of_a_longer_number_is_no_name(ledger: Ledger) -> None:
    """64 digits out of 65 are not a picture's."""
    await ledger.reserve(asking_for("shot", f"{PARENT}b"))

    assert await ledger.names_of(frozenset({PARENT})) == frozenset()


async def test_runs_at_work_are_those_that_are_not_gone(ledger: Ledger) -> None:
    """The oldest first; who has ended is not among them."""
    for run_id in ("first", "second", "third"):
        await ledger.begin_run(run_id)
    await ledger.end_run("second")

    assert await ledger.runs_at_work() == ("first", "third")
