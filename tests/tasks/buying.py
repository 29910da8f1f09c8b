"""What the sandbox charges, and what ledger and budget say of a purchase."""

from decimal import Decimal

from blocks.archive.ledger import LedgerEntry
from blocks.provider import Money
from tasks.models import Shot
from tasks.studio import Studio

PRICE_CU = Decimal("0.25")
"""What the sandbox charges for the small generation of `shot_of`."""
PRICE_USD = Decimal("0.01")
"""What the sandbox counts for a picture of Sunra's."""
AT_SUNRAS_PRICE = {"price_per_image": PRICE_USD}


async def state_of(studio: Studio, shot: Shot) -> LedgerEntry:
    entry = await studio.archive.ledger.get(shot.key)
    assert entry is not None
    return entry


async def committed(studio: Studio) -> Money:
    budget = await studio.archive.ledger.budget(studio.run.scope)
    assert budget is not None
    return budget.committed
