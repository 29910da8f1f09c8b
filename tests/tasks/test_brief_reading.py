from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from blocks.errors import BriefError
from blocks.provider import Money
from tasks.brief import Axis, Brief, Dedupe, EditStep, Generation, ReferenceSource, RevisionBrief
from tasks.brief_reading import load_brief, load_revision
from tests.tasks.conftest import MINIMAL

TOP_FIELDS = (
    "archive, axes, budget, count, dedupe, edit, edits, generate, job_timeout_seconds, min_yield, name, on_lost, "
    "prompts, references, review, seed, seeds, target_unique, title"
)


@pytest.fixture
def read(tmp_path: Path) -> Callable[[str], Brief]:
    """Reads a brief from the text of a file."""

    def load(text: str) -> Brief:
        path = tmp_path / "cards.yaml"
        path.write_text(text, encoding="utf-8")
        return load_brief(path)

    return load


def test_a_whole_brief_is_read(read: Callable[[str], Brief], tmp_path: Path) -> None:
    """Every field of the document arrives in the model, and nothing else."""
    brief = read(
        """
        name: cards
        title: Cards for a shop
        prompts: ["a {red|blue} mug, ${light}"]
        axes: {light: [dawn, dusk]}
        count: 3
        seeds: 2
        seed: 11
        references: {cup: cup.jpg, style: https://pictures.example/style.png}
        generate: {provider: scenario, width_px: 768, height_px: 512, steps: 20, guidance: 3.5, outputs: 2,
                   references: [style], loras: [{id: model_x, scale: 0.8}]}
        edits:
          - {instruction: "put @cup here", references: [cup], aspect_ratio: "1:1", output_format: png}
        edit: all
        dedupe: {scope: campaign, threshold: loose}
        budget: {amount: "1.50", unit: USD}
        archive: pictures
        on_lost: resubmit
        job_timeout_seconds: 60
        """
    )

    assert brief == Brief(
        name="cards",
        title="Cards for a shop",
        prompts=("a {red|blue} mug, ${light}",),
        axes=(Axis(name="light", values=("dawn", "dusk")),),
        count=3,
        seeds=2,
        seed=11,
        references=(
            ReferenceSource(role="cup", source=str(tmp_path / "cup.jpg")),
            ReferenceSource(role="style", source="https://pictures.example/style.png"),
        ),
        generate=Generation.model_validate(
            {
                "width_px": 768,
                "height_px": 512,
                "steps": 20,
                "guidance": 3.5,
                "outputs": 2,
                "references": ["style"],
                "loras": [{"id": "model_x", "scale": 0.8}],
            }
        ),
        edits=(EditStep(instruction="put @cup here", references=("cup",), aspect_ratio="1:1", output_format="png"),),
        edit="all",
        dedupe=Dedupe(scope="campaign", threshold="loose"),
        budget=Money(amount=Decimal("1.50"), unit="USD"),
        archive="pictures",
        on_lost="resubmit",
        job_timeout_seconds=60,
    )


def test_what_is_left_out_has_a_default(read: Callable[[str], Brief]) -> None:
    """Two lines are a whole brief; one prompt needs no list."""
    assert read("name: cards\nprompts: a mug") == Brief(name="cards", prompts=("a mug",))


def test_axes_and_references_may_be_lists_or_mappings(read: Callable[[str], Brief]) -> None:
    """The short form and the long form are the same brief, in the same order."""
    short = read(MINIMAL + "axes: {light: [dawn], city: [Ulm]}\nreferences: {cup: a.png, b: c.png}")
    long = read(
        MINIMAL + "axes: [{name: light, values: [dawn]}, {name: city, values: [Ulm]}]\n"
        "references: [{role: cup, source: a.png}, {role: b, source: c.png}]"
    )

    assert short == long
    assert short.axis_values == {"light": ("dawn",), "city": ("Ulm",)}


def test_references_lie_beside_the_brief(read: Callable[[str], Brief], tmp_path: Path, monkeypatch: Any) -> None:
    """A brief can be run from any folder; full paths, home folders and URLs stay what they are."""
    monkeypatch.setenv("HOME", "/home/ada")
    brief = read(
        MINIMAL
        + "references: {a: photos/a.png, b: ../b.png, c: /srv/c.png, d: ~/d.png, e: 'HTTP://host.example/e.png'}"
    )

    assert {each.role: each.source for each in brief.references} == {
        "a": str(tmp_path / "photos/a.png"),
        "b": str(tmp_path / "../b.png"),
        "c": "/srv/c.png",
        "d": "/home/ada/d.png",
        "e": "HTTP://host.example/e.png",
    }


def test_a_brief_that_is_one_is_handed_through() -> None:
    """In Python a brief may be built instead of read; it is taken as it is."""
    brief, revision = Brief(name="a", prompts=("x",)), RevisionBrief(name="a")

    assert load_brief(brief) is brief
    assert load_revision(revision) is revision


def test_a_revision_needs_no_prompts(tmp_path: Path) -> None:
    """A revision is a brief whose pictures exist: prompts have no place in it."""
    path = tmp_path / "warmer.yaml"
    path.write_text("name: warmer\nedits: [{instruction: warmer light}]", encoding="utf-8")
    assert load_revision(path) == RevisionBrief(name="warmer", edits=(EditStep(instruction="warmer light"),))

    path.write_text("name: warmer\nprompts: [a mug]", encoding="utf-8")
    with pytest.raises(BriefError, match=r"prompts: unknown field\. Known: archive, axes, budget"):
        load_revision(path)


@pytest.mark.parametrize(("title", "shown"), [("", "Cards for two"), ("title: 'Karten für zwei'", "Karten für zwei")])
def test_the_contact_sheet_has_a_title(read: Callable[[str], Brief], title: str, shown: str) -> None:
    """Without a title the name serves, made fit for reading."""
    assert read(f"name: cards-for-two\nprompts: [a mug]\n{title}").shown_title == shown


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("sedes: 3", "sedes: unknown field. Did you mean 'seeds'?"),
        ("colour: red", f"colour: unknown field. Known: {TOP_FIELDS}."),
        ("generate: {width: 512}", "generate.width: unknown field. Did you mean 'width_px'?"),
        ("edits: [{instruction: x, step: 4}]", "edits.0.step: unknown field. Did you mean 'steps'?"),
        ("review: {timeout_hour: 2}", "review.timeout_hour: unknown field. Did you mean 'timeout_hours'?"),
        ("dedupe: {treshold: loose}", "dedupe.treshold: unknown field. Did you mean 'threshold'?"),
        (
            "generate: {loras: [{id: a/b, scle: 2}]}",
            "generate.loras.0.scle: unknown field. Did you mean 'scale'?",
        ),
        (
            "references: [{role: cup, source: a.png, rol: cup}]",
            "references.0.rol: unknown field. Did you mean 'role'?",
        ),
        (
            "axes: [{name: light, values: [dawn], value: dusk}]",
            "axes.0.value: unknown field. Did you mean 'values'?",
        ),
        ("budget: {amount: 5}", "budget.unit: is missing."),
        ("edits: [{provider: sunra}]", "edits.0.instruction: is missing."),
        (
            "generate: {provider: midjourney}",
            "generate.provider: Input should be 'scenario' or 'sunra' (got 'midjourney').",
        ),
        ("count: 0", "count: Input should be greater than or equal to 1 (got 0)."),
        ("count: 10001", "count: Input should be less than or equal to 10000 (got 10001)."),
        ("seed: -1", "seed: Input should be greater than or equal to 0 (got -1)."),
        ("seed: 2147483648", "seed: Input should be less than or equal to 2147483647 (got 2147483648)."),
        ("job_timeout_seconds: .nan", "job_timeout_seconds: Input should be less than or equal to 86400 (got nan)."),
        ("budget: {amount: .inf, unit: USD}", "budget.amount: Input should be a finite number (got inf)."),
        ("edits: warmer", "edits: has to be a list (got 'warmer')."),
        ("edits: [warmer]", "edits.0: has to be a mapping (got 'warmer')."),
        ("axes: {light: dawn}", "axes.0.values: has to be a list (got 'dawn')."),
        ("axes: {light: []}", "axes.0.values: needs at least one entry (got [])."),
        (
            "axes: {year: [no]}",
            "axes.0.values.0: has to be a text; numbers, dates and yes or no need quotes around them (got False).",
        ),
        (
            "references: {cup: 5}",
            "references.0.source: has to be a text; numbers, dates and yes or no need quotes around them (got 5).",
        ),
        ("1: x", "1: Keys should be strings (got 1)."),
    ],
)
def test_each_wrong_field_is_named_with_its_place(refusal: Callable[[str | bytes], str], text: str, line: str) -> None:
    """One line says where it is, what is wrong, and what would be right."""
    assert refusal(MINIMAL + text) == f"cards.yaml cannot be used:\n  - {line}"


def test_all_wrong_fields_are_named_at_once(refusal: Callable[[str | bytes], str]) -> None:
    """Nobody mends a brief error by error."""
    assert refusal("promts: [a mug]\nseeds: many").splitlines() == [
        "cards.yaml cannot be used:",
        "  - name: is missing.",
        "  - prompts: is missing.",
        "  - seeds: Input should be a valid integer, unable to parse string as an integer (got 'many').",
        "  - promts: unknown field. Did you mean 'prompts'?",
    ]


@pytest.mark.parametrize("name", ["Cards", "-a", "a-", "a b", "../a", "a/b", "a\n", "", "x" * 65, "ä"])
def test_names_are_fit_for_folders(refusal: Callable[[str | bytes], str], name: str) -> None:
    """A name becomes a folder and a key: nothing in it can lead elsewhere."""
    assert refusal(yaml.safe_dump({"name": name, "prompts": ["a mug"]})).startswith(
        "cards.yaml cannot be used:\n  - name: String should match pattern"
    )


def test_nobodys_home_folder_is_refused(refusal: Callable[[str | bytes], str]) -> None:
    """`~name` needs somebody of that name."""
    message = refusal(MINIMAL + "references: {cup: ~nobody-of-that-name/cup.png}")

    assert message == "references.cup: there is no home folder '~nobody-of-that-name/cup.png' begins with."
