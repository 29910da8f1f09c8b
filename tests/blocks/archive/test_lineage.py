from blocks.archive.catalogue import Catalogue, CatalogueEntry
from blocks.archive.lineage import MAX_DESCENDANTS, MAX_STEPS
from tests.blocks.archive.test_catalogue import entry, sha

LENGTH = 50


def chain(first: int, length: int) -> list[CatalogueEntry]:
    """A picture, and its edits one after another."""
    return [
        entry(number, step=number - first, parent_sha256=None if number == first else sha(number - 1))
        for number in range(first, first + length)
    ]


async def test_the_way_up_and_down_a_chain(catalogue: Catalogue) -> None:
    """From any image: all before it, the first one first; all after it, step by step. Others are not touched."""
    edits = chain(1, LENGTH)
    await catalogue.add([*edits, *chain(1000, 3)])

    assert await catalogue.ancestors_of(edits[-1].sha256) == tuple(edits[:-1])
    assert await catalogue.descendants_of(edits[0].sha256) == tuple(edits[1:])
    assert await catalogue.ancestors_of(edits[20].sha256) == tuple(edits[:20])
    assert await catalogue.descendants_of(edits[20].sha256) == tuple(edits[21:])
    assert await catalogue.ancestors_of(edits[0].sha256) == ()
    assert await catalogue.descendants_of(sha(999)) == ()


async def test_branches_follow_their_parents(catalogue: Catalogue) -> None:
    """Edits of edits come after all edits of the image itself, the older ones first."""
    branches = [entry(1), *(entry(number, parent_sha256=sha(number // 2)) for number in range(2, 16))]
    await catalogue.add(branches)

    assert await catalogue.descendants_of(sha(1)) == tuple(branches[1:])
    assert [each.sha256 for each in await catalogue.descendants_of(sha(3))] == [sha(n) for n in (6, 7, 12, 13, 14, 15)]
    assert [each.sha256 for each in await catalogue.ancestors_of(sha(13))] == [sha(1), sha(3), sha(6)]


async def test_a_parent_that_is_not_here_ends_the_way(catalogue: Catalogue) -> None:
    """What is missing is told by `verify`, not by a question about something else."""
    await catalogue.add([entry(2, parent_sha256=sha(1)), entry(3, parent_sha256=sha(2))])

    assert [each.sha256 for each in await catalogue.ancestors_of(sha(3))] == [sha(2)]


async def test_rows_that_go_round_in_a_circle_have_an_end(catalogue: Catalogue) -> None:
    """A damaged row hangs nothing up."""
    await catalogue.add([entry(1, parent_sha256=sha(2)), entry(2, parent_sha256=sha(1))])

    assert len(await catalogue.ancestors_of(sha(1))) <= MAX_STEPS
    assert len(await catalogue.descendants_of(sha(1))) <= MAX_DESCENDANTS


async def test_a_row_is_put_in_the_place_of_another(catalogue: Catalogue) -> None:
    """What is put holds, whatever was there; other rows stay."""
    await catalogue.add([entry(1), entry(2)])
    changed = entry(1, seed=None, prompt="another", parent_sha256=sha(2), fingerprint=b"\0" * 24)
    await catalogue.put([changed, entry(3)])
    await catalogue.put([])

    assert await catalogue.entries([sha(1), sha(2), sha(3)]) == (changed, entry(2), entry(3))


async def test_editions_that_are_known(catalogue: Catalogue) -> None:
    """Each once, however many shots it has."""
    assert await catalogue.editions() == frozenset()
    await catalogue.add_members("cups", "1", [("a", 0, 0), ("b", 1, 0)])
    await catalogue.add_members("cups", "2", [("a", 0, 0)])

    assert await catalogue.editions() == {("cups", "1"), ("cups", "2")}
