import re
from decimal import Decimal
from typing import Any

from tasks.advice import advice_on
from tasks.models import Balance, Failure, Flagged, Round
from tasks.report.arrange import build_view
from tasks.report.pages import Album, Picture, key_of, page_markdown


def page_of(studio: Any, album: Album, contact_sheet: str = "/data/index.html", **changes: Any) -> str:
    return page_markdown(build_view(studio.sheet(**changes)), album, contact_sheet, {})


def test_the_page_has_figures_and_three_columns(studio: Any) -> None:
    """The whole page, word by word; prompt and seed stand under each picture."""
    first = studio.add("a pot")
    studio.add("a pot", repeats=first)
    pictures = (
        Picture(label="1", caption="a pot", seed=7, thumb=b"jpeg"),
        Picture(label="2", caption="a pot", seed=None, thumb=None),
    )

    assert page_of(studio, Album(pictures=pictures)) == (
        "# Teapots for a small shop\n"
        "\n"
        "teapots, edition 2025-11.\n"
        "\n"
        "Full contact sheet: ` /data/index.html `\n"
        "\n"
        "| made | keepers | duplicates | failed | bought | reused | spent |\n"
        "| ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n"
        "| 2 | 1 | 1 | 0 | 2 | 0 | 10 CU |\n"
        "\n"
        "|   |   |   |\n"
        "| :--- | :--- | :--- |\n"
        "| ![frame 1](data:image/jpeg;base64,anBlZw==)<br>**1** a pot<br>seed 7 "
        "| (cannot be read)<br>**2** a pot |  |\n"
    )


def test_what_a_person_rejected_is_counted(studio: Any) -> None:
    """After a review the figures say how many pictures were put aside."""
    studio.add("a pot")
    verdicts = (studio.verdicts[0].model_copy(update={"kind": "rejected"}),)

    page = page_of(studio, Album(), verdicts=verdicts)

    assert "| made | keepers | duplicates | rejected | failed | bought | reused | spent |" in page
    assert "| 1 | 0 | 0 | 1 | 0 | 1 | 0 | 5 CU |" in page


def test_the_money_of_all_runs_is_told(studio: Any) -> None:
    """What is open or perhaps lost is no less spent than what is paid: a person sees it beside."""
    balance = Balance(
        unit="CU", estimated=Decimal("12.50"), reserved=Decimal(2), billed=Decimal(10), lost=Decimal("0.5")
    )

    assert (
        "| all runs | estimated | paid | open | perhaps lost |\n"
        "| ---: | ---: | ---: | ---: | ---: |\n"
        "| CU | 12.5 | 10 | 2 | 0.5 |\n"
    ) in page_of(studio, Album(), balances=(balance,))


def test_pictures_that_may_be_placeholders_are_told(studio: Any) -> None:
    """By their numbers on the sheet; nothing where there are none."""
    image, other = studio.add("a pot"), studio.add("a cup")
    flat = image.model_copy(update={"checks": image.checks.model_copy(update={"flags": ("flat",)})})

    assert "**Look at them:** 1 picture is all one colour" in page_of(studio, Album(), images=(flat, other))
    assert "holds a picture back: 1." in page_of(studio, Album(), images=(flat, other))
    assert "Look at them" not in page_of(studio, Album())


def test_captions_are_broken_into_lines(studio: Any) -> None:
    """Prefect's page does not break the lines of a table: a long caption would push the other columns out of it."""
    picture = Picture(
        label="1A", caption="Set the cup of image 2 into the <foreground>", seed=2147483647, thumb=b"jpeg"
    )

    page = page_of(studio, Album(pictures=(picture,)))

    assert "<br>**1A** Set the cup of image 2<br>into the \\<foreground\\><br>seed 2147483647 |" in page


def test_a_picture_without_words_has_a_caption(studio: Any) -> None:
    """Its number is there even where no prompt is known."""
    page = page_of(studio, Album(pictures=(Picture(label="3", caption=" \n", seed=None, thumb=None),)))

    assert "| (cannot be read)<br>**3** " in page


def test_failures_are_told_by_reason(studio: Any, hostile: str) -> None:
    """Each reason once with its count and what to do, the most frequent first; its text stays text."""
    for number, message in enumerate(("The safety filter stopped it.", hostile, "The safety filter stopped it.")):
        studio.failures.append(
            Failure(shot_key=f"{number}" * 64, prompt="A teapot", step=0, kind="JobFailed", message=message)
        )

    lines = page_of(studio, Album()).partition("## What failed")[2].strip().splitlines()

    advice = advice_on("JobFailed")
    assert lines[0] == f"- **2 × JobFailed:** The safety filter stopped it. {advice}"
    assert lines[1].startswith("- **1 × JobFailed:** \\</script\\>\\<img src=x onerror=alert(1)\\> ")
    assert len(lines) == 2


def test_only_so_many_reasons_are_told(studio: Any) -> None:
    """A campaign that fails in a hundred words does not bury its pictures under them."""
    for number in range(52):
        failure = Failure(shot_key="0" * 64, prompt="a", step=0, kind="JobFailed", message=f"Reason {number}.")
        studio.failures.append(failure)

    lines = page_of(studio, Album()).partition("## What failed")[2].strip().splitlines()

    assert len(lines) == 51
    assert lines[-1] == "- … and 2 more reasons on the full contact sheet."


def test_pages_name_each_other(studio: Any) -> None:
    """A page links to those that exist, names the others by their keys, and has the figures only if it is the first."""
    view = build_view(studio.sheet())

    second = page_markdown(view, Album(page=2, pages=3, left_out=4), "/x", {3: "/artifacts/artifact/c"})

    assert second == (
        "# Teapots for a small shop\n"
        "\n"
        "teapots, edition 2025-11.\n"
        "\n"
        "Full contact sheet: ` /x `\n"
        "\n"
        "Page 2 of 3: ` teapots-contact-sheet ` · **teapots-contact-sheet-2** · "
        "[teapots-contact-sheet-3](/artifacts/artifact/c)\n"
        "\n"
        "… and 4 more on the full contact sheet.\n"
    )
    assert [key_of("cups", page) for page in (1, 2, 10)] == [
        "cups-contact-sheet",
        "cups-contact-sheet-2",
        "cups-contact-sheet-10",
    ]


def test_the_only_links_are_ours(studio: Any, hostile: str) -> None:
    """Texts of users cannot add a link, a picture or a tag to the page, wherever they stand."""
    bait = f"{hostile} [x](https://evil.example) ![y](https://evil.example/p.png) https://evil.example"
    failure = Failure(shot_key="0" * 64, prompt=bait, step=0, kind=bait, message=bait)
    picture = Picture(label="1", caption=bait, seed=1, thumb=None)

    page = page_of(
        studio,
        Album(pictures=(picture,)),
        "http://127.0.0.1:4300/index.html",
        title=bait,
        campaign=bait,
        edition=bait,
        failures=(failure,),
    )

    assert len(re.findall(r"(?<!\\)\]\(", page)) == 1
    assert "[Full contact sheet](http://127.0.0.1:4300/index.html)" in page
    assert re.findall(r"(?<!\\)<(?!br>)", page) == []
    assert "https://" not in page


def test_the_rounds_are_told_in_a_line(studio: Any) -> None:
    """How they ended, and what they yielded; a campaign without rounds has no such line."""
    studio.add("a pot")
    ended = Round(
        change="seeds", planned=8, paid=8, gained=1, distinct=1, target=9, ended_by="budget", message="1 of 9: the end"
    )

    told = "**1 of 9: the end** (distinct of paid pictures, round by round: 1 of 8)\n"
    assert told in page_of(studio, Album(), rounds=(ended,))
    assert "round by round" not in page_of(studio, Album())


def test_flagged_edits_are_told_by_their_numbers(studio: Any, hostile: str) -> None:
    """Whoever reads the page in Prefect learns which edits went too far, and what became of them."""
    first = studio.add("a pot")
    edited = studio.add("a pot", parent=first, instruction="Make it dusk.")
    flagged = Flagged(sha256=edited.sha256, step=1, kind="too_much", outcome="kept", reason=f"changed 9 % {hostile}")
    view = build_view(studio.sheet(flagged=(flagged,)))

    page = page_markdown(view, Album(), "/x", {})
    lines = page.partition("## Edits that changed too much or too little")[2].strip().splitlines()

    assert lines[0].startswith("- **1A:** changed 9 % \\</script\\>\\<img src=x onerror=alert(1)\\> ")
    assert len(lines) == 1
    assert "too little" not in page_markdown(view, Album(page=2, pages=2), "/x", {})
