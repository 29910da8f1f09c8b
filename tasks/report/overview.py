"""One image of all pictures, like a printed contact sheet of 35 mm film: strips on near-black, numbers on the edge.

Its size is bounded: the more pictures, the smaller the frames, and beyond `MAX_FRAMES` it says how many are left out.
"""

import io
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from PIL import Image, ImageDraw, ImageEnhance, ImageOps
from pydantic import Field

from blocks.provider import Frozen
from tasks.report.lettering import Draw, font_of, shortened

MAX_SIDE_PX = 4000
MAX_FRAMES = 2000
WIDTH_PX = 2000
"""Of the strips, where the frames can have a good size in it."""
SMALLEST_FRAME_PX, LARGEST_FRAME_PX = 60, 420
LANDSCAPE = 1.5
"""Width over height that the whole image aims at."""

PAPER, FILM, HOLE, UNEXPOSED = (20, 18, 17), (6, 5, 5), (36, 33, 31), (22, 20, 19)
INK, SOFT, AMBER, RED = (239, 233, 223), (168, 159, 148), (240, 166, 60), (232, 74, 48)

UNTITLED = "Contact sheet"
"""Where nothing of a title can be drawn on this machine."""


class OverviewFrame(Frozen):
    """One picture of the overview."""

    label: str
    is_duplicate: bool
    is_rejected: bool = False
    thumb: bytes | None = Field(repr=False, description="A small JPEG; None where the picture cannot be shown.")


@dataclass(frozen=True)
class Layout:
    """Where everything lies, in pixels."""

    columns: int
    rows: int
    frame_px: tuple[int, int]

    @property
    def margin_px(self) -> int:
        """Around the strips."""
        return 48

    @property
    def head_px(self) -> int:
        """Height of the title."""
        return 150

    @property
    def gap_px(self) -> int:
        """Between two frames of a strip."""
        return max(3, self.frame_px[0] // 24)

    @property
    def band_px(self) -> int:
        """Height of the perforation, above and below the frames."""
        return max(6, self.frame_px[0] // 10)

    @property
    def text_px(self) -> int:
        """Size of the numbers."""
        return max(9, min(22, self.frame_px[0] // 13))

    @property
    def pitch_px(self) -> tuple[int, int]:
        """From one frame to the next, across and down."""
        across = self.frame_px[0] + self.gap_px
        down = self.frame_px[1] + 2 * self.band_px + round(1.7 * self.text_px) + max(6, self.frame_px[0] // 14)
        return across, down

    @property
    def size_px(self) -> tuple[int, int]:
        """Of the whole image."""
        across, down = self.pitch_px
        width_px = self.columns * across + self.gap_px + 2 * self.margin_px
        return width_px, self.head_px + self.rows * down + self.margin_px


def render_overview(title: str, subtitle: str, frames: Sequence[OverviewFrame], *, origin: str = "") -> bytes:
    """Draws the overview. CPU work: call it in a thread.

    Args:
        title: The sheet's title, shortened where it is too long.
        subtitle: A line of facts below it.
        frames: All pictures, in the order of their numbers.
        origin: A line below the strips that says who made the pictures.

    Returns:
        A PNG of at most 4000 x 4000 pixels; the same frames give the same bytes.
    """
    shown = frames[:MAX_FRAMES]
    layout = plan_layout(len(shown), _box_ratio(shown))
    sheet = Image.new("RGB", layout.size_px, PAPER)
    left_out = f"   and {len(frames) - len(shown)} more" if len(frames) > len(shown) else ""
    _draw_head(sheet, layout, title, subtitle + left_out)
    for row in range(layout.rows):
        first = row * layout.columns
        _draw_strip(sheet, layout, row, min(layout.columns, len(shown) - first) or layout.columns)
    for index, frame in enumerate(shown):
        _draw_frame(sheet, layout, index, frame)
    _draw_foot(sheet, layout, origin)
    with io.BytesIO() as file:
        sheet.save(file, "PNG")
        return file.getvalue()


def plan_layout(count: int, ratio: float) -> Layout:
    """Chooses columns and frame size so that the image is near 3:2 and no side passes 4000 pixels.

    Args:
        count: How many frames, at most `MAX_FRAMES`.
        ratio: Width over height of a frame.
    """
    layouts = (_layout(columns, max(count, 1), ratio) for columns in range(1, max(count, 4) + 1))
    fitting = [layout for layout in layouts if max(layout.size_px) <= MAX_SIDE_PX]
    return min(fitting, key=lambda layout: _strangeness(layout, count))


def _layout(columns: int, count: int, ratio: float) -> Layout:
    width_px = min(LARGEST_FRAME_PX, max(SMALLEST_FRAME_PX, round(WIDTH_PX / columns * 0.96)))
    return Layout(columns, math.ceil(count / columns), (width_px, round(width_px / ratio)))


def _strangeness(layout: Layout, count: int) -> float:
    """How far a layout is from the wanted shape, and how much of its last strip is missing."""
    width_px, height_px = layout.size_px
    missing = (layout.columns * layout.rows - count) / layout.columns
    return abs(math.log(width_px / height_px / LANDSCAPE)) + 0.3 * missing


def _box_ratio(frames: Sequence[OverviewFrame]) -> float:
    """Width over height of the boxes: of the picture in the middle of all, within reason."""
    pictures = (_open(frame.thumb) for frame in frames)
    ratios = [picture.width / picture.height for picture in pictures if picture is not None]
    return min(1.6, max(0.75, median(ratios))) if ratios else 1.0


def _open(thumb: bytes | None) -> Image.Image | None:
    """Reads the head of a picture, which tells its size; its pixels come with the first use."""
    if thumb is None:
        return None
    try:
        return Image.open(io.BytesIO(thumb), formats=("JPEG",))
    except OSError:
        return None  # no JPEG: somebody damaged the thumbnail


def _fit(thumb: bytes | None, box_px: tuple[int, int]) -> Image.Image | None:
    picture = _open(thumb)
    if picture is None:
        return None
    picture.draft("RGB", (2 * box_px[0], 2 * box_px[1]))  # lets the decoder skip detail that nobody will see
    try:
        return ImageOps.contain(picture.convert("RGB"), box_px, Image.Resampling.LANCZOS)
    except OSError:
        return None  # cut short


def _dim(picture: Image.Image) -> Image.Image:
    return ImageEnhance.Brightness(ImageEnhance.Color(picture).enhance(0.5)).enhance(0.55)


def _draw_head(sheet: Image.Image, layout: Layout, title: str, subtitle: str) -> None:
    draw = ImageDraw.Draw(sheet)
    room_px = sheet.width - 2 * layout.margin_px
    mark = "KLEINBILD   CONTACT SHEET"
    mark_px = draw.textlength(mark, font=font_of(17)) + 40
    headline, font = shortened(draw, title, 46, room_px)
    draw.text((layout.margin_px, 84), headline or UNTITLED, INK, font, "ls")
    if room_px > 2 * mark_px:
        draw.text((sheet.width - layout.margin_px, 118), mark, AMBER, font_of(17), "rs")
        room_px -= round(mark_px)
    facts, font = shortened(draw, subtitle, 20, room_px)
    draw.text((layout.margin_px, 118), facts, SOFT, font, "ls")


def _draw_foot(sheet: Image.Image, layout: Layout, origin: str) -> None:
    draw = ImageDraw.Draw(sheet)
    line, font = shortened(draw, origin, 15, sheet.width - 2 * layout.margin_px)
    draw.text((layout.margin_px, sheet.height - 18), line, SOFT, font, "ls")


def _corner(layout: Layout, index: int) -> tuple[int, int]:
    """Upper left corner of a frame."""
    row, column = divmod(index, layout.columns)
    across, down = layout.pitch_px
    x = layout.margin_px + layout.gap_px + column * across
    return x, layout.head_px + row * down + layout.band_px


def _draw_strip(sheet: Image.Image, layout: Layout, row: int, frames: int) -> None:
    draw = ImageDraw.Draw(sheet)
    x, y = _corner(layout, row * layout.columns)
    left, top = x - layout.gap_px, y - layout.band_px
    right = left + frames * layout.pitch_px[0] + layout.gap_px
    bottom = y + layout.frame_px[1] + round(1.7 * layout.text_px) + layout.band_px
    draw.rectangle((left, top, right, bottom), FILM)
    hole_px = max(3, round(layout.band_px * 0.46))
    step_px = hole_px * 2.3
    margin_px = (layout.band_px - hole_px) // 2
    for number in range(int((right - left - step_px / 2) / step_px) + 1):
        start = left + step_px * 0.3 + number * step_px
        for edge in (top + margin_px, bottom - margin_px - hole_px):
            box = (start, edge, min(start + hole_px * 1.35, right - 1), edge + hole_px)
            draw.rounded_rectangle(box, radius=hole_px * 0.25, fill=HOLE)


def _draw_frame(sheet: Image.Image, layout: Layout, index: int, frame: OverviewFrame) -> None:
    x, y = _corner(layout, index)
    width_px, height_px = layout.frame_px
    draw = ImageDraw.Draw(sheet)
    picture = _fit(frame.thumb, layout.frame_px)
    if picture is None:
        draw.rectangle((x, y, x + width_px - 1, y + height_px - 1), UNEXPOSED)
    else:
        place = (x + (width_px - picture.width) // 2, y + (height_px - picture.height) // 2)
        sheet.paste(_dim(picture) if frame.is_duplicate or frame.is_rejected else picture, place)
    if frame.is_duplicate or frame.is_rejected:
        _cross_out(sheet, (x, y), layout.frame_px, frame.label, is_cross=frame.is_rejected)
    _draw_number(draw, layout, (x, y + height_px), frame)


def _draw_number(draw: Draw, layout: Layout, corner: tuple[int, int], frame: OverviewFrame) -> None:
    size_px = layout.text_px
    x, y = corner[0] + 2, corner[1] + round(0.95 * size_px)
    half = size_px * 0.32
    draw.polygon([(x, y - half), (x, y + half), (x + 1.5 * half, y)], AMBER)
    draw.text((x + size_px * 0.8, y), frame.label, AMBER, font_of(size_px), "lm")


def _cross_out(
    sheet: Image.Image, corner: tuple[int, int], box_px: tuple[int, int], label: str, *, is_cross: bool
) -> None:
    """A stroke of a red grease pencil, or a cross: a little different on every frame, the same on every run."""
    hand = random.Random(label)  # noqa: S311  # a drawing hand, no secret
    width_px, height_px = box_px
    scale = 3  # drawn large and made small, for soft edges
    mask = Image.new("L", (width_px * scale, height_px * scale), 0)
    pen = ImageDraw.Draw(mask)
    start = (hand.uniform(0.08, 0.16), hand.uniform(0.82, 0.92))
    end = (hand.uniform(0.84, 0.94), hand.uniform(0.08, 0.18))
    bow = hand.uniform(-0.05, 0.05)
    thick_px = max(1.5, width_px / 46) * scale
    steps = 4 * max(box_px)
    for step in range(steps + 1):
        way = step / steps
        sway = bow * math.sin(math.pi * way)
        x = (start[0] + (end[0] - start[0]) * way + sway) * width_px * scale
        y = (start[1] + (end[1] - start[1]) * way + sway) * height_px * scale
        radius = thick_px / 2 * (0.75 + 0.35 * math.sin(math.pi * way)) * hand.uniform(0.85, 1.1)
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=hand.randint(205, 255))
    stroke = mask.resize(box_px, Image.Resampling.LANCZOS)
    sheet.paste(Image.new("RGB", box_px, RED), corner, stroke)
    if is_cross:
        sheet.paste(Image.new("RGB", box_px, RED), corner, ImageOps.mirror(stroke))
