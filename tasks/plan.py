"""Prompts -> shots: what will be bought, priced and counted before anything is.

Pure but for `estimate`, which asks for prices. Shots are checked here against the provider's limits, so that a brief
that cannot work is refused before the first picture is paid for.
"""

from collections.abc import Mapping, Sequence

from blocks.errors import InvalidRequest, SetupError
from blocks.provider import Capabilities, Frozen, Money, PictureRequest, ProviderName
from tasks.account import Account
from tasks.brief import Brief, EditStep, Generation, ModelSettings
from tasks.models import Cost, Prompt, Shot, derive_seed
from tasks.prompts import reference_numbers
from tasks.references import References, in_roles
from tasks.studio import price_is_missing

DEFAULT_SIZE_PX = 1024
"""klein's native size, asked for where a provider leaves the size to us and the brief to the provider."""

Accounts = Mapping[ProviderName, Account]


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


def plan_generation(
    brief: Brief, prompts: Sequence[Prompt], references: References, account: Account, edition: str
) -> tuple[Shot, ...]:
    """Makes one shot for each prompt and seed, prompts first.

    Raises:
        InvalidRequest: The provider's limits do not allow what the brief asks for.
    """
    settings = brief.generate
    chosen = in_roles(references, settings.references)
    shots = []
    for number, prompt in enumerate(prompts):
        text = reference_numbers(prompt.text, settings.references, first=1)
        for take in range(brief.seeds):
            request = _request(
                settings,
                account.provider.capabilities,
                text=text,
                seed=derive_seed("generate", brief.seed, edition, prompt.text, take),
                references=tuple(each.sha256 for each in chosen),
                outputs=settings.outputs,
            )
            shots.append(
                Shot(
                    provider=settings.provider,
                    sandbox=account.sandbox,
                    request=request,
                    prompt=prompt.model_copy(update={"text": text}),
                    position=number * brief.seeds + take,
                    references=chosen,
                )
            )
    if shots:
        _check("generate", account, shots[0].request)
    return tuple(shots)


def check_edits(brief: Brief, references: References, accounts: Accounts) -> None:
    """Holds every edit step against its provider's limits, with a stand-in for the picture that is not there yet.

    Raises:
        InvalidRequest: With the number of the step.
    """
    for number, step in enumerate(brief.edits):
        account = accounts[step.provider]
        chosen = in_roles(references, step.references)
        shas = ("0" * 64, *(each.sha256 for each in chosen))
        request = _request(step, account.provider.capabilities, text=step.instruction, seed=0, references=shas)
        _check(f"edits.{number}", account, request)


def edit_request(step: EditStep, account: Account, *, text: str, seed: int, pictures: Sequence[str]) -> PictureRequest:
    """Makes the request of an edit; image 1 is the parent, references follow."""
    return _request(step, account.provider.capabilities, text=text, seed=seed, references=tuple(pictures))


async def estimate(brief: Brief, shots: Sequence[Shot], accounts: Accounts, *, budget: Money | None) -> Estimate:
    """Prices a campaign at the most it can cost, without buying anything.

    Raises:
        SetupError: A budget is set, and a price that it needs is unknown.
    """
    lines = []
    if shots:
        lines.append(await _line("generate", brief.generate, shots[0].request, len(shots), accounts))
    pictures = len(shots) * brief.generate.outputs
    for number, step in enumerate(brief.edits, start=1):
        account = accounts[step.provider]
        request = edit_request(step, account, text=step.instruction, seed=0, pictures=("", *step.references))
        lines.append(await _line(f"edit {number}", step, request, pictures, accounts))
    for line in lines:
        _refuse_unknown_price(budget, line, accounts[line.provider])
    return Estimate(lines=tuple(lines))


async def _line(
    stage: str, settings: Generation | EditStep, request: PictureRequest, shots: int, accounts: Accounts
) -> EstimateLine:
    price = await accounts[settings.provider].price(request, ())
    return EstimateLine(stage=stage, provider=settings.provider, shots=shots, price=price)


def _refuse_unknown_price(budget: Money | None, line: EstimateLine, account: Account) -> None:
    if budget is None:
        return
    if line.price is None or account.in_unit(line.price, budget.unit) is None:
        raise SetupError(price_is_missing(line.provider, line.price, budget.unit))


def _request(
    settings: ModelSettings,
    can: Capabilities,
    *,
    text: str,
    seed: int,
    references: tuple[str, ...],
    outputs: int = 1,
) -> PictureRequest:
    """Completes what a brief leaves out, so that a shot says everything that it was made with."""
    needs_size = can.size_control == "pixels" and not references
    return PictureRequest(
        model=settings.model or can.model,
        prompt=text,
        seed=seed,
        outputs=outputs,
        width_px=settings.width_px or (DEFAULT_SIZE_PX if needs_size else None),
        height_px=settings.height_px or (DEFAULT_SIZE_PX if needs_size else None),
        aspect_ratio=settings.aspect_ratio,
        steps=can.default_steps if settings.steps is None else settings.steps,
        guidance=can.default_guidance if settings.guidance is None else settings.guidance,
        output_format=settings.output_format,
        loras=settings.loras,
        references=references,
    )


def _check(where: str, account: Account, request: PictureRequest) -> None:
    try:
        account.provider.check(request)
    except InvalidRequest as error:
        raise InvalidRequest(f"{where}: {error}", where=where) from error
