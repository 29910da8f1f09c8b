"""Letters on the overview: a font that has them, and something readable where no font of this machine does.

The font that comes with Pillow draws Latin, and a box for everything else.
"""

import unicodedata
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from PIL import ImageDraw, ImageFont

Draw = ImageDraw.ImageDraw
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

FOLDERS = (
    Path("/usr/share/fonts"),
    Path("/usr/local/share/fonts"),
    Path("/System/Library/Fonts"),
    Path("/Library/Fonts"),
    Path("C:/Windows/Fonts"),
)
WIDE_FONTS = (
    "NotoSansCJK-Regular",
    "NotoSansCJKsc-Regular",
    "SourceHanSans-Regular",
    "DroidSansFallback",
    "DroidSansFallbackFull",
    "wqy-microhei",
    "wqy-zenhei",
    "PingFang",
    "Hiragino Sans GB",
    "AppleSDGothicNeo",
    "Arial Unicode",
    "msyh",
    "YuGothR",
    "malgun",
    "NotoSans-Regular",
    "DejaVuSans",
    "LiberationSans-Regular",
)
"""Fonts with many scripts, as Linux, macOS and Windows have them, the widest first."""

SUFFIXES = frozenset({".ttf", ".ttc", ".otf"})
LEFT_OUT = "…"
PROBED_SIZE_PX = 20
NO_LETTER = "\uffff"
"""A code point that is no character: every font draws its box for it."""

MOST_LETTERS = 400


def font_of(size_px: int, path: Path | None = None) -> Font:
    """Loads a font: Pillow's own, unless another one is named."""
    return _default(size_px) if path is None else _loaded(path, size_px)


def lettered(text: str, size_px: int) -> tuple[str, Font]:
    """Finds a font for a text, and what of the text can be drawn with it.

    Returns:
        The text on one line, at most 400 letters, and the font. What no font has is drawn without its accents, or left
        out as an ellipsis; the text is empty where nothing of it is left.
    """
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split(" "))[:MOST_LETTERS]
    wanted = frozenset(line) - {" "}
    fonts: list[Path | None] = [None, *wide_fonts()] if _missing(wanted, None) else [None]
    best = min(fonts, key=lambda path: len(_missing(wanted, path)))  # of equals the first
    return _without(line, _missing(wanted, best)), font_of(size_px, best)


def shortened(draw: Draw, text: str, size_px: int, room_px: float) -> tuple[str, Font]:
    """Makes a text fit into a width; what is longer ends in an ellipsis."""
    line, font = lettered(text, size_px)
    if draw.textlength(line, font=font) <= room_px:
        return line, font
    while line and draw.textlength(line + "…", font=font) > room_px:
        line = line[:-1]
    return line.rstrip() + "…", font


@cache
def wide_fonts() -> tuple[Path, ...]:
    """Finds the wide fonts of this machine, the widest first."""
    found: dict[str, Path] = {}
    for file in _files(FOLDERS):
        if file.stem in WIDE_FONTS and file.suffix.lower() in SUFFIXES:
            found.setdefault(file.stem, file)
    return tuple(found[name] for name in WIDE_FONTS if name in found)


def _files(folders: Iterable[Path]) -> Iterable[Path]:
    for folder in folders:
        yield from sorted(folder.rglob("*"))


@cache
def _missing(wanted: frozenset[str], path: Path | None) -> frozenset[str]:
    """The letters for which a font has only its box."""
    try:
        font = font_of(PROBED_SIZE_PX, path)
    except OSError:
        return wanted  # no font, whatever its name says
    box = _shape(font, NO_LETTER)
    return frozenset(char for char in wanted if _shape(font, char) == box)


def _shape(font: Font, char: str) -> tuple[object, bytes]:
    mask = font.getmask(char)
    return mask.size, bytes(mask)


def _without(line: str, missing: frozenset[str]) -> str:
    """Draws what is missing without its accents, or leaves it out; in a row of those one ellipsis is enough."""
    drawn = ""
    for char in line:
        plain = char if char not in missing else _plain(char)
        drawn += "" if plain == LEFT_OUT and drawn.endswith(LEFT_OUT) else plain
    return "" if drawn.strip(f"{LEFT_OUT} ") == "" else drawn


def _plain(char: str) -> str:
    letters = "".join(part for part in unicodedata.normalize("NFKD", char) if part.isascii() and part.isalnum())
    return letters or LEFT_OUT


@cache
def _default(size_px: int) -> Font:
    return ImageFont.load_default(size=size_px)


@cache
def _loaded(path: Path, size_px: int) -> Font:
    return ImageFont.truetype(path, size_px)
