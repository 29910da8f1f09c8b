"""Deploying from a clone onto a real server, and a worker in another folder that runs what was deployed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.objects import FlowRun
from prefect.events.schemas.automations import Automation
from prefect.settings import PREFECT_API_URL, temporary_settings

from deployments import deploy, worker
from deployments.triggers import TAG
from deployments.work_pools import POOL, PoolType, base_job_template
from tests.deployments.live.listening import Guarded, listening
from tests.deployments.live.operating import Operator, eventually, table
from tests.deployments.live.runs import bought, run_to_its_end, runs_of
from tests.prefect_servers import prefect_at

pytestmark = pytest.mark.timeout(300)  # a server, a worker and three deployments, on a machine that may be busy

BERLIN = ZoneInfo("Europe/Berlin")
DESCRIBED = {
    *("name", "description", "tags", "entrypoint", "pull_steps", "paused"),
    *("parameters", "parameter_openapi_schema", "enforce_parameter_schema"),
    *("work_pool_name", "work_queue_name", "job_variables", "concurrency_options"),
}
"""What a deployment says: all but ids, times, and which schedules are switched on, which is an operator's choice."""


def test_the_first_time_everything_is_created(first_words: str) -> None:
    """One line for each thing; what spends money is off, and that nobody is notified is said plainly."""
    done = table(first_words)

    assert {name: remark for name, (_, remark) in done.items() if not name.startswith("kleinbild: ")} == {
        "kleinbild (process)": "",
        "campaign/on-demand": "",
        "campaign/nightly": "every-night is off",
        "campaign/hourly": "every-hour is off",
        "revise/on-demand": "",
        "reconcile/hourly": "every-hour is on",
        "verify/nightly": "every-night is on",
        "dedupe/on-demand": "",
        "export/on-demand": "",
    }
    assert [remark for name, (_, remark) in done.items() if name.startswith("kleinbild: example")] == ["off"]
    assert {outcome for outcome, _ in done.values()} == {"created"}
    assert first_words.splitlines()[-1].startswith("Nobody is notified")


async def test_the_second_time_changes_nothing(at_work: Operator, client: PrefectClient) -> None:
    """The same things are there afterwards, and none twice."""

    async def there() -> tuple[list[Any], list[Automation]]:
        deployments = await client.read_deployments()
        return sorted((each.id, each.name) for each in deployments), await client.read_automations()

    before = await there()
    again = at_work.python("deployments.deploy")

    assert again.returncode == 0, again.stderr
    assert {outcome for outcome, _ in table(again.stdout).values()} == {"unchanged"}
    after = await there()
    assert after[0] == before[0]
    assert sorted(str(each) for each in after[1]) == sorted(str(each) for each in before[1])


async def test_prefects_own_command_makes_the_same(at_work: Operator, client: PrefectClient) -> None:
    """`prefect deploy --all` on the file makes what is missing as `make deploy` does, and nothing twice."""

    async def there() -> list[dict[str, Any]]:
        shown = [
            {
                **each.model_dump(include=DESCRIBED),
                "schedules": {when.slug: (when.schedule, when.parameters) for when in each.schedules},
            }
            for each in await client.read_deployments()
        ]
        return sorted(shown, key=lambda each: (each["entrypoint"], each["name"]))

    before = await there()
    for name in ("campaign/hourly", "verify/nightly"):
        await client.delete_deployment((await client.read_deployment_by_name(name)).id)
    assert len(await there()) == len(before) - 2
    file = "deployments/prefect.yaml"
    done = at_work.python("prefect", "--no-prompt", "deploy", "--all", "--prefect-file", file)

    assert done.returncode == 0, done.stdout + done.stderr
    assert await there() == before


async def test_what_is_deployed_finds_the_clone(at_work: Operator, client: PrefectClient) -> None:
    """The folder is filled in when it is deployed: a worker that was started anywhere changes into it."""
    deployment = await client.read_deployment_by_name("campaign/nightly")

    assert deployment.pull_steps == [
        {"prefect.deployments.steps.set_working_directory": {"directory": str(at_work.clone)}}
    ]
    assert deployment.job_variables["env"]["PYTHONPATH"] == str(at_work.clone)
    assert deployment.entrypoint == "flows.campaign.campaign"


async def test_schedules_make_runs_and_stay_as_they_were_chosen(at_work: Operator, client: PrefectClient) -> None:
    """Each night of Berlin has a run with its own edition once somebody wants that; deploying again keeps the wish."""

    async def upcoming(name: str) -> list[FlowRun] | None:
        runs = [run for run in await runs_of(client, name) if run.auto_scheduled]
        return runs if len(runs) >= 2 else None

    each_hour = await eventually(lambda: upcoming("reconcile/hourly"))
    assert {run.expected_start_time.minute for run in each_hour if run.expected_start_time} == {30}
    nightly = await client.read_deployment_by_name("campaign/nightly")
    assert [schedule.active for schedule in nightly.schedules] == [False]
    assert await upcoming("campaign/nightly") is None

    await client.update_deployment_schedule(nightly.id, nightly.schedules[0].id, active=True)
    each_night = await eventually(lambda: upcoming("campaign/nightly"))
    times = [run.expected_start_time.astimezone(BERLIN) for run in each_night if run.expected_start_time]
    assert [f"{time:%H:%M}" for time in times] == ["02:00"] * len(each_night)
    assert {run.parameters["edition"] for run in each_night} == {"daily@Europe/Berlin"}

    assert at_work.python("deployments.deploy").returncode == 0
    (schedule,) = (await client.read_deployment_by_name("campaign/nightly")).schedules
    assert (schedule.active, schedule.parameters) == (True, {"edition": "daily@Europe/Berlin"})


async def test_a_worker_that_was_started_elsewhere_runs_it(
    at_work: Operator, client: PrefectClient, worker_elsewhere: Path, sandbox_url: str
) -> None:
    """Run works as it is; it happens in the clone, and leaves nothing in the folder that the worker was started in."""
    made = await run_to_its_end(client, "campaign/on-demand")
    upkeep = await run_to_its_end(client, "reconcile/hourly")

    assert {made.work_pool_name, upkeep.work_pool_name} == {POOL}
    assert TAG in made.tags
    assert bought(sandbox_url) == 4
    assert (at_work.clone / "archive" / "archive.json").is_file()
    assert at_work.left_in(worker_elsewhere) == ["worker.log"]


@pytest.mark.parametrize("pool_type", ["docker", "kubernetes"])
async def test_the_server_takes_our_job_templates(client: PrefectClient, pool_type: PoolType) -> None:
    """Defaults fit their own schema: the server checks that when a pool is made."""
    template = base_job_template(pool_type)

    pool = await client.create_work_pool(WorkPoolCreate(name=pool_type, type=pool_type, base_job_template=template))

    assert pool.base_job_template == template
    assert template["variables"]["properties"]["image"]["default"] == "kleinbild:latest"


def test_a_pool_of_another_type_is_not_fought_for(
    at_work: Operator, first_words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """One message with the remedy, and nothing changed."""
    with prefect_at(at_work.api):
        assert deploy.main(["--type", "docker"]) == 3

    assert capsys.readouterr() == (
        "",
        "The work pool `kleinbild` is of type process, and cannot become docker. Deploy with `--type process`, or "
        "delete it first: `prefect work-pool delete kleinbild`.\n",
    )


@pytest.mark.parametrize("slug", ["slack-webhook/nobody", "nonsense"])
def test_a_block_that_is_not_there_is_refused(
    at_work: Operator, first_words: str, slug: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A misspelt block is found before anything is deployed."""
    with prefect_at(at_work.api):
        assert deploy.main(["--notify", slug]) == 3

    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(f"No block `{slug}` is saved.")


@pytest.mark.parametrize("command", [lambda: deploy.main([]), worker.main], ids=["deploy", "worker"])
@pytest.mark.parametrize(
    ("api", "message"),
    [
        (None, "No Prefect server is configured."),
        ("http://127.0.0.1:9/api", "The Prefect server at http://127.0.0.1:9/api does not answer (ConnectError)."),
    ],
)
def test_without_a_server_nothing_is_begun(
    command: Callable[[], int], api: str | None, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A temporary server would take everything along when it ends: said, with what to do instead."""
    with temporary_settings({PREFECT_API_URL: api}):
        assert command() == 3

    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(message)
    assert "make serve" in said.err


def test_a_server_with_a_password_is_not_taken_for_open(capsys: pytest.CaptureFixture[str]) -> None:
    """Its health is told to everybody, so that says nothing; the variable that holds a password is named."""
    with listening(Guarded) as (address, _), temporary_settings({PREFECT_API_URL: f"{address}/api"}):
        assert deploy.main([]) == 3

    said = capsys.readouterr()
    assert said.err.startswith(f"The Prefect server at {address}/api does not let us in (HTTP 401).")
    assert "PREFECT_API_AUTH_STRING" in said.err
