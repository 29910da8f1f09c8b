import argparse
import os
import re
import subprocess
from pathlib import Path

import pytest

from deployments.deploy import main as deploy
from deployments.register import main as register
from deployments.sandbox.__main__ import main as sandbox
from flows.cli import main as commands
from flows.cli.main import main

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
CODE = "\n".join(re.findall(r"`[^`\n]+`|```.*?```", README, re.DOTALL))

NOT_OURS = {"pip", "pytest", "venv"}


def targets() -> set[str]:
    return set(re.findall(r"^([a-z]+):", MAKEFILE, re.MULTILINE))


def test_every_target_of_the_readme_exists() -> None:
    """What the README tells people to type works."""
    named = set(re.findall(r"(?:^|`)make ([a-z]+)\b", CODE, re.MULTILINE))

    assert {"demo", "test", "serve", "check", "bench"} <= named
    assert named <= targets()


def test_every_target_is_phony_and_explained() -> None:
    """A folder named `test` stops no target, and `make help` lists each of them."""
    phony = re.search(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)
    assert phony is not None
    assert set(phony[1].split()) == targets()
    assert set(re.findall(r"^([a-z]+):.*## \S", MAKEFILE, re.MULTILINE)) == targets()


def test_our_prefect_is_not_the_users() -> None:
    """A home and a database that the user has set for another Prefect are not used, and not migrated."""
    printed = subprocess.run(
        ["make", "--no-print-directory", "--eval", "shown: ; @env", "shown"],
        cwd=ROOT,
        env={**os.environ, "PREFECT_HOME": "/theirs", "PREFECT_SERVER_DATABASE_CONNECTION_URL": "sqlite:////theirs"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()

    assert f"PREFECT_HOME={ROOT}/.kleinbild/prefect" in printed
    assert [line for line in printed if "theirs" in line] == []


@pytest.mark.parametrize("module", sorted(set(re.findall(r"python -m ([a-z_.]+)", CODE + MAKEFILE)) - NOT_OURS))
def test_every_module_that_is_run_exists(module: str) -> None:
    """`python -m` finds a module, or the `__main__` of a package."""
    path = ROOT / module.replace(".", "/")

    assert path.with_suffix(".py").is_file() or (path / "__main__.py").is_file()


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\((?!https?:|#)([^)]+)\)", README))))
def test_every_link_of_the_readme_leads_somewhere(link: str) -> None:
    """Pictures and pages that the README shows are in the project."""
    assert (ROOT / link).exists()


@pytest.mark.parametrize("brief", sorted(set(re.findall(r"deployments/briefs/[\w.-]+\.yaml", README))))
def test_every_brief_of_the_readme_exists(brief: str) -> None:
    """A brief that is named in a command is there."""
    assert (ROOT / brief).is_file()


def test_every_option_of_the_readme_exists(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the README names are options of `python -m flows`, of the commands of `deployments`, or of the sandbox."""
    known: set[str] = set()
    add = argparse._ActionsContainer.add_argument

    def remember(parser: argparse._ActionsContainer, *names: str, **options: object) -> argparse.Action:
        known.update(names)
        return add(parser, *names, **options)  # type: ignore[arg-type]  # handed through as it came

    monkeypatch.setattr(argparse._ActionsContainer, "add_argument", remember)
    for command in (main, deploy, register):
        with pytest.raises(SystemExit):
            command(["--help"])
    monkeypatch.setattr("sys.argv", ["sandbox", "--help"])
    with pytest.raises(SystemExit):
        sandbox()
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", CODE)) - {"--strict"}

    assert named
    assert named <= known | {"--help"}


def test_the_exit_codes_of_the_readme_are_those_of_the_help() -> None:
    """A code that the README promises is listed by `--help`."""
    for code in re.findall(r"exit code (\d+)", README):
        assert f"  {code}  " in commands.EXIT_CODES
