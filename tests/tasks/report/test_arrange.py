from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tasks.models import Binding, Prompt, ReferenceUse, Verdict
from tasks.report.arrange import build_view, number_frames, pictures_of
from tasks.report.view import Family, label_order
from tasks.report.wording import Words, highlight


def labels(family: Family) -> list[list[str]]:
    return [[frame.label for frame in strip] for strip in family.strips]


def test_an_edit_chain_reads_from_the_generated_picture_to_the_last_edit(studio: Any) -> None:
    """Edits are linked by their parent and numbered as on film: 1, 1A, 1B."""
    first = studio.add("a pot")
    second = studio.add("a pot", parent=first, instruction="make it blue")
    studio.add("a pot", parent=second, instruction="add steam")
    studio.add("a pot")

    (section,) = build_view(studio.sheet()).sections

    assert [labels(family) for family in section.families] == [[["1", "1A", "1B"]], []]
    assert [frame.instruction for frame in section.families[0].strips[0]] == ["", "make it blue", "add steam"]


def test_chains_that_follow_each_other_share_a_run(studio: Any) -> None:
    """A wide screen has room for several of them side by side; pictures without edits stand apart from them."""
    for edited in (True, True, False, True):
        first = studio.add("a pot")
        if edited:
            studio.add("a pot", parent=first, instruction="make it blue")

    (section,) = build_view(studio.sheet()).sections

    assert [[family.root.label for family in run] for run in section.runs] == [["1", "2"], ["3"], ["4"]]


def test_branches_of_one_picture_are_strips_of_one_family(studio: Any) -> None:
    """Two edits of the same picture make two strips; whole chains are compared before single steps."""
    root = studio.add("a pot")
    blue = studio.add("a pot", parent=root, instruction="blue")
    studio.add("a pot", parent=root, instruction="red")
    studio.add("a pot", parent=blue, instruction="add steam")

    (family,) = build_view(studio.sheet()).sections[0].families

    assert labels(family) == [["1", "1A", "1C"], ["1", "1B"]]
    assert [(before.label, after.label) for before, after in family.comparisons] == [
        ("1", "1C"),
        ("1", "1B"),
        ("1", "1A"),
        ("1A", "1C"),
    ]


def test_an_edit_of_an_older_picture_shows_that_picture_first(studio: Any) -> None:
    """A parent that another campaign made is shown from the archive, and not counted as made."""
    studio.add("make it blue", parent="f" * 64, instruction="make it blue")

    view = build_view(studio.sheet())

    root = view.sections[0].families[0].root
    assert (root.state, root.sha256, root.label) == ("archived", "f" * 64, "1")
    assert [frame.label for frame in view.frames] == ["1A"]
    assert view.sections[0].prompt.text == "make it blue"


def test_duplicates_fold_under_their_keeper(studio: Any) -> None:
    """A duplicate is no frame of its own: it lies under its keeper with its distance and reason."""
    keeper = studio.add("a pot")
    studio.add("a pot", repeats=keeper, distance_bits=4)

    (family,) = build_view(studio.sheet()).sections[0].families

    (group,) = family.repeats
    (duplicate,) = group.duplicates
    assert (group.keeper.label, duplicate.label, duplicate.repeats) == ("1", "2", "1")
    assert duplicate.verdict is not None
    assert (duplicate.verdict.distance_bits, duplicate.verdict.reason) == (4, "the same composition, another grain")


def test_a_duplicate_that_was_edited_stays_where_its_chain_starts(studio: Any) -> None:
    """Folding away a picture never takes its edits off the page."""
    keeper = studio.add("a pot")
    duplicate = studio.add("a pot", repeats=keeper)
    studio.add("a pot", parent=duplicate, instruction="blue")

    families = build_view(studio.sheet()).sections[0].families

    assert [labels(family) for family in families] == [[], [["2", "2A"]]]
    assert [group.duplicates[0].label for group in families[0].repeats] == ["2"]


def test_duplicates_of_an_older_campaign_are_grouped_apart(studio: Any) -> None:
    """The keeper is shown from the archive, and its bytes are among the pictures to read."""
    studio.add("a pot", repeats="e" * 64)

    view = build_view(studio.sheet())

    assert view.sections == ()
    assert [(group.keeper.sha256, group.duplicates[0].label) for group in view.archive_repeats] == [("e" * 64, "1")]
    assert "e" * 64 in pictures_of(studio.sheet())


def test_sections_keep_the_order_of_the_plan(studio: Any) -> None:
    """Prompts stand in the order in which the plan first names them, each with all its pictures."""
    for text in ("b", "a", "b", "c"):
        studio.add(text)

    view = build_view(studio.sheet())

    shown = [(section.prompt.text, [family.root.label for family in section.families]) for section in view.sections]
    assert shown == [("b", ["1", "3"]), ("a", ["2"]), ("c", ["4"])]


def test_failures_are_grouped_by_kind(furnished: Any) -> None:
    """Each kind of error is one group, in order of appearance."""
    view = build_view(furnished.sheet())

    assert [(group.kind, len(group.failures)) for group in view.failures] == [("JobFailed", 1), ("JobTimedOut", 1)]


def test_an_unreadable_picture_is_marked_and_never_compared(studio: Any) -> None:
    """A slider with a missing half would lie about the edit."""
    first = studio.add("a pot")
    studio.add("a pot", parent=first, instruction="blue")

    (family,) = build_view(studio.sheet(), frozenset({first.sha256})).sections[0].families

    assert [frame.readable for frame in family.frames] == [False, True]
    assert family.comparisons == ()


def test_chosen_values_are_highlighted_as_whole_words() -> None:
    """The longest value wins, and no value is marked inside another word."""
    prompt = Prompt(
        text="restored pot, deep red, red light",
        template="",
        bindings=(Binding(name="light", value="red"), Binding(name="glaze", value="deep red")),
    )

    assert highlight(prompt) == (
        Words(text="restored pot, "),
        Words(text="deep red", axis="glaze"),
        Words(text=", "),
        Words(text="red", axis="light"),
        Words(text=" light"),
    )


def test_frame_numbers_sort_as_film_does() -> None:
    """10 comes after 2B, and AA after Z."""
    assert sorted(["10", "2B", "2", "2AA", "archive", "2Z"], key=label_order) == [
        "archive",
        "2",
        "2B",
        "2Z",
        "2AA",
        "10",
    ]


def test_one_reference_used_twice_is_shown_once(studio: Any) -> None:
    """References are listed by role, without repeats."""
    use = ReferenceUse(role="style", sha256="d" * 64)
    view = build_view(studio.sheet(references=(use, use)))

    assert [(frame.label, frame.sha256) for frame in view.references] == [("style", "d" * 64)]


NAMES = [f"{number:064x}" for number in range(7)]


@given(
    parents=st.lists(st.sampled_from([None, *NAMES]), min_size=1, max_size=6),
    keepers=st.lists(st.sampled_from([None, *NAMES]), min_size=6, max_size=6),
)
def test_no_picture_is_ever_left_off_the_page(
    new_studio: Any, parents: list[str | None], keepers: list[str | None]
) -> None:
    """However parents and verdicts point, also in circles: every picture is shown, with a number of its own."""
    studio = new_studio()
    template = studio.add("a pot")
    images = tuple(
        template.model_copy(update={"sha256": NAMES[index], "parent_sha256": parent})
        for index, parent in enumerate(parents)
    )
    verdicts = tuple(
        Verdict(
            sha256=NAMES[index],
            kind="duplicate" if keeper else "keeper",
            keeper_sha256=keeper or NAMES[index],
            distance_bits=1,
            reason="",
        )
        for index, keeper in enumerate(keepers)
    )

    view = build_view(studio.sheet(images=images, verdicts=verdicts))

    assert {frame.sha256 for frame in view.frames} == {image.sha256 for image in images}
    assert len({frame.label for frame in view.frames}) == len(images)


def test_numbers_are_known_before_there_is_a_sheet(furnished: Any) -> None:
    """A question in a review names pictures as the sheet does, and pictures that come later do not renumber them."""
    shown = {frame.sha256: frame.label for frame in build_view(furnished.sheet()).frames}
    numbered = number_frames(furnished.images)

    assert shown.items() <= numbered.items()
    for count in range(1, len(furnished.images)):
        assert number_frames(furnished.images[:count]).items() <= numbered.items()
