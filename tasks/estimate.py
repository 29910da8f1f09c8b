"""Shots -> price: what a campaign can cost at the most, asked before anything is bought."""

import math
from collections.abc import Sequence

from blocks.provider import Frozen, Money, PictureRequest, ProviderName
from tasks.account import Account
from tasks.brief import Brief, RevisionBrief
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
    """What a campaign would buy at the most: each edit and its retries are counted for every picture and duplicate.

    With a target it is what it would buy at the least: how many rounds it takes is known when they are over.
    """

    lines: tuple[EstimateLine, ...]
    target_unique: int | None = None
    """Distinct pictures that the campaign goes on to; None: it makes what is planned, and no more."""

    @property
    def shots(self) -> int:
        """Number of shots at the most; with a target, at the least."""
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
    """Prices a campaign at the most it can cost; one with a target at the least, as if every picture were distinct.

    Edits are priced without their pictures, which do not exist yet; Scenario may charge for those as well.

    Args:
        brief: With the edits that follow.
        shots: What is generated; with a target, what its rounds may come to.
        pictures: How many pictures go into the chain of edits; with a target, as many as that.
        studio: Open accounts, and the budget.

    Raises:
        SetupError: A budget is set, and a price that it needs is unknown.
    """
    target = brief.target_unique if isinstance(brief, Brief) else None
    number = len(shots)
    if target is not None and shots:
        number, pictures = math.ceil(target / shots[0].request.outputs), target
    lines = []
    if shots:
        account = studio.account(shots[0].provider)
        handles = await account.handles(shots[0].request.references, studio.archive.store)
        lines.append(await _line(studio, "generate", account, shots[0].request, number, handles))
    for number, step in enumerate(brief.edits, start=1):
        account = studio.account(step.provider)
        lines.append(await _line(studio, f"edit {number}", account, unmade_edit(step, account), pictures))
        if step.on_change == "retry" and target is None:  # nobody retries at the least
            again = {"stage": f"edit {number}, retries", "shots": pictures * step.retries}
            lines.append(lines[-1].model_copy(update=again))
    for line in lines:
        studio.purse.in_unit(studio.account(line.provider), line.price)  # refuses one that is unknown
    return Estimate(lines=tuple(lines), target_unique=target)


async def _line(
    studio: Studio, stage: str, account: Account, request: PictureRequest, shots: int, handles: Sequence[str] = ()
) -> EstimateLine:
    price = await studio.purse.price(account, request, handles)
    return EstimateLine(stage=stage, provider=account.provider.name, shots=shots, price=price)
