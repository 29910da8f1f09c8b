import contextlib
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from blocks.errors import BriefError
from blocks.provider import Money
from tasks.brief import Axis, Brief, Dedupe, EditStep, Generation, ReferenceSource, ReviewPolicy, RevisionBrief
from tasks.brief_reading import load_brief, load_revision, read_brief
from tasks.prompts import PromptSyntaxError
from tasks.review import policy_of

MINIMAL = "name: cards\nprompts: [a mug]\n"
TOP_FIELDS = (
    "archive, axes, budget, count, dedupe, edit, edits, generate, job_timeout_seconds, min_yield, name, on_lost, "
    "prompts, references, review, seed, seeds, target_unique, title"
)


@pytest.fixture
def refusal(tmp_path: Path) -> Callable[[str | bytes], str]:
    """Reads a file that has to be refused, and returns what a person is told, less the folder of this test."""

    def refuse(text: str | bytes) -> str:
        path = tmp_path / "cards.yaml"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        with pytest.raises(BriefError) as caught:
            load_brief(path)
        return str(caught.value).replace(f"{tmp_path}/", "")

    return refuse


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


def test_stages_name_their_places_and_providers(brief_of: Callable[..., Brief]) -> None:
    """Generation first, then the chain; each provider is needed once, in that order."""
    edits = ({"instruction": "warmer"}, {"instruction": "bigger", "provider": "scenario"})
    brief = brief_of(edits=edits)

    assert brief.stages() == (("generate", brief.generate), ("edits.0", brief.edits[0]), ("edits.1", brief.edits[1]))
    assert brief.templates() == (
        ("prompts.0", "a mug", brief.generate),
        ("edits.0.instruction", "warmer", brief.edits[0]),
        ("edits.1.instruction", "bigger", brief.edits[1]),
    )
    assert brief.providers == ("scenario", "sunra")


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


@pytest.mark.parametrize(
    ("text", "where", "line"),
    [
        (
            "edits: [{instruction: x, references: [cop]}]\nreferences: {cup: a.png}",
            "edits.0.references",
            "edits.0.references: no reference has the role 'cop'. Did you mean 'cup'?",
        ),
        (
            "generate: {references: [style]}\nreferences: {cup: a.png, hat: b.png}",
            "generate.references",
            "generate.references: no reference has the role 'style'. Known: cup, hat.",
        ),
        (
            "generate: {references: [style]}",
            "generate.references",
            "generate.references: no reference has the role 'style'.",
        ),
        ("axes: [{name: a, values: [x]}, {name: a, values: [y]}]", "axes", "axes: 'a' stands there twice."),
        (
            "references: [{role: a, source: x}, {role: a, source: y}]",
            "references",
            "references: 'a' stands there twice.",
        ),
        ("budget: {amount: -1, unit: USD}", "budget", "budget: has to be 0 or more, got -1 USD."),
        (
            "edits: [{instruction: 'make it ${ligth}'}]\naxes: {light: [dawn]}",
            "edits.0.instruction",
            "edits.0.instruction: Prompt, line 1, column 9, at '${ligth}': there is no axis named 'ligth'. "
            r"Did you mean ${light}? For a dollar sign before a brace write \$.",
        ),
        (
            "edits: [{instruction: ok}, {instruction: 'a {red|blue mug'}]",
            "edits.1.instruction",
            "edits.1.instruction: Prompt, line 1, column 3, at '{red|blue mug': this { is never closed. "
            r"Add its }, or write \{ for the brace itself.",
        ),
        (
            "edits: [{instruction: '{|warmer}'}]",
            "edits.0.instruction",
            "edits.0.instruction: can come out empty, and there is no picture of nothing. Add a word.",
        ),
    ],
)
def test_a_brief_that_contradicts_itself_is_refused(
    refusal: Callable[[str | bytes], str], text: str, where: str, line: str
) -> None:
    """Roles, axes and braces have to find their partners before anything is bought."""
    assert refusal(MINIMAL + text) == f"cards.yaml cannot be used: {line}"
    with pytest.raises(BriefError) as caught:
        read_brief(yaml.safe_load(MINIMAL + text), Brief, shown_as="cards.yaml")
    assert caught.value.where == where


def test_a_prompt_that_breaks_the_grammar_says_which_and_where() -> None:
    """With a hundred prompts one has to know which: its number, and line and column in it."""
    with pytest.raises(PromptSyntaxError) as caught:
        Brief(name="cards", prompts=("a mug", "two\nlines }"))

    assert (caught.value.where, caught.value.line, caught.value.column) == ("prompts.1", 2, 7)


@pytest.mark.parametrize("prompt", ["", " ", "{|a mug}", "${what}", "{ |{a|b}} ${what}"])
def test_a_prompt_that_can_come_out_empty_is_refused(prompt: str) -> None:
    """No provider takes an empty prompt; this is found before the first picture is paid for."""
    with pytest.raises(BriefError, match=r"^prompts\.0: can come out empty"):
        Brief(name="cards", prompts=(prompt,), axes=(Axis(name="what", values=("a mug", "")),))


@pytest.mark.parametrize("prompt", ["{|big} mug", "${what}!", "{a|b}{|c}", "{}", r"\|"])
def test_a_prompt_with_optional_words_is_taken(prompt: str) -> None:
    """Options may be empty, as long as something is left."""
    assert Brief(name="cards", prompts=(prompt,), axes=(Axis(name="what", values=("",)),)).prompts == (prompt,)


@pytest.mark.parametrize("name", ["Cards", "-a", "a-", "a b", "../a", "a/b", "a\n", "", "x" * 65, "ä"])
def test_names_are_fit_for_folders(refusal: Callable[[str | bytes], str], name: str) -> None:
    """A name becomes a folder and a key: nothing in it can lead elsewhere."""
    assert refusal(yaml.safe_dump({"name": name, "prompts": ["a mug"]})).startswith(
        "cards.yaml cannot be used:\n  - name: String should match pattern"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "cards.yaml holds no brief: a mapping with at least a `name` is expected."),
        ("- a\n- b", "cards.yaml holds no brief: a mapping with at least a `name` is expected."),
        ("just words", "cards.yaml holds no brief: a mapping with at least a `name` is expected."),
        (
            b"\xff\xfe",
            "'cards.yaml' cannot be read as a brief: 'utf-8' codec can't decode byte 0xff in position 0: "
            "invalid start byte",
        ),
        (
            "name: cards: two",
            'cards.yaml is no valid YAML: mapping values are not allowed here\n  in "cards.yaml", line 1, column 12:\n'
            "    name: cards: two\n               ^",
        ),
        (
            "seed: 2025-13-45",
            "cards.yaml is no valid YAML: '2025-13-45' is no timestamp; for a text, put quotes around it\n"
            '  in "cards.yaml", line 1, column 7:\n    seed: 2025-13-45\n          ^',
        ),
        ("a: " + "[" * 3000, "cards.yaml nests lists or mappings far deeper than any brief."),
    ],
    ids=["empty", "list", "text", "bytes", "syntax", "no date", "deep"],
)
def test_a_file_that_holds_no_brief_is_refused(
    refusal: Callable[[str | bytes], str], text: str | bytes, message: str
) -> None:
    """The file is named, and in YAML the line and column."""
    assert refusal(text) == message


@pytest.mark.parametrize(
    "value",
    [
        "!!int ''",
        "!!bool maybe",
        "!!timestamp soon",
        "!!float much",
        "1" * 5000,
        "!!python/name:os.system",
    ],
)
def test_values_that_yaml_cannot_make_are_refused_with_their_place(
    refusal: Callable[[str | bytes], str], value: str
) -> None:
    """What the YAML library says in its own ways, or would run, is a wrong brief like any other."""
    assert '"cards.yaml", line 3, column 7' in refusal(f"{MINIMAL}seed: {value}")


def test_a_missing_brief_is_named(tmp_path: Path) -> None:
    """The path that was looked for is in the message."""
    with pytest.raises(BriefError) as caught:
        load_brief(tmp_path / "none.yaml")
    assert str(caught.value) == f"There is no brief at {tmp_path}/none.yaml."


@pytest.mark.parametrize("path", ["", "no\0name.yaml", "x" * 5000])
def test_what_is_no_file_is_refused(tmp_path: Path, path: str) -> None:
    """A folder, and names that no file can have, cannot be read as a brief."""
    with pytest.raises(BriefError, match="cannot be read as a brief"):
        load_brief(tmp_path / path)


def test_nobodys_home_folder_is_refused(refusal: Callable[[str | bytes], str]) -> None:
    """`~name` needs somebody of that name."""
    message = refusal(MINIMAL + "references: {cup: ~nobody-of-that-name/cup.png}")

    assert message == "references.cup: there is no home folder '~nobody-of-that-name/cup.png' begins with."


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (r'"\e[31mred\n": 1', r"'\x1b[31mred\n': unknown field"),
        (r'"\u202Eder": 1', r"'\u202eder': unknown field"),
        (r'seeds: "\e[31mred\r\n"', r"(got '\x1b[31mred\r\n')"),
        (r'title: "\uD800"', r"(got '\ud800')"),
        (r'"\uD800": 1', r"(got '\ud800')"),
        ("seeds: " + "x" * 500, "(got 'xxxxxxxxxxxxxxxxxxxxxxxxxxx...xxxxxxxxxxxxxxxxxxxxxxxxxxxx')"),
        ("seeds: 0x" + "f" * 5000, "(got an enormous number)"),
        ("x" * 500 + ": 1", "xxx...xxx"),
        ("title: &a [*a]", "(got [[[...]]])"),
    ],
)
def test_hostile_values_are_shown_in_one_short_plain_line(
    refusal: Callable[[str | bytes], str], text: str, shown: str
) -> None:
    """A document cannot paint the terminal, forge lines of a log, or fill it."""
    message = refusal(MINIMAL + text)

    assert shown in message
    assert message.replace("\n", "").isprintable()
    assert message.count("\n") == 1
    assert len(message) < 500


def test_a_document_that_aliases_blow_up_is_refused_at_once(refusal: Callable[[str | bytes], str]) -> None:
    """Nine lines of YAML can stand for a billion entries: they are never walked."""
    lines = ["a0: &a0 [" + "x," * 10 + "]"]
    lines += [f"a{level}: &a{level} [" + f"*a{level - 1}," * 10 + "]" for level in range(1, 30)]

    assert "title: has to be a text" in refusal(MINIMAL + "\n".join(lines) + "\ntitle: *a29")


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=12)
    | st.dates()
    | st.binary(max_size=4)
    | st.sampled_from(["a {b|c}", "${light}", "{", "scenario", "@cup", "~x/y", "\x00", "http://["])
)
FIELDS = st.sampled_from(
    [
        *Brief.model_fields,
        *Generation.model_fields,
        *EditStep.model_fields,
        *Money.model_fields,
        "values",
        "role",
        "source",
    ]
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS | SCALARS, inner, max_size=4),
    max_leaves=12,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=250, deadline=None)
@given(st.dictionaries(FIELDS, VALUES, max_size=6) | VALUES)
def test_no_document_raises_anything_but_a_brief_error(tmp_path: Path, document: object) -> None:
    """Whatever a YAML document holds, it is a brief or it is refused with a message."""
    path = tmp_path / "any.yaml"
    path.write_text(yaml.dump({"name": "a", "prompts": "x", **document} if isinstance(document, dict) else document))
    with contextlib.suppress(BriefError):
        assert isinstance(load_brief(path), Brief)


YAML_TOKENS = st.sampled_from(
    [
        *"[]{},:?-&*!|>'\"%@`#~=<",
        "\n",
        "\n  ",
        ": ",
        "- ",
        "&a ",
        "*a",
        "!!",
        "!!int ",
        "!!map ",
        "<<: ",
        "...",
        "---\n",
    ]
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=250, deadline=None)
@given(st.lists(YAML_TOKENS | st.text(max_size=3) | FIELDS, max_size=25).map("".join) | st.binary(max_size=30))
def test_no_text_raises_anything_but_a_brief_error(tmp_path: Path, text: str | bytes) -> None:
    """Whatever is in the file, it is a brief or it is refused with a message."""
    path = tmp_path / "any.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
    with contextlib.suppress(BriefError):
        assert isinstance(load_brief(path), Brief)


def test_a_key_that_stands_twice_is_refused(tmp_path: Path) -> None:
    """YAML would silently keep the last: whoever wrote both meant both."""
    path = tmp_path / "twice.yaml"
    path.write_text("name: twice\nprompts: a mug\nreferences: {cup: a.png, cup: b.png}", encoding="utf-8")

    with pytest.raises(BriefError, match=r"'cup' stands there twice\s+in \"twice\.yaml\", line 3"):
        load_brief(path)


@pytest.mark.parametrize(
    ("written", "policy"),
    [
        (True, ReviewPolicy(timeout_hours=24, on_timeout="stop")),
        (False, None),
        (None, None),
        ({"timeout_hours": 0.5, "on_timeout": "go_on"}, ReviewPolicy(timeout_hours=0.5, on_timeout="go_on")),
    ],
)
def test_a_review_is_on_off_or_has_terms(written: object, policy: ReviewPolicy | None) -> None:
    """`review: true` is enough; what is switched off is None, so that nobody has to look twice."""
    assert Brief.model_validate({"name": "cards", "prompts": ["a mug"], "review": written}).review == policy
    assert policy_of(Brief(name="cards", prompts=("a mug",), review=policy), is_wanted=False) == policy
    assert policy_of(Brief(name="cards", prompts=("a mug",)), is_wanted=True) == ReviewPolicy()
