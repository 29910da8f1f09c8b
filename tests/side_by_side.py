"""Spreads the tests over processes: file by file, the longest first, and in one lane what must not be side by side."""

from typing import TYPE_CHECKING

from xdist.scheduler import LoadFileScheduling

if TYPE_CHECKING:
    from xdist.workermanage import WorkerController

LANES = {
    # They serve on ports that people know, and two that start at once want the same.
    "tests/deployments/test_demo.py": "well-known ports",
    "tests/deployments/test_prefect_ui.py": "well-known ports",
    "tests/deployments/test_serve.py": "well-known ports",
    # Each needs half of a small machine: servers, workers, and the processes that they kill.
    "tests/deployments/test_many_workers.py": "well-known ports",
    "tests/chaos/": "kills",
    "tests/power/": "kills",
    "tests/deployments/live/": "kills",
    # One Prefect server for all of them.
    "tests/flows/": "flows",
}
"""Files and folders, by the lane that they are in: what shares servers, would fight for ports, or disturb another."""

LONGEST = (
    "well-known ports",
    "flows",
    "tests/tasks/report/test_contact_sheet_in_browser.py",  # light: not all servers are to be started at once
    "tests/blocks/archive/test_ledger.py",
    "kills",
)
"""What is begun first, so that nothing long is left to the end."""


def lane_of(file: str) -> str:
    """Says which tests a file's tests stay with; those of most files with nobody."""
    return next((lane for path, lane in LANES.items() if file.startswith(path)), file)


class Lanes(LoadFileScheduling):  # type: ignore[misc]  # xdist says nothing of its types
    """Gives each process a lane, and the next when it has nearly done."""

    def _split_scope(self, nodeid: str) -> str:
        return lane_of(super()._split_scope(nodeid))

    def _assign_work_unit(self, node: "WorkerController") -> None:
        self.workqueue.move_to_end(max(self.workqueue, key=self._length), last=False)
        super()._assign_work_unit(node)

    def _length(self, lane: str) -> tuple[int, int]:
        """Tells how long a lane will take, as far as this is known: those of no repute by the number of their tests."""
        rank = LONGEST.index(lane) if lane in LONGEST else len(LONGEST)
        return -rank, len(self.workqueue[lane])
