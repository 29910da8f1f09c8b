import random
from pathlib import Path

import pytest

from tests.power.cuts import cut
from tests.power.disk import why_not

pytestmark = pytest.mark.power

CUTS = 6


@pytest.fixture(autouse=True, scope="module")
def _needs_a_disk() -> None:
    reason = why_not()
    if reason is not None:
        pytest.skip(f"no power can be cut here: {reason}")


def test_nothing_acknowledged_is_lost_when_the_power_goes(tmp_path: Path) -> None:
    """Objects, records, sheets, and every step of the ledger and the catalogue: `make power` does it more often."""
    result = cut(tmp_path, CUTS, "as it is", random.Random(5))
    assert (result.cuts, result.lost, result.corrupt) == (CUTS, (), ())
    assert result.promises > CUTS


def test_without_fsync_it_is_lost(tmp_path: Path) -> None:
    """The same product with its syncs taken away loses what it acknowledged: the test above can fail."""
    result = cut(tmp_path, 2, "no fsync", random.Random(5))
    assert len(result.lost) > 0
