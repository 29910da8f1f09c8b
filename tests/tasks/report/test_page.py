import base64
import hashlib
import re
from html.parser import HTMLParser
from typing import Any

from tasks.report.arrange import build_view
from tasks.report.page import render_page

ADDRESSES = {"src", "href", "srcset", "action", "poster", "data-full", "data-parent"}
MADE_BY_US = {"script": 1, "style": 1, "iframe": 0, "object": 0, "embed": 0, "base": 0, "form": 0, "link": 0}


class Reader(HTMLParser):
    """Reads a page as a browser would: elements with attributes, and the text of scripts and styles."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.raw: dict[str, str] = {}
        self._inside = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keeps an element with its attributes."""
        self.elements.append((tag, dict(attrs)))
        self._inside = tag

    def handle_endtag(self, tag: str) -> None:
        """Leaves a script or style."""
        self._inside = ""

    def handle_data(self, data: str) -> None:
        """Keeps the text of scripts and styles."""
        if self._inside in {"script", "style"}:
            self.raw[self._inside] = self.raw.get(self._inside, "") + data

    def meta(self, key: str, name: str) -> str:
        """The content of the meta element whose attribute `key` is `name`."""
        return next(attrs["content"] or "" for tag, attrs in self.elements if tag == "meta" and attrs.get(key) == name)


def page_of(studio: Any, **changes: object) -> str:
    return render_page(build_view(studio.sheet(**changes)))


def test_the_page_needs_no_network(furnished: Any) -> None:
    """Every address is relative and leads to a thumbnail, an object or a record of this archive."""
    reader = Reader(page_of(furnished))
    found = [value for _, attrs in reader.elements for name, value in attrs.items() if name in ADDRESSES and value]

    allowed = re.compile(
        r"\.\./\.\./\.\./(thumbnails/[0-9a-f]{2}/[0-9a-f]{64}\.jpg|objects/[0-9a-f]{2}/[0-9a-f]{64}|records/[0-9a-f]{2}/[0-9a-f]{64}\.json)"
    )
    assert len(found) > 100
    assert [value for value in found if not allowed.fullmatch(value)] == []
    assert "url(" not in reader.raw["style"]
    assert "@import" not in reader.raw["style"]


def test_the_policy_allows_this_very_style_and_script_and_nothing_else(furnished: Any) -> None:
    """The hashes in the Content-Security-Policy are those of the page's own style and script."""
    reader = Reader(page_of(furnished))
    hashes = {
        tag: base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for tag, text in reader.raw.items()
    }

    assert reader.meta("http-equiv", "Content-Security-Policy") == (
        "default-src 'none'; img-src 'self' file:; "
        f"style-src 'sha256-{hashes['style']}'; script-src 'sha256-{hashes['script']}'; "
        "base-uri 'none'; form-action 'none'"
    )


def test_hostile_texts_stay_texts(studio: Any, hostile: str) -> None:
    """Prompts, instructions, titles and messages add no element and no attribute to the page."""
    for text in ("plain", hostile):
        first = studio.add(text)
        studio.add(text, parent=first, instruction=text)
        studio.add(text, repeats=first)
    reader = Reader(page_of(studio, title=hostile, campaign=hostile, edition=hostile))

    tags = [tag for tag, _ in reader.elements]
    assert {tag: tags.count(tag) for tag in MADE_BY_US} == MADE_BY_US
    handlers = [name for _, attrs in reader.elements for name in attrs if name.startswith("on") or name == "style"]
    assert handlers == []
    texts = [attrs["data-text"] or "" for _, attrs in reader.elements if "data-text" in attrs]
    assert any(hostile.casefold() in text for text in texts)


def test_every_picture_keeps_its_place_while_it_loads(furnished: Any) -> None:
    """Width and height are in the page, and pictures load when they come into view."""
    images = [attrs for tag, attrs in Reader(page_of(furnished)).elements if tag == "img" and "src" in attrs]

    assert [image for image in images if not (image.get("width") and image.get("height"))] == []
    assert {image.get("loading") for image in images} == {"lazy"}


def test_the_page_says_that_its_pictures_are_generated(studio: Any) -> None:
    """People read a line, machines read meta elements."""
    studio.add("a pot")
    page = page_of(studio)

    assert "AI-generated with FLUX.2 [klein]" in page
    assert Reader(page).meta("name", "digital-source-type") == "trainedAlgorithmicMedia"


def test_drawings_of_the_sandbox_are_not_passed_off_as_generated(studio: Any) -> None:
    """The stand-in draws without a model, and the page says so."""
    studio.add("a pot", sandbox=True)
    page = page_of(studio)

    assert "AI-generated" not in page
    assert "no model was involved" in page
    assert 'name="ai-generated"' not in page


def test_the_figures_are_those_of_the_campaign(furnished: Any) -> None:
    """Made, keepers, duplicates, failed, bought, reused, and the cost in each unit."""
    page = page_of(furnished, bought=7, reused=32)
    figures = re.findall(r"<dt>([^<]+)</dt><dd>([^<]+)</dd></div>", page.split("</dl>")[0])

    assert figures == [
        ("made", "39"),
        ("keepers", "30"),
        ("duplicates", "9"),
        ("failed", "2"),
        ("bought", "7"),
        ("reused", "32"),
        ("spent, CU", "170"),
        ("spent, USD", "0.07"),
    ]


def test_a_rejected_picture_is_shown_as_such(studio: Any) -> None:
    """It stays on the page with its number and the reason, crossed out, and is no keeper of its family."""
    studio.add("a pot")
    rejected = studio.add("a jug")
    verdict = studio.verdicts[1].model_copy(update={"kind": "rejected", "reason": "rejected in review"})
    view = build_view(studio.sheet(verdicts=(studio.verdicts[0], verdict)))
    page = render_page(view)

    assert f'<figure class="frame rejected" data-label="2" data-sha="{rejected.sha256}"' in page
    assert page.count("rejected in review") == 2  # under the picture, and in the lightbox
    assert '<input type="radio" name="show" value="rejected">' in page
    assert [family.keepers for section in view.sections for family in section.families] == [1, 0]
    assert 'value="rejected"' not in page_of(studio)
