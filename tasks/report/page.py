"""The contact sheet as one HTML page that needs no network and trusts no text.

Every text comes from people, models or providers: Jinja2 escapes all of it, and a Content-Security-Policy lets the
browser run nothing but the page's own style and script, which it knows by their hashes.
"""

import base64
import hashlib
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from statistics import median

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from blocks.archive.layout import thumbnail_key
from tasks.report.island import build_island
from tasks.report.view import Frame, SheetView
from tasks.thumbnails import LONG_SIDE_PX

TEMPLATES = Path(__file__).parent / "templates"
TO_ROOT = "../../../"
"""From `sheets/<campaign>/<edition>/` to the archive's root."""


STYLES = ("base", "masthead", "yield", "controls", "frames", "chains", "grid", "large", "paper", "narrow", "print")
SCRIPTS = (
    "data",
    "marks",
    "filter",
    "prompts",
    "compare",
    "heat",
    "lineage",
    "large",
    "grid",
    "decisions",
    "keys",
    "theme",
)
"""Parts of the page's one style and one script, in order; each says what it is for."""


def render_page(view: SheetView) -> str:
    """Renders the whole page; all links in it are relative to `sheets/<campaign>/<edition>/`."""
    style = f":root {{ --ratio: {_box_ratio(view):.4f} }}\n{_joined('css', STYLES)}"
    script = f'"use strict";\n{_joined("js", SCRIPTS)}'
    return (
        _environment()
        .get_template("contact_sheet.html.j2")
        .render(
            view=view,
            sheet=view.sheet,
            island=build_island(view).as_script(),
            style=style,
            script=script,
            policy=_policy(style, script),
        )
    )


def _policy(style: str, script: str) -> str:
    sources = {
        "default-src": "'none'",
        "img-src": "'self' file:",
        "style-src": _hash_source(style),
        "script-src": _hash_source(script),
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in sources.items())


def _hash_source(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "thumb": lambda sha256: TO_ROOT + thumbnail_key(sha256),
        "thumb_size": _thumb_size,
        "moment": _moment,
        "spoken": _spoken,
    }
    return environment


@cache
def _joined(kind: str, names: tuple[str, ...]) -> str:
    return "\n".join((TEMPLATES / "sheet" / f"{name}.{kind}").read_text(encoding="utf-8") for name in names)


def _thumb_size(frame: Frame) -> tuple[int, int]:
    """Width and height in pixels, so that nothing moves when the picture comes; a square where nobody knows."""
    if frame.image is None:
        return LONG_SIDE_PX, LONG_SIDE_PX
    width_px, height_px = frame.image.checks.width_px, frame.image.checks.height_px
    scale = min(1.0, LONG_SIDE_PX / max(width_px, height_px))
    return max(1, round(width_px * scale)), max(1, round(height_px * scale))


def _box_ratio(view: SheetView) -> float:
    """Width over height of every frame's box: the picture in the middle of all, within reason."""
    ratios = [image.checks.width_px / image.checks.height_px for image in view.sheet.images]
    return min(1.6, max(0.75, median(ratios))) if ratios else 1.0


def _moment(moment: datetime) -> str:
    """A moment for people, in UTC: 20 November 2025, 10:16 UTC."""
    utc = moment.astimezone(UTC)
    return f"{utc.day} {utc:%B %Y, %H:%M} UTC"


def _spoken(frame: Frame) -> str:
    """What a screen reader calls a frame's button."""
    state = () if frame.state in {"keeper", "unjudged"} else (frame.state,)
    return ", ".join((f"Open frame {frame.label}", *state, *frame.flags))
