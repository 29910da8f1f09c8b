from blocks.archive.states import LEGAL_STEPS, ShotState, sources_of


def test_the_steps_are_the_documented_ones() -> None:
    """The table is the contract (design, section 4): a step more could buy twice, a step less could lose a picture."""
    steps = {(source.value, target.value) for source, targets in LEGAL_STEPS.items() for target in targets}
    assert steps == {
        ("reserved", "sending"),
        ("reserved", "released"),
        ("sending", "running"),
        ("sending", "lost"),
        ("sending", "released"),
        ("lost", "running"),
        ("running", "done"),
        ("running", "failed"),
    }


def test_within_an_attempt_there_is_no_way_back() -> None:
    """A row is known by shot, attempt and state; a circle would let a stale worker's step find a row again."""

    def reachable(state: ShotState) -> set[ShotState]:
        return set().union(*({target} | reachable(target) for target in LEGAL_STEPS[state]))

    assert all(state not in reachable(state) for state in ShotState)


def test_sources_are_the_table_read_backwards() -> None:
    """The conditional UPDATE admits exactly the table's sources."""
    assert set(sources_of(ShotState.RUNNING)) == {ShotState.SENDING, ShotState.LOST}
    assert all(
        (source in sources_of(target)) == (target in LEGAL_STEPS[source])
        for source in ShotState
        for target in ShotState
    )
