import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from tasks.report.overview import MAX_FRAMES, MAX_SIDE_PX, OverviewFrame, plan_layout, render_overview
from tasks.thumbnails import thumbnail_of


def frames(count: int, thumb: bytes | None, duplicates: int = 0) -> tuple[OverviewFrame, ...]:
    return tuple(
        OverviewFrame(label=str(number + 1), is_duplicate=number < duplicates, thumb=thumb) for number in range(count)
    )


def opened(data: bytes) -> Image.Image:
    picture = Image.open(io.BytesIO(data))
    picture.load()
    return picture


@pytest.fixture
def thumb(make_png: Callable[[int, int], bytes]) -> bytes:
    return thumbnail_of(opened(make_png(96, 64)), 96)


@pytest.mark.parametrize("ratio", [0.75, 1.0, 1.6])
@pytest.mark.parametrize("count", [0, 1, 2, 12, 40, 60, 300, MAX_FRAMES])
def test_no_side_passes_the_bound_and_every_frame_has_a_place(count: int, ratio: float) -> None:
    """The more pictures, the smaller the frames: nothing is cut off and nothing is too large to open."""
    layout = plan_layout(count, ratio)

    assert max(layout.size_px) <= MAX_SIDE_PX
    assert layout.columns * layout.rows >= count
    assert layout.columns * (layout.rows - 1) < max(count, 1)


@pytest.mark.parametrize("count", [0, 1, 13])
def test_the_overview_has_the_planned_size(count: int, thumb: bytes) -> None:
    """What is drawn is what was planned."""
    picture = opened(render_overview("Teapots", "teapots", frames(count, thumb)))

    assert (picture.format, picture.size) == ("PNG", plan_layout(count, 1.5 if count else 1.0).size_px)


def test_the_same_frames_give_the_same_bytes(thumb: bytes) -> None:
    """The grease pencil's hand is steady: no run differs from another."""
    once, twice = (render_overview("Teapots", "teapots", frames(6, thumb, duplicates=3)) for _ in range(2))

    assert once == twice


def test_duplicates_are_dimmed_and_crossed_out_in_red(thumb: bytes) -> None:
    """A duplicate is seen at a glance; a keeper is left as it is."""
    plain, crossed = (
        opened(render_overview("", "", frames(1, thumb, duplicates=number))).convert("RGB") for number in (0, 1)
    )

    def share(picture: Image.Image, colour: tuple[int, int, int]) -> float:
        distance = np.abs(np.asarray(picture).astype(int) - colour).max(axis=2)
        return float((distance < 14).mean())

    red, clay = (232, 74, 48), (120, 90, 60)
    assert share(plain, red) == 0
    assert share(crossed, red) > 0.001
    assert share(plain, clay) > 0.1
    assert share(crossed, clay) < 0.01


@pytest.mark.parametrize("count", [0, 1, 40])
def test_the_overview_says_below_its_strips_who_made_the_pictures(count: int, thumb: bytes) -> None:
    """Whoever sees it posted somewhere reads that it was generated; with no pictures, its film is unexposed."""
    plain, signed = (
        np.asarray(opened(render_overview("Teapots", "", frames(count, thumb), origin=origin))).astype(int)
        for origin in ("", "AI-generated with FLUX.2 [klein]")
    )

    rows = np.flatnonzero(np.abs(plain - signed).sum(axis=(1, 2)))
    assert len(signed) - 48 < rows.min() < rows.max() < len(signed)
    assert (np.abs(plain[160] - (6, 5, 5)).sum(axis=1) == 0).mean() > 0.2


@pytest.mark.parametrize("broken", [None, b"", b"\xff\xd8\xff\xe0 cut short"])
def test_a_lost_picture_leaves_an_unexposed_frame(broken: bytes | None) -> None:
    """A broken thumbnail spoils one frame, not the overview."""
    assert opened(render_overview("Teapots", "teapots", frames(3, broken))).format == "PNG"


def test_a_hostile_title_stays_on_its_line(thumb: bytes) -> None:
    """Length, line breaks and foreign scripts change nothing about the image's size."""
    plain = opened(render_overview("Teapots", "", frames(4, thumb)))
    hostile = opened(render_overview("</svg>\n\x00\u202eevil 茶壺 " * 400, "x\ty" * 900, frames(4, thumb)))

    assert hostile.size == plain.size
