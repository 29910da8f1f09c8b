"""What `deployments/` ships as files: what they promise holds before any server has seen them."""

import importlib
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect import Flow
from prefect.client.schemas.schedules import CronSchedule
from prefect.settings import Settings
from prefect.settings.legacy import _get_valid_setting_names
from prefect.utilities.callables import parameter_schema
from prefect.utilities.schema_tools import validate

from deployments.deploy import PREFECT_FILE, name_of
from deployments.triggers import TAG
from deployments.work_pools import POOL, PoolType, base_job_template, root_of_runs

ROOT = Path(__file__).parents[2]
DEPLOYMENTS: list[dict[str, Any]] = yaml.safe_load(PREFECT_FILE.read_text(encoding="utf-8"))["deployments"]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "deployments" / "compose.yaml").read_text(encoding="utf-8"))

every_deployment = pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=name_of)


def flow_of(deployment: dict[str, Any]) -> Flow[Any, Any]:
    module, _, name = deployment["entrypoint"].rpartition(".")
    flow = getattr(importlib.import_module(module), name)
    assert isinstance(flow, Flow)
    return flow


def test_these_are_deployed() -> None:
    """Their names are known to people, to automations and to scripts."""
    assert [name_of(deployment) for deployment in DEPLOYMENTS] == [
        "campaign/on-demand",
        "campaign/nightly",
        "campaign/hourly",
        "revise/on-demand",
        "reconcile/hourly",
        "verify/nightly",
        "dedupe/on-demand",
        "export/on-demand",
    ]


@every_deployment
def test_a_deployment_is_named_like_its_flow(deployment: dict[str, Any]) -> None:
    """The name that we look a deployment up by is the one that Prefect gives it."""
    assert name_of(deployment) == f"{flow_of(deployment).name}/{deployment['name']}"


@every_deployment
def test_the_form_begins_with_what_its_flow_takes(deployment: dict[str, Any]) -> None:
    """The server refuses no parameter of ours, in a deployment or in one of its schedules."""
    schema = parameter_schema(flow_of(deployment)).model_dump_for_openapi()
    schedules = [schedule["parameters"] for schedule in deployment.get("schedules", []) if "parameters" in schedule]
    for parameters in [{}, *schedules]:
        filled = {**deployment.get("parameters", {}), **parameters}

        assert set(filled) <= set(schema["properties"])
        assert [error.message for error in validate(filled, schema, ignore_required=True)] == []


@every_deployment
def test_run_works_as_it_is(deployment: dict[str, Any]) -> None:
    """Nothing has to be filled in first; only which pictures to revise, nobody can know."""
    schema = parameter_schema(flow_of(deployment)).model_dump_for_openapi()
    left_to_fill_in = set(schema.get("required", [])) - set(deployment.get("parameters", {}))

    assert left_to_fill_in == ({"images"} if name_of(deployment) == "revise/on-demand" else set())


@every_deployment
def test_a_brief_file_that_is_named_is_there(deployment: dict[str, Any]) -> None:
    """It is found from the folder that runs work in."""
    file = deployment.get("parameters", {}).get("brief", {}).get("file", "README.md")

    assert (ROOT / file).is_file()


@every_deployment
def test_only_what_buys_nothing_runs_unasked(deployment: dict[str, Any]) -> None:
    """A schedule that spends money ships switched off; each has a slug and a valid cron in a known time zone."""
    spends = not deployment["entrypoint"].startswith("flows.care.")
    for schedule in deployment.get("schedules", []):
        CronSchedule(cron=schedule["cron"], timezone=schedule["timezone"])

        assert re.fullmatch(r"[a-z-]+", schedule["slug"])
        assert schedule["active"] is not spends


@every_deployment
def test_a_deployment_is_seen_by_the_automations_and_explained_to_people(deployment: dict[str, Any]) -> None:
    """Automations find runs by their tag and hear their heartbeats; a stranger reads what it does and costs."""
    assert TAG in deployment["tags"]
    assert deployment["work_pool"]["name"] == POOL
    assert int(deployment["work_pool"]["job_variables"]["env"]["PREFECT_FLOWS_HEARTBEAT_FREQUENCY"]) == 30
    assert "**" in deployment["description"]
    assert re.search(r"cost|spends money|buys nothing", deployment["description"])


def test_the_file_holds_no_folder_and_no_secret() -> None:
    """It works from any clone: `$PWD` is filled in when it is deployed. Blocks are named, their values never copied."""
    text = PREFECT_FILE.read_text(encoding="utf-8")
    values = re.sub(r"#.*", "", text)

    assert set(re.findall(r"\{\{.*?\}\}", values)) == {"{{ $PWD }}"}
    assert re.search(r"/(home|root|Users|work|tmp)/", text) is None


@pytest.mark.parametrize("pool_type", ["docker", "kubernetes"])
def test_every_placeholder_of_a_job_template_is_a_variable(pool_type: PoolType) -> None:
    """A variable without a place, or a place without a variable, would be dropped without a word."""
    template = base_job_template(pool_type)
    used = set(re.findall(r"\{\{ (\w+) \}\}", json.dumps(template["job_configuration"])))

    assert used == set(template["variables"]["properties"])


@pytest.mark.parametrize("file", ["server.env", "server-redis.env"])
def test_every_setting_of_the_server_exists(file: str) -> None:
    """A misspelt setting would be ignored by Prefect."""
    lines = (ROOT / "deployments" / file).read_text(encoding="utf-8").splitlines()
    names = {line.partition("=")[0] for line in lines if line and not line.startswith("#")}
    of_others = {name for name in names if name.startswith("PREFECT_REDIS_")} | {"DO_NOT_TRACK"}

    assert len(names) > 5
    assert names - of_others <= _get_valid_setting_names(Settings)


def test_the_containers_are_reachable_from_this_machine_alone() -> None:
    """Whoever reaches the server reads what it keeps; published ports are bound to 127.0.0.1."""
    ports = [port for service in COMPOSE["services"].values() for port in service.get("ports", [])]

    assert ports == ["127.0.0.1:4200:4200", "127.0.0.1:8765:8765"]


def test_the_containers_have_no_secret_in_git() -> None:
    """Passwords come from `compose.env`, which git ignores and the image does not contain; its example is empty."""
    example = (ROOT / "deployments" / "compose.env.example").read_text(encoding="utf-8")
    filled = [line for line in example.splitlines() if line and not line.startswith("#") and not line.endswith("=")]
    addresses = re.findall(r'://\w+:([^@"]+)@', json.dumps(COMPOSE))

    assert filled == []
    assert addresses
    assert all(password.startswith("${POSTGRES_PASSWORD") for password in addresses)
    assert "compose.env" in (ROOT / "deployments" / ".gitignore").read_text(encoding="utf-8").split()
    assert "deployments/compose.env" in (ROOT / "deployments" / "Dockerfile.dockerignore").read_text(encoding="utf-8")


def test_keys_reach_one_container_only() -> None:
    """The one that saves them as blocks; no worker has them in its environment."""
    have = [name for name, service in COMPOSE["services"].items() if "compose.env" in service.get("env_file", [])]

    assert have == ["setup"]


def test_the_password_reaches_the_server_and_all_its_clients() -> None:
    """A password that the server is not told protects nothing; a client that is not told it does nothing."""
    password = "${PREFECT_SERVER_API_AUTH_STRING:?fill in compose.env}"
    environments = {name: service.get("environment", {}) for name, service in COMPOSE["services"].items()}
    servers = {name for name, each in environments.items() if "PREFECT_SERVER_ENCRYPTION_KEY" in each}
    clients = {name for name, each in environments.items() if "PREFECT_API_URL" in each}

    assert (servers, clients) == ({"migrate", "server", "services"}, {"setup", "worker"})
    assert {environments[name].get("PREFECT_SERVER_API_AUTH_STRING") for name in servers} == {password}
    assert {environments[name].get("PREFECT_API_AUTH_STRING") for name in clients} == {password}
    example = (ROOT / "deployments" / "compose.env.example").read_text(encoding="utf-8").splitlines()
    assert "PREFECT_SERVER_API_AUTH_STRING=" in example


def test_each_account_without_keys_gets_the_sandbox() -> None:
    """Also where the other one has keys, and where keys were saved in the UI: no condition stands before it."""
    commands = COMPOSE["services"]["setup"]["command"][-1].splitlines()

    assert commands == [
        "python -m deployments.register",
        "python -m deployments.register --sandbox http://sandbox:8765",
        "python -m deployments.deploy",
    ]


def test_the_image_runs_as_nobody_in_particular() -> None:
    """Neither the image nor a Kubernetes job runs as root."""
    dockerfile = (ROOT / "deployments" / "Dockerfile").read_text(encoding="utf-8")
    pod = base_job_template("kubernetes")["job_configuration"]["job_manifest"]["spec"]["template"]["spec"]

    assert re.findall(r"^USER (.*)$", dockerfile, re.MULTILINE) == ["kleinbild"]
    assert pod["securityContext"]["runAsNonRoot"] is True


def test_runs_in_containers_find_the_project_in_the_image() -> None:
    """A container pool changes into the image's own folder, whatever machine it is deployed from."""
    dockerfile = (ROOT / "deployments" / "Dockerfile").read_text(encoding="utf-8")

    assert re.findall(r"^WORKDIR (.*)$", dockerfile, re.MULTILINE) == [str(root_of_runs("docker"))]
    assert root_of_runs("process") == ROOT


def test_every_file_that_the_image_copies_exists() -> None:
    """A build fails on the first one that does not."""
    dockerfile = (ROOT / "deployments" / "Dockerfile").read_text(encoding="utf-8")
    copied = [word for line in re.findall(r"^COPY (.*)$", dockerfile, re.MULTILINE) for word in line.split()[:-1]]

    assert len(copied) > 5
    assert [path for path in copied if not (ROOT / path).exists()] == []
