from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from tasks.report import lettering
from tasks.report.lettering import lettered, shortened, wide_fonts


@pytest.fixture
def without_fonts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with no font but Pillow's own."""
    monkeypatch.setattr(lettering, "wide_fonts", tuple)


@pytest.fixture
def among(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Path], None]]:
    """A machine with one more folder of fonts."""

    def put(folder: Path) -> None:
        monkeypatch.setattr(lettering, "FOLDERS", (folder,))
        wide_fonts.cache_clear()

    yield put
    wide_fonts.cache_clear()


@pytest.mark.parametrize(
    ("text", "drawn"),
    [
        ("Teapots & cups, 85 mm", "Teapots & cups, 85 mm"),
        ("茶壺 for a small shop", "… for a small shop"),
        ("ộ ᾳ ㎏", "o … kg"),
        ("a\tb\nc\x00d", "a b c d"),
        ("茶壺", ""),
        ("", ""),
        ("x" * 500, "x" * 400),
    ],
)
def test_no_box_is_ever_drawn(without_fonts: None, text: str, drawn: str) -> None:
    """What no font has loses its accents or is left out; where nothing is left, the caller knows a better word."""
    assert lettered(text, 20)[0] == drawn


@given(text=st.text(max_size=40))
def test_any_text_has_a_font_and_fits(text: str) -> None:
    """Whatever people write as a title: one line, within the width."""
    draw = ImageDraw.Draw(Image.new("RGB", (400, 40)))
    line, font = shortened(draw, text, 20, room_px=120)

    assert "\n" not in line
    assert line.strip("…") == "" or draw.textlength(line, font=font) <= 120


def test_a_font_with_the_letters_is_taken(among: Callable[[Path], None]) -> None:
    """Cyrillic is not in Pillow's font, and in nearly every other one."""
    if not wide_fonts():
        pytest.skip("this machine has no wide font (Debian: fonts-dejavu-core)")
    line, font = lettered("Чайник", 20)

    assert line == "Чайник"
    assert font.getbbox(line) != lettered("Teapot", 20)[1].getbbox(line)


def test_a_broken_font_file_is_passed_over(among: Callable[[Path], None], tmp_path: Path) -> None:
    """A name promises letters, the bytes may not keep it."""
    (tmp_path / "NotoSansCJK-Regular.ttc").write_bytes(b"no font")
    among(tmp_path)

    assert wide_fonts() == (tmp_path / "NotoSansCJK-Regular.ttc",)
    assert lettered("茶壺 for sale", 20)[0] == "… for sale"
