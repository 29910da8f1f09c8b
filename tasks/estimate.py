"""Shots -> price: what a campaign can cost at the most, asked before anything is bought."""

from collections.abc import Sequence

from blocks.provider import Frozen, Money, PictureRequest, ProviderName
from tasks.account import Account
from tasks.brief import RevisionBrief
from tasks.models import Cost, Shot
from tasks.plan import unmade_edit
from tasks.studio import Studio


class EstimateLine(Frozen):
    """What one stage of a campaign would buy."""

    stage: str
    provider: ProviderName
    shots: int
    price: Money | None

    @property
    def total(self) -> Money | None:
        """Price of all its shots; None where it is unknown."""
        return None if self.price is None else Money(amount=self.price.amount * self.shots, unit=self.price.unit)


class Estimate(Frozen):
    """What a campaign would buy at the most: edits are counted for every picture, duplicates included."""

    lines: tuple[EstimateLine, ...]

    @property
    def shots(self) -> int:
        """Number of shots at the most."""
        return sum(line.shots for line in self.lines)

    @property
    def total(self) -> Cost:
        """What is known of the price."""
        return Cost.of(line.total for line in self.lines)

    @property
    def price(self) -> str:
        """What all of it costs at the most, for people; an unknown price is no zero."""
        known = [str(amount) for amount in self.total.amounts]
        unknown = ["unknown"] if any(line.price is None for line in self.lines) else []
        return " + ".join(known + unknown) or str(self.total)


async def estimate(brief: RevisionBrief, shots: Sequence[Shot], pictures: int, studio: Studio) -> Estimate:
    """Prices a campaign at the most it can cost.

    Edits are priced without their pictures, which do not exist yet; Scenario may charge for those as well.

    Args:
        brief: With the edits that follow.
        shots: What is generated.
        pictures: How many pictures go into the chain of edits.
        studio: Open accounts, and the budget.

    Raises:
        SetupError: A budget is set, and a price that it needs is unknown.
    """
    lines = []
    if shots:
        account = studio.account(shots[0].provider)
        handles = await account.handles(shots[0].request.references, studio.archive.store)
        lines.append(await _line(studio, "generate", account, shots[0].request, len(shots), handles))
    for number, step in enumerate(brief.edits, start=1):
        account = studio.account(step.provider)
        lines.append(await _line(studio, f"edit {number}", account, unmade_edit(step, account), pictures))
    for line in lines:
        studio.purse.in_unit(studio.account(line.provider), line.price)  # refuses one that is unknown
    return Estimate(lines=tuple(lines))


async def _line(
    studio: Studio, stage: str, account: Account, request: PictureRequest, shots: int, handles: Sequence[str] = ()
) -> EstimateLine:
    price = await studio.purse.price(account, request, handles)
    return EstimateLine(stage=stage, provider=account.provider.name, shots=shots, price=price)
