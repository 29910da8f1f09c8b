import re
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prefect.utilities.schema_tools.validation import is_valid
from pydantic import BaseModel, Field, ValidationError

from tasks.frame_numbers import FRAMES_PATTERN, UnclearAnswer, read_frame, read_frames, write_frames
from tasks.report.view import label_order

FIRST = [str(number) for number in range(1, 25)]
EDITED = ["1A", "1B", "2A", "7A", "12A", "12B"]

numbers = st.lists(st.sampled_from(FIRST), unique=True)


@pytest.mark.parametrize(
    ("text", "labels", "meant"),
    [
        ("", FIRST, ()),
        (" ,; \n", FIRST, ()),
        ("2, 5, 7-9", FIRST, ("2", "5", "7", "8", "9")),
        ("9–7 2;2\n5", FIRST, ("2", "5", "7", "8", "9")),
        ("02", FIRST, ("2",)),
        ("1", EDITED, ("1A", "1B")),
        ("1b, 12", EDITED, ("1B", "12A", "12B")),
        ("1B - 7", EDITED, ("1B", "2A", "7A")),
        ("5 - 8", ["5", "6", "8"], ("5", "6", "8")),
    ],
)
def test_numbers_ranges_and_whole_families_are_understood(text: str, labels: list[str], meant: tuple[str, ...]) -> None:
    """People write lists as they come; each frame counts once, in the order of the sheet."""
    assert read_frames(text, labels) == meant


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("99", "99 cannot be meant here; the frames are 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 … 24."),
        ("20-99, 0", "99, 0 cannot be meant here; the frames are 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 … 24."),
        ("2A", "2A cannot be meant here; the frames are 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 … 24."),
        ("the blue one", "'the blue one' is no list of frame numbers: write it as 2, 5, 7-9."),
        ("2,,x", "'2,,x' is no list of frame numbers: write it as 2, 5, 7-9."),
        ("-3", "'-3' is no list of frame numbers: write it as 2, 5, 7-9."),
    ],
)
def test_what_cannot_be_meant_is_named(text: str, message: str) -> None:
    """The message repeats what was typed and says what there is."""
    with pytest.raises(UnclearAnswer) as refusal:
        read_frames(text, FIRST)
    assert str(refusal.value) == message


def test_one_frame_is_one_frame() -> None:
    """Where one is wanted, a list or a family of several is refused."""
    assert read_frame(" 12a ", EDITED) == "12A"
    assert read_frame("7", EDITED) == "7A"
    for text in ("1", "1A, 2A", ""):
        with pytest.raises(UnclearAnswer, match="has to be the number of one frame"):
            read_frame(text, EDITED)


@given(numbers)
def test_what_is_written_is_read_again(labels: list[str]) -> None:
    """A form that is filled in by us means what was decided."""
    assert read_frames(write_frames(labels), FIRST) == tuple(sorted(labels, key=label_order))


@given(st.text(alphabet="0123456789aZ ,;-–\n\t\x1cé", max_size=12), st.lists(st.sampled_from(FIRST + EDITED)))
def test_no_text_breaks_the_reader(text: str, labels: list[str]) -> None:
    """Whatever is typed names some of the frames, or is refused with a message."""
    with suppress(UnclearAnswer):
        assert set(read_frames(text, labels)) <= set(labels)


class _Form(BaseModel):
    numbers: str = Field(pattern=FRAMES_PATTERN)


@given(st.text(alphabet="0123456789aZ ,;-–\n", max_size=12))
def test_the_form_refuses_what_the_reader_refuses(text: str) -> None:
    """The pattern means the same to Prefect's server, to pydantic and to the reader: nonsense ends at the form."""
    is_list = re.fullmatch(FRAMES_PATTERN, text) is not None
    assert is_valid({"numbers": text}, _Form.model_json_schema()) == is_list
    try:
        _Form(numbers=text)
    except ValidationError:
        assert not is_list
    else:
        assert is_list


def test_the_pattern_is_read_in_linear_time() -> None:
    """A long text that nearly fits is refused at once: the server reads it for anybody."""
    assert re.fullmatch(FRAMES_PATTERN, "1 " * 20_000 + "x") is None
    assert re.fullmatch(FRAMES_PATTERN, "1" * 20_000 + "x") is None
    assert re.fullmatch(FRAMES_PATTERN, " " * 20_000 + "x") is None
    assert re.fullmatch(FRAMES_PATTERN, "1-" * 20_000) is None
