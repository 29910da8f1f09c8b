import hashlib
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from blocks.provider import LoraWeight, Money, PictureRequest
from tasks.models import (
    Binding,
    CampaignResult,
    Cost,
    Failure,
    ImageRecord,
    Made,
    Prompt,
    ReferenceUse,
    Shot,
    Verdict,
    derive_seed,
    sha256_of,
)

REQUEST = PictureRequest(
    model="m",
    prompt="ein Krug, 5 €",
    seed=7,
    width_px=512,
    height_px=512,
    steps=28,
    guidance=4.0,
    loras=(LoraWeight(id="a/b", scale=1),),
    references=("ab" * 32,),
)
CANONICAL = (
    '{"provider":"scenario","request":{"guidance":4,"height_px":512,"loras":[{"id":"a/b","scale":1}],"model":"m",'
    f'"outputs":1,"prompt":"ein Krug, 5 €","references":["{"ab" * 32}"],"seed":7,"steps":28,"width_px":512}},'
    '"sandbox":true}'
)
"""What RFC 8785 makes of the shot below: sorted keys, no white space, whole numbers without a point, UTF-8."""

SHOT = Shot(
    provider="scenario", sandbox=True, request=REQUEST, prompt=Prompt(text="a jug", template="a {jug|mug}"), position=0
)

REQUESTS = st.builds(
    PictureRequest,
    model=st.text(max_size=5),
    prompt=st.text(min_size=1, max_size=20),
    seed=st.integers(0, 2**31 - 1),
    guidance=st.none() | st.floats(0, 10),
    aspect_ratio=st.sampled_from([None, "1:1", "16:9"]),
    loras=st.lists(st.builds(LoraWeight, id=st.text(min_size=1, max_size=5), scale=st.floats(0, 4))).map(tuple),
    references=st.lists(st.text("0123456789abcdef", min_size=64, max_size=64), max_size=2).map(tuple),
)


def changed(shot: Shot, **changes: Any) -> Shot:
    return Shot.model_validate({**dict(shot), **changes})


def test_the_key_is_the_hash_of_the_canonical_json() -> None:
    """A shot key never changes from one version to the next: archives and ledgers know their shots by it."""
    assert SHOT.key == "c241646f7079dd82b141089ce87615d835a7cbca20520263f93465f73b2ec4a9"
    assert hashlib.sha256(CANONICAL.encode()).hexdigest() == SHOT.key


@pytest.mark.parametrize(
    "change",
    [
        {"model": "n"},
        {"prompt": "ein Krug, 6 €"},
        {"seed": 8},
        {"outputs": 2},
        {"width_px": 528},
        {"height_px": 528},
        {"aspect_ratio": "1:1"},
        {"steps": 27},
        {"guidance": 4.5},
        {"output_format": "png"},
        {"loras": ()},
        {"loras": (LoraWeight(id="a/b", scale=1.5),)},
        {"references": ()},
        {"references": ("ab" * 32, "cd" * 32)},
    ],
)
def test_every_parameter_of_the_request_is_in_the_key(change: dict[str, Any]) -> None:
    """What is sent to the provider decides what comes back: another request is another shot."""
    assert changed(SHOT, request=REQUEST.model_copy(update=change)).key != SHOT.key


def test_no_parameter_of_the_request_is_forgotten_above() -> None:
    """A new field of the request has to be thought of in the test of the key."""
    assert set(PictureRequest.model_fields) == {
        "model",
        "prompt",
        "seed",
        "outputs",
        "width_px",
        "height_px",
        "aspect_ratio",
        "steps",
        "guidance",
        "output_format",
        "loras",
        "references",
    }


@pytest.mark.parametrize("change", [{"provider": "sunra"}, {"sandbox": False}])
def test_who_makes_the_picture_is_in_the_key(change: dict[str, Any]) -> None:
    """The sandbox's picture never stands in for the vendor's, nor one vendor's for the other's."""
    assert changed(SHOT, **change).key != SHOT.key


@pytest.mark.parametrize(
    "change",
    [
        {"prompt": Prompt(text="other", template="other", bindings=(Binding(name="light", value="dawn"),))},
        {"position": 9},
        {"step": 2},
        {"parent_sha256": "ef" * 32},
        {"references": (ReferenceUse(role="cup", sha256="ab" * 32),)},
    ],
)
def test_where_a_shot_comes_from_is_not_in_its_key(change: dict[str, Any]) -> None:
    """The same work has the same key in every campaign: it is bought once."""
    assert changed(SHOT, **change).key == SHOT.key


def test_a_changed_copy_has_its_own_key() -> None:
    """A key belongs to a request: a copy that asks for something else never carries the key of its original."""
    original = changed(SHOT)
    known = original.key
    copy = original.model_copy(update={"request": REQUEST.model_copy(update={"seed": 8})})

    assert copy.key == changed(SHOT, request=copy.request).key != known


def test_the_order_of_references_and_loras_is_in_the_key() -> None:
    """A prompt counts its pictures: image 1 and image 2 are told apart by their order."""
    one = changed(SHOT, request=REQUEST.model_copy(update={"references": ("ab" * 32, "cd" * 32)}))
    other = changed(SHOT, request=REQUEST.model_copy(update={"references": ("cd" * 32, "ab" * 32)}))

    assert one.key != other.key


@given(REQUESTS)
def test_the_key_survives_storage_in_any_order_of_fields(request: PictureRequest) -> None:
    """A request that was written as JSON, and read again with its fields in another order, is the same shot."""
    fields = request.model_dump(mode="json")
    stored = PictureRequest.model_validate({name: fields[name] for name in reversed(fields)})

    assert changed(SHOT, request=stored).key == changed(SHOT, request=request).key


def test_label_tells_generated_from_edited() -> None:
    """A person sees in the list of runs what a shot is, and enough of its key to find it."""
    assert SHOT.label == f"shot · {SHOT.key[:8]}"
    assert changed(SHOT, step=2).label == f"edit 2 · {SHOT.key[:8]}"


def test_a_run_is_named_by_place_words_and_key() -> None:
    """In a timeline of two hundred runs a person finds a shot by its number and its words; a name is one short line."""
    request = SHOT.request.model_copy(update={"prompt": "a red\x1b[31m teapot\non a table of very old wood"})

    first = changed(SHOT, request=request, position=0)
    edit = changed(SHOT, request=request, position=11, step=2)

    assert first.run_name == f"shot 1 · a red [31m teapot on a table… · {first.key[:8]}"
    assert edit.run_name == f"edit 2 of shot 12 · a red [31m teapot on a table… · {edit.key[:8]}"


@pytest.mark.parametrize(
    ("parts", "seed"),
    [((), 204188172), (("generate", 0, "1", "a mug", 0), 1390772278), ((1,), 676699894), (("1",), 2104882305)],
)
def test_seeds_are_the_same_on_every_machine(parts: tuple[str | int, ...], seed: int) -> None:
    """A seed depends on its parts and their types alone; a change here would draw every campaign anew."""
    assert derive_seed(*parts) == seed


def test_seeds_know_where_a_part_ends() -> None:
    """Parts are kept apart, so that a prompt cannot take over the place of an edition."""
    assert len({derive_seed("ab", "c"), derive_seed("a", "bc"), derive_seed("abc"), derive_seed("c", "ab")}) == 4


@given(st.lists(st.text() | st.integers(0, 2**31 - 1)))
def test_seeds_are_in_the_range_of_both_providers(parts: list[str | int]) -> None:
    """Every seed can be sent: 0 to 2**31 - 1."""
    assert 0 <= derive_seed(*parts) <= 2**31 - 1


def test_sha256_of_names_bytes() -> None:
    """Bytes are known by their plain SHA-256, as any other tool computes it."""
    assert sha256_of(b"") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def money(amount: str, unit: str) -> Money:
    return Money(amount=Decimal(amount), unit=unit)


def test_cost_adds_up_each_unit_by_itself() -> None:
    """Creative units and dollars do not add up; what is unknown is left out; the sum is exact."""
    cost = Cost.of([money("0.1", "USD"), money("5", "CU"), None, money("0.2", "USD")])

    assert cost == Cost(amounts=(money("5", "CU"), money("0.3", "USD")))
    assert str(cost) == "5 CU + 0.3 USD"


def test_no_cost_is_nothing() -> None:
    """A run that bought nothing says so in a word."""
    assert str(Cost.of([None])) == "nothing"


@pytest.mark.parametrize(("amount", "shown"), [("50", "50"), ("0.0030", "0.003"), ("1E+3", "1000"), ("0.00", "0")])
def test_amounts_are_written_for_people(amount: str, shown: str) -> None:
    """No exponents and no idle zeros."""
    assert str(money(amount, "USD")) == f"{shown} USD"


def test_made_adds_up_in_order(image_of: Callable[..., ImageRecord]) -> None:
    """Outcomes of shots add up, in the order in which they are added; nothing is the empty outcome."""
    failure = Failure(shot_key="k", prompt="a mug", step=0, kind="JobFailed", message="no")
    first = Made(images=(image_of(sha256="1"),), bought=1)
    second = Made(images=(image_of(sha256="2"), image_of(sha256="3")), failures=(failure,), bought=2, reused=4)

    assert sum((first, second), Made()) == Made(
        images=(image_of(sha256="1"), image_of(sha256="2"), image_of(sha256="3")),
        failures=(failure,),
        bought=3,
        reused=4,
    )


def verdict(sha256: str, keeper_sha256: str) -> Verdict:
    kind = "keeper" if sha256 == keeper_sha256 else "duplicate"
    return Verdict(sha256=sha256, kind=kind, keeper_sha256=keeper_sha256, distance_bits=0, reason="")


def test_keepers_come_in_the_order_of_the_plan_and_once(image_of: Callable[..., ImageRecord]) -> None:
    """Verdicts may come in any order; two shots that gave the very same bytes gave one image."""
    images = tuple(image_of(sha256=name, position=place) for place, name in enumerate("cabac"))
    verdicts = (verdict("a", "a"), verdict("b", "a"), verdict("c", "c"))
    result = CampaignResult(
        campaign="cards",
        edition="1",
        archive="/archive",
        images=images,
        verdicts=verdicts,
        failures=(),
        bought=5,
        reused=0,
        cost=Cost(),
        contact_sheet="sheet.html",
    )

    assert result.keepers == (images[0], images[1])
    assert result.duplicates == (verdicts[1],)


def test_a_record_comes_back_from_its_file_as_it_was(image_of: Callable[..., ImageRecord]) -> None:
    """What an archive writes it can read: exact decimals, time with its zone, unknown cost as unknown."""
    for record in (image_of(), image_of(cost=None)):
        assert ImageRecord.model_validate_json(record.model_dump_json()) == record


def test_values_are_never_changed_and_take_no_unknown_field() -> None:
    """A value that was handed on cannot change behind anybody's back, and a typing error is not swallowed."""
    with pytest.raises(ValidationError, match="frozen"):
        setattr(SHOT, "position", 3)  # noqa: B010 - mypy knows already that it cannot be assigned
    with pytest.raises(ValidationError, match="Extra inputs"):
        changed(SHOT, referencs=())
