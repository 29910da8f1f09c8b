from collections.abc import Sequence

import pytest

from blocks.archive.archive import Archive
from blocks.archive.layout import object_key
from tasks.care.restore import restored_shots
from tasks.models import ImageRecord
from tests.tasks.care.upkeep import ORPHAN, OTHER, ImageOf, filled


@pytest.fixture
async def images(archive: Archive, image_of: ImageOf) -> Sequence[ImageRecord]:
    """As a campaign leaves them: the ledger knows their shots."""
    records = await filled(archive, image_of)
    await archive.ledger.restore(restored_shots(records))
    return records


@pytest.fixture
async def orphan(archive: Archive) -> None:
    """Bytes that nothing names."""
    await archive.store.put_if_absent(object_key(ORPHAN), OTHER)
