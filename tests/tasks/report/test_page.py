import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from typing import Any

from tasks.measured import Drift
from tasks.models import Binding, Flagged, ImageRecord, Prompt, ReferenceUse, Round
from tasks.opinions import Opinion
from tasks.report.arrange import build_view
from tasks.report.page import render_page

ADDRESSES = {"src", "href", "srcset", "action", "poster"}
MADE_BY_US = {"script": 2, "style": 1, "iframe": 0, "object": 0, "embed": 0, "base": 0, "form": 0, "link": 0}


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
        self._inside = "island" if ("id", "island") in attrs else tag

    def handle_endtag(self, tag: str) -> None:
        """Leaves a script or style."""
        self._inside = ""
        self.elements.append((f"/{tag}", {}))

    def handle_data(self, data: str) -> None:
        """Keeps the text of scripts and styles."""
        if self._inside in {"script", "style", "island"}:
            self.raw[self._inside] = self.raw.get(self._inside, "") + data

    @property
    def island(self) -> Any:
        """The facts that the page's script works on."""
        return json.loads(self.raw["island"])

    def outline(self, outermost: str) -> list[str]:
        """The elements inside of another one, as tags with classes, two spaces for each level."""
        lines: list[str] = []
        depth: int | None = None
        for tag, attrs in self.elements:
            if tag == outermost:
                depth = 0
            elif depth is not None and tag == f"/{outermost}":
                break
            elif depth is not None and tag.startswith("/"):
                depth -= 1
            elif depth is not None:
                lines.append("  " * depth + ".".join([tag, *(attrs.get("class") or "").split()]))
                depth += tag not in {"img", "input"}
        return lines

    def meta(self, key: str, name: str) -> str:
        """The content of the meta element whose attribute `key` is `name`."""
        return next(attrs["content"] or "" for tag, attrs in self.elements if tag == "meta" and attrs.get(key) == name)


def page_of(studio: Any, **changes: object) -> str:
    return render_page(build_view(studio.sheet(**changes)))


def test_the_page_needs_no_network(furnished: Any) -> None:
    """Every address is relative and leads to a thumbnail of this archive; script makes the others of SHA-256s alone."""
    reader = Reader(page_of(furnished))
    found = [value for _, attrs in reader.elements for name, value in attrs.items() if name in ADDRESSES and value]

    allowed = re.compile(r"\.\./\.\./\.\./thumbnails/[0-9a-f]{2}/[0-9a-f]{64}\.jpg")
    assert len(found) > 40
    assert [value for value in found if not allowed.fullmatch(value)] == []
    assert "url(" not in reader.raw["style"]
    assert "@import" not in reader.raw["style"]
    assert {len(item["sha"]) for item in reader.island["items"]} == {64}
    assert [word for word in ("fetch(", "XMLHttpRequest", "innerHTML", "eval(") if word in reader.raw["script"]] == []


def test_the_policy_allows_this_very_style_and_script_and_nothing_else(furnished: Any) -> None:
    """The hashes in the Content-Security-Policy are those of the page's own style and script."""
    reader = Reader(page_of(furnished))
    hashes = {
        tag: base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for tag, text in reader.raw.items()
    }
    scripts = [attrs for tag, attrs in reader.elements if tag == "script"]
    assert scripts == [{"type": "application/json", "id": "island"}, {}]

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
    assert [prompt["text"] for prompt in reader.island["prompts"]] == ["plain", hostile]
    assert (reader.island["campaign"], reader.island["edition"]) == (hostile, hostile)
    assert not set(reader.raw["island"]) & set("<>&\u2028\u2029")


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
    studio.add("a jug")
    verdict = studio.verdicts[1].model_copy(update={"kind": "rejected", "reason": "rejected in review"})
    view = build_view(studio.sheet(verdicts=(studio.verdicts[0], verdict)))
    reader = Reader(page := render_page(view))

    assert '<figure class="frame rejected" data-i="1">' in page
    assert '<p class="verdict"><b dir="auto">rejected in review</b></p>' in page
    assert [item.get("reason", "") for item in reader.island["items"]] == ["", "rejected in review"]
    assert [family.keepers for section in view.sections for family in section.families] == [1, 0]


def test_a_flagged_picture_asks_to_be_looked_at(studio: Any) -> None:
    """A placeholder that came in the place of a picture is easily passed over among hundreds."""
    image = studio.add("a pot")
    flagged = image.model_copy(update={"checks": image.checks.model_copy(update={"flags": ("flat", "black")})})
    page = page_of(studio, images=(flagged,))

    assert '<figure class="frame keeper flagged" data-i="0">' in page
    assert "all black: perhaps a placeholder" in page
    assert '<div class="bad"><dt>flagged</dt><dd>1</dd></div>' in page
    assert 'name="show" value="flagged"' in page
    assert 'value="flagged"' not in page_of(studio)


def test_what_people_said_before_is_on_the_page(studio: Any) -> None:
    """Stars and pictures that were kept by name come back on the next sheet."""
    image = studio.add("a pot")
    opinions = (Opinion(sha256=image.sha256, stars=4, is_kept=True),)
    page = page_of(studio, opinions=opinions)

    assert 'data-i="0" data-stars="4" data-kept>' in page
    assert (Reader(page).island["items"][0]["stars"], Reader(page).island["items"][0]["kept"]) == (4, True)


def test_words_that_changed_from_edit_to_edit_are_marked(studio: Any) -> None:
    """A variant of the instruction before shows what is new in it; the first edit has none before it."""
    first = studio.add("a pot")
    dusk = studio.add("a pot", parent=first, instruction="Change the light to dusk; keep the pot.")
    studio.add("a pot", parent=dusk, instruction="Change the light to <neon>; keep the pot.")
    page = page_of(studio)

    assert "Change the light to dusk; keep the pot.</p>" in page
    assert "Change the light to <del>dusk</del><ins>&lt;neon&gt;</ins>; keep the pot.</p>" in page


def test_a_repeat_says_in_what_way_it_is_one_and_a_colour_variant_what_of(studio: Any) -> None:
    """Beside the bits, on the page and in the large view; a copy says nothing more."""
    first = studio.add("a pot")
    for way in ("copy", "crop", "mirror"):
        studio.add("a pot", repeats=first, distance_bits=4)
        studio.verdicts[-1] = studio.verdicts[-1].model_copy(update={"how": way})
    studio.add("a pot")
    said = {"is_color_variant": True, "reason": "colour variant of ab12cd34: 9 of 192 bits"}
    studio.verdicts[-1] = studio.verdicts[-1].model_copy(update=said)
    page = page_of(studio)

    assert re.findall(r"<b>4 bits</b>(.*?) from 1<", page) == ["", ", cropped", ", mirrored"]
    assert [item.get("how", "") for item in Reader(page).island["items"]] == ["", "", ", cropped", ", mirrored", ""]
    assert '<p class="verdict flag">colour variant of ab12cd34: 9 of 192 bits</p>' in page


def test_the_island_says_everything_once(studio: Any) -> None:
    """Shared texts stand in tables; what is left at its default is not written."""
    style = ReferenceUse(role="style", sha256="d" * 64)
    studio.references.append(style)
    axes = (Binding(name="glaze", value="cobalt"),)
    first = studio.add(Prompt(text="a cobalt pot", template="a {glaze} pot", bindings=axes))
    edited = studio.add(first.prompt, parent=first, instruction="Make it dusk.", repeats=first, distance_bits=5)
    island = Reader(page_of(studio)).island

    made = {"prompt": 0, "made": "2025-11-20 10:16"}
    assert island == {
        "archive": "0123456789abcdef" * 2,
        "campaign": "teapots",
        "edition": "2025-11",
        "prompts": [{"text": "a cobalt pot", "axes": [["glaze", "cobalt"]]}],
        "texts": ["Make it dusk."],
        "settings": [
            {
                "provider": "scenario",
                "model": "model_bfl-flux-2-klein-4b",
                "size": [48, 32],
                "rows": [["steps", "4"], ["cost", "5 CU"]],
            },
            {
                "provider": "sunra",
                "model": "flux-2-klein-4b/edit",
                "size": [48, 32],
                "rows": [["steps", "4"], ["cost", "0.014 USD"]],
            },
        ],
        "items": [
            {"label": "1", "sha": first.sha256, "settings": 0, "seed": first.request.seed, "job": "job-0", **made},
            {
                "label": "1A",
                "sha": edited.sha256,
                "state": "duplicate",
                "text": 0,
                "settings": 1,
                "seed": edited.request.seed,
                "step": 1,
                "job": "job-1",
                "parent": first.sha256,
                "references": ["d" * 64],
                "keeper": first.sha256,
                "bits": 5,
                "reason": "the same composition, another grain",
                **made,
            },
            {"label": "style", "sha": "d" * 64, "state": "reference"},
        ],
    }


def test_the_sheet_has_few_elements_for_each_picture(studio: Any) -> None:
    """The structure as a whole: a page of thousands is quick only while each picture is this little."""
    first = studio.add("a pot")
    studio.add("a pot", data=None, repeats=first)
    studio.add("a pot")

    assert Reader(page_of(studio)).outline("main") == [
        "section.prompt",
        "  h2",
        "  div.frames",
        *("    " + line for line in FAMILY_WITH_A_REPEAT),
        *("    " + line for line in FAMILY),
    ]


FRAME = ["p.edge", "  b", "  span", "button.open", "  img"]
FAMILY = ["article.family", "  figure.frame.keeper", *("    " + line for line in FRAME)]
FAMILY_WITH_A_REPEAT = [
    *FAMILY,
    "  details.repeats",
    "    summary",
    "    div.folded",
    "      figure.frame.duplicate",
    *("        " + line for line in FRAME),
    "        figcaption",
    "          p.verdict",
    "            b",
]


def test_the_yield_curve_can_be_seen_and_heard(studio: Any) -> None:
    """A drawing of the page's own, whose title and description say what it shows; without rounds there is none."""
    studio.add("a pot")
    rounds = (
        Round(change="prompts", planned=8, paid=8, gained=4, distinct=4, target=5),
        Round(change="seeds", planned=2, paid=2, gained=1, distinct=5, target=5, message="reached 5 of 5"),
    )

    page = render_page(build_view(studio.sheet(rounds=rounds)))

    elements = Reader(page).elements
    (drawing,) = [attrs for tag, attrs in elements if tag == "svg" and attrs.get("role") == "img"]
    said = {attrs["id"] for tag, attrs in elements if tag in {"title", "desc"} and "id" in attrs}
    assert said == set((drawing["aria-labelledby"] or "").split())
    assert '<title id="yield-title">Distinct pictures by paid pictures: reached 5 of 5</title>' in page
    assert '<desc id="yield-desc">distinct of paid pictures, round by round: 4 of 8, 1 of 2</desc>' in page
    assert [attrs["points"] for tag, attrs in elements if tag == "polyline"] == ["6,102 252.4,31.6 314,14"]
    assert 'class="yield"' not in render_page(build_view(studio.sheet()))


def drifted(image: ImageRecord, places: dict[int, int], share: float = 0.34) -> ImageRecord:
    """The record of an edit that changed at these places, so strongly."""
    levels = bytes(places.get(place, 0) for place in range(256))
    drift = Drift(changed_share=share, mean_change=0.1, color_shift=2.14, places=levels.hex())
    return image.model_copy(update={"drift": drift})


def test_an_edit_says_how_much_it_changed(studio: Any) -> None:
    """The strip has both figures, the slider a button; the island one digit a place, and none where nothing changed."""
    first = studio.add("a pot")
    edited = drifted(studio.add("a pot", parent=first, instruction="Make it dusk."), {0: 255, 1: 1, 17: 128})
    same = drifted(studio.add("a pot", parent=first, instruction="Do nothing."), {}, share=0)
    page = page_of(studio, images=(first, edited, same))
    items = Reader(page).island["items"]

    assert "edit 1 · 34 % changed, colour shift 2.1</p>" in page
    assert page.count('<button type="button" class="where"') == 1
    assert items[1]["heat"] == "f1" + "0" * 15 + "8" + "0" * 238
    assert (items[1]["changed"], items[1]["shift"]) == (0.34, 2.14)
    assert (items[2]["changed"], "heat" in items[2]) == (0, False)
    assert '<button type="button" class="where"' not in page_of(studio)


def test_an_edit_outside_of_its_limits_is_flagged(studio: Any, hostile: str) -> None:
    """It is found by the filter, and says in words what is the matter; the words are only text."""
    first = studio.add("a pot")
    edited = studio.add("a pot", parent=first, instruction="Make it dusk.")
    flagged = Flagged(sha256=edited.sha256, step=1, kind="too_much", outcome="stopped", reason=hostile)
    page = page_of(studio, flagged=(flagged,))
    item = Reader(page).island["items"][1]

    assert (item["flags"], item["notes"]) == (["too_much"], [hostile])
    assert '<figure class="frame keeper flagged" data-i="1">' in page
    assert '<p class="verdict flag">&lt;/script&gt;&lt;img src=x' in page
    assert 'name="show" value="flagged"' in page
