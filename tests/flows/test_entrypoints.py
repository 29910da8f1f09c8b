import functools
import importlib.metadata
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = {"blocks", "tasks", "flows", "deployments", "tests"}
LOAD = """
import json
from prefect.flows import load_flow_from_entrypoint
names = ["flows.campaign.campaign", "flows.revise.revise"]
flows = [load_flow_from_entrypoint(name) for name in names]
print(json.dumps([[flow.name, type(flow).__name__, sorted(flow.parameters.properties)] for flow in flows]))
"""
TERMS = ["archive", "budget", "edition", "review", "scenario", "sunra"]


@pytest.mark.parametrize("file", sorted(ROOT.glob("flows/*.py")), ids=lambda file: file.stem)
def test_no_file_of_flows_hides_another_module(file: Path) -> None:
    """Prefect may put this folder first on the path, where a file would be imported in place of its namesake."""
    assert file.stem.startswith("__") or file.stem not in taken()


@functools.cache
def taken() -> frozenset[str]:
    """Names of modules that are somebody's: to ask every package that is installed takes a second."""
    return frozenset(ROOMS | sys.stdlib_module_names | set(importlib.metadata.packages_distributions()))


def test_flows_load_as_a_worker_loads_them(tmp_path: Path) -> None:
    """In a process that has imported nothing of ours, the module form finds each flow and its typed parameters."""
    finished = subprocess.run(
        [sys.executable, "-c", LOAD],
        cwd=ROOT,
        env={"PATH": "", "PREFECT_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert json.loads(finished.stdout) == [
        ["campaign", "RunnableFlow", sorted(["brief", *TERMS])],
        ["revise", "RunnableFlow", sorted(["brief", "images", *TERMS])],
    ]
