import asyncio
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
from prefect.client.orchestration import get_client
from prefect.client.schemas.sorting import FlowRunSort

from blocks.archive.layout import object_key, record_key
from tasks.models import ImageRecord, derive_seed, sha256_of
from tests.conftest import Sandbox
from tests.flows.conftest import Workplace


def test_everything_that_a_brief_asks_for_is_made_and_archived(workplace: Workplace, sandbox: Sandbox) -> None:
    """Every shot becomes an image: bytes under their SHA-256, the record beside them; the cost is what was charged."""
    result = workplace.run(workplace.brief_with_edits())

    assert Counter(image.step for image in result.images) == {0: 2, 1: 2, 2: 2}
    assert (result.bought, result.reused, result.failures) == (6, 0, ())
    assert sorted(v.sha256 for v in result.verdicts) == sorted(image.sha256 for image in result.images)
    assert len(result.keepers) + len(result.duplicates) == 6
    for image in result.images:
        assert sha256_of((workplace.archive / object_key(image.sha256)).read_bytes()) == image.sha256
        record = (workplace.archive / record_key(image.sha256)).read_text(encoding="utf-8")
        assert ImageRecord.model_validate_json(record) == image
    assert Path(result.contact_sheet).is_file()
    assert {money.unit: money.amount for money in result.cost.amounts} == charged_by(sandbox)
    assert result.archive == str(workplace.archive)


def test_what_is_bought_is_what_was_planned(workplace: Workplace, sandbox: Sandbox) -> None:
    """The provider is sent exactly the parameters of the plan: one request for each prompt and seed, no more."""
    brief = workplace.brief(seeds=2, seed=7)
    workplace.run(brief, edition="autumn")

    expected = [
        {
            "prompt": prompt,
            "seed": derive_seed("generate", 7, "autumn", prompt, take),
            "numOutputs": 1,
            "numInferenceSteps": 1,
            "width": 128,
            "height": 128,
            "guidance": 4.0,
        }
        for prompt in ("a red teapot", "a blue teapot")
        for take in range(2)
    ]
    assert by_seed([job["request"] for job in sandbox.jobs()]) == by_seed(expected)


def test_an_edit_is_given_its_parent_and_then_its_references(workplace: Workplace, sandbox: Sandbox) -> None:
    """Image 1 of an edit is the picture that it edits, the references follow, and the text counts them so."""
    result = workplace.run(workplace.brief_with_edits())

    cup = sha256_of(workplace.photograph.read_bytes())
    requests = {job["job_id"]: job["request"] for job in sandbox.jobs("sunra")}
    for image in result.images:
        if image.step > 0:
            request = requests.pop(image.job_id)
            sent = [sha256_of(httpx.get(url, trust_env=False).content) for url in request["image_urls"]]
            assert sent == [image.parent_sha256, *([cup] if image.step == 1 else [])]
            assert request["seed"] == image.request.seed
            assert request["prompt"] == edit_texts[image.step]
    assert requests == {}
    parents = {image.sha256: image.step for image in result.images}
    assert {(image.step, parents[image.parent_sha256]) for image in result.images if image.parent_sha256} == {
        (1, 0),
        (2, 1),
    }


edit_texts = {1: "Add the cup of image 2 to the table.", 2: "Turn it into a watercolor."}


def test_repeats_are_not_edited_unless_the_brief_wants_all(workplace: Workplace, sandbox: Sandbox) -> None:
    """Money is spent on edits of distinct pictures only: a repeat is told from its bytes before the first edit."""
    alike = {"scope": "campaign", "distance_bits": 96}
    result = workplace.run(workplace.brief_with_edits(edit="keepers", seeds=3, dedupe=alike))

    generated = [image for image in result.images if image.step == 0]
    distinct = [image for image in result.keepers if image.step == 0]
    assert len(generated) == 6
    assert len(distinct) < 6
    assert len(sandbox.jobs("sunra")) == 2 * len(distinct)


def test_a_brief_is_read_from_its_file(workplace: Workplace, tmp_path: Path, sandbox: Sandbox) -> None:
    """A campaign takes the path of a brief; references are found beside it."""
    path = tmp_path / "brief.yaml"
    path.write_text(
        "name: teapots\nprompts: a red teapot\nreferences: {cup: cup.png}\n"
        "generate: {provider: sunra, references: [cup]}\n",
        encoding="utf-8",
    )
    result = workplace.run(path)

    assert [image.references[0].role for image in result.images] == ["cup"]
    assert len(sandbox.jobs("sunra")) == 1


async def test_keys_reach_the_provider_alone(workplace: Workplace, tmp_path: Path, prefect_server: str) -> None:
    """No key is in what Prefect stores of a run, nor in anything that the archive keeps."""
    secret = "sandbox-secret"
    assert workplace.scenario.api_secret.get_secret_value() == secret
    await workplace.run_in_loop(workplace.brief())

    async with get_client() as client:
        [run] = await client.read_flow_runs(sort=FlowRunSort.START_TIME_DESC, limit=1)
    assert str(workplace.archive) in run.model_dump_json()
    assert secret not in run.model_dump_json()
    kept = await asyncio.to_thread(lambda: [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()])
    assert kept
    assert not [data for data in kept if secret.encode() in data]


def test_a_run_that_is_not_the_first_sees_what_others_bought(workplace: Workplace, sandbox: Sandbox) -> None:
    """Two campaigns that want the same work buy it once: a shot is known by what is bought, not by who asked."""
    first = workplace.run(workplace.brief(name="teapots"))
    second = workplace.run(workplace.brief(name="crockery"))

    assert [image.sha256 for image in second.images] == [image.sha256 for image in first.images]
    assert (second.bought, second.reused) == (0, 2)
    assert len(sandbox.jobs()) == 2


def charged_by(sandbox: Sandbox) -> dict[str, Decimal]:
    """What the providers charged, unit by unit."""
    charged: dict[str, Decimal] = {}
    for job in sandbox.jobs():
        charged[job["cost_unit"]] = charged.get(job["cost_unit"], Decimal(0)) + Decimal(str(job["charged"]))
    return charged


def by_seed(requests: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(requests, key=lambda request: int(request["seed"]))
