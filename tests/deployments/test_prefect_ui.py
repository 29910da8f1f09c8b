"""The whole way of a person who never saw the code: run, watch, review and schedule campaigns in the browser.

Screenshots are kept in `.kleinbild/screenshots`; the README shows some of them.
"""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, Response, expect, sync_playwright

from tests.chromium import CHROMIUM, FLAGS, NEEDS_CHROMIUM
from tests.deployments.served import ROOT, Served, serving

SCREENSHOTS = ROOT / ".kleinbild" / "screenshots"
PATIENCE_MS = 90_000
SERVICE_UNAVAILABLE = 503

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(300),
    NEEDS_CHROMIUM,
]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """`make serve` from a clean home."""
    with serving(tmp_path_factory.mktemp("served")) as served:
        yield served


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    """A browser window."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": 1300, "height": 1000})
        page.set_default_timeout(PATIENCE_MS)
        yield page
        browser.close()


def kept(page: Page, name: str) -> None:
    """Keeps what the window shows."""
    page.wait_for_timeout(700)  # the UI fades things in
    page.screenshot(path=SCREENSHOTS / f"{name}.png")


def open_deployment(page: Page, served: Served, name: str) -> None:
    """Clicks from the first page of the UI to a deployment of the campaign."""
    page.goto(served.ui)
    page.get_by_role("link", name="Deployments").first.click()
    page.get_by_role("row").filter(has_text="campaign").get_by_role("link", name=name, exact=True).click()
    expect(page.get_by_role("button", name="Run", exact=True)).to_be_visible(timeout=PATIENCE_MS)


def open_form(page: Page, served: Served) -> None:
    """Opens the form of a custom run."""
    open_deployment(page, served, "on-demand")
    page.get_by_role("button", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Custom run").click()
    expect(field(page, "Name of the campaign")).to_be_visible(timeout=PATIENCE_MS)


def field(page: Page, label: str) -> Locator:
    """Finds a field of a form by what stands above it."""
    return page.get_by_label(label).first


def press(button: Locator, asks: str) -> Response:
    """Presses a button that asks the server, again where its SQLite was busy, as a person would."""
    page = button.page
    for _ in range(6):
        with page.expect_response(re.compile(f"/{asks}$")) as answer:
            button.click()
        if answer.value.status != SERVICE_UNAVAILABLE:
            break
    response: Response = answer.value
    return response


def submit(page: Page) -> str:
    """Sends a form; returns the run's id."""
    answer = press(page.get_by_role("button", name="Submit"), "create_flow_run")
    assert answer.ok, answer.text()
    run_id: str = answer.json()["id"]
    return run_id


def follow(page: Page, served: Served, run_id: str, title: str) -> None:
    """Opens a run from the list of runs."""
    page.goto(served.ui)
    page.get_by_role("link", name="Runs", exact=True).click()
    page.get_by_role("link", name=re.compile(title)).first.click()
    expect(page).to_have_url(re.compile(run_id), timeout=PATIENCE_MS)


def open_artifact(page: Page, key: str) -> None:
    """Opens the newest artifact of a key: the UI shows the history of the key first."""
    page.get_by_role("link", name=key).first.click()
    page.get_by_role("link", name=re.compile("^[0-9a-f]{8}$")).first.click()
    page.wait_for_function("document.images.length > 3")


def pictures_shown(page: Page) -> int:
    """Counts the pictures that the browser has really drawn."""
    drawn = "[...document.images].filter((image) => image.src.startsWith('data:') && image.naturalWidth > 50).length"
    return int(page.evaluate(drawn))


def test_a_stranger_makes_pictures_and_sees_them(served: Served, page: Page) -> None:
    """From the first page to the pictures: deployment, form, a run that is watched, its artifact, the whole sheet."""
    open_form(page, served)
    field(page, "Name of the campaign").fill("browser-teapots")
    field(page, "Pictures of each prompt").fill("3")
    kept(page, "run-form")
    run_id = submit(page)

    served.wait_for(run_id, "Running", "Completed")
    follow(page, served, run_id, "browser-teapots · edition 1 · 6 shots")
    kept(page, "run-under-way")
    served.wait_for(run_id, "Completed")
    expect(page.get_by_text("Completed", exact=True).first).to_be_visible(timeout=PATIENCE_MS)
    kept(page, "run")

    page.get_by_role("tab", name="Artifacts").click()
    expect(page.get_by_role("link", name="browser-teapots-images")).to_be_visible(timeout=PATIENCE_MS)
    kept(page, "artifacts")
    open_artifact(page, "browser-teapots-contact-sheet")
    kept(page, "contact-sheet-artifact")
    assert pictures_shown(page) >= 4

    page.get_by_role("link", name=re.compile("contact sheet", re.IGNORECASE)).first.click()
    page.wait_for_load_state("networkidle")
    kept(page, "contact-sheet")


def test_a_wrong_value_is_refused_beside_its_field(served: Served, page: Page) -> None:
    """Nothing starts, and the person sees which field to change."""
    before = served.post("/flow_runs/count")
    open_form(page, served)
    field(page, "Name of the campaign").fill("No Name!")
    press(page.get_by_role("button", name="Submit"), "create_flow_run")

    refusal = page.get_by_role("paragraph").filter(has_text="'No Name!' does not match")
    expect(refusal).to_be_visible(timeout=PATIENCE_MS)
    refusal.scroll_into_view_if_needed()
    kept(page, "run-form-refused")

    field(page, "Pictures of each prompt").fill("0")
    page.get_by_role("button", name="Submit").click()
    assert "1" in field(page, "Pictures of each prompt").evaluate("field => field.validationMessage")
    assert served.post("/flow_runs/count") == before


def test_a_person_reviews_in_the_browser(served: Served, page: Page) -> None:
    """The run waits with its pictures before anything is edited; rejected ones are not edited."""
    open_form(page, served)
    field(page, "Name of the campaign").fill("browser-review")
    page.get_by_role("button", name="Add item").nth(1).click()  # below the prompts: edits
    page.locator("textarea").nth(2).fill("Turn it into a watercolor")  # after the name and the one prompt
    field(page, "review").click()
    kept(page, "review-form")
    run_id = submit(page)
    served.wait_for(run_id, "Suspended")

    follow(page, served, run_id, "browser-review")
    page.get_by_role("button", name="Open menu").first.click()
    page.get_by_role("menuitem", name="Resume").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("Which of 4 pictures go on?")).to_be_visible(timeout=PATIENCE_MS)
    page.wait_for_function("document.images.length > 3")
    assert pictures_shown(page) == 4
    kept(page, "review")
    dialog.get_by_label("Reject these").fill("2, 3")
    kept(page, "review-answer")
    assert press(dialog.get_by_role("button", name="Resume"), "resume").ok

    served.wait_for(run_id, "Completed")
    page.reload()
    page.get_by_role("tab", name="Artifacts").click()
    open_artifact(page, "browser-review-contact-sheet")
    kept(page, "review-done")
    table = page.get_by_role("table").first
    names, values = (table.get_by_role(role).all_inner_texts() for role in ("columnheader", "cell"))
    figures = dict(zip(names, values, strict=True))
    assert {name: figures[name] for name in ("made", "rejected", "bought")} == {
        "made": "6",
        "rejected": "2",
        "bought": "2",
    }


def test_a_schedule_shows_its_next_runs(served: Served, page: Page) -> None:
    """A nightly campaign is switched on with its toggle, and says when it runs next."""
    open_deployment(page, served, "nightly")
    page.get_by_role("switch").first.click()
    nightly = served.get("/deployments/name/campaign/nightly")["id"]
    runs = served.wait_until(lambda: served.post("/flow_runs/filter", deployments={"id": {"any_": [nightly]}}))
    page.reload()
    page.get_by_role("tab", name="Upcoming").click()
    expect(page.get_by_role("link", name=runs[0]["name"])).to_be_visible(timeout=PATIENCE_MS)
    kept(page, "schedule")
    assert {run["state"]["name"] for run in runs} == {"Scheduled"}
    assert {run["parameters"]["edition"] for run in runs} == {"daily@Europe/Berlin"}

    page.get_by_role("switch").first.click()  # nights cost money
    served.wait_until(lambda: not served.get(f"/deployments/{nightly}")["schedules"][0]["active"])
