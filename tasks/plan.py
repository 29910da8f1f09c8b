"""Prompts -> shots: what will be bought, decided before anything is.

Shots are held against the provider's limits here, so that a brief that cannot work is refused before the first picture
is paid for.
"""

from collections.abc import Sequence

from blocks.errors import BriefError, InvalidRequest
from blocks.provider import Capabilities, PictureRequest
from tasks.account import Account
from tasks.brief import MAX_SHOTS, Brief, EditStep, Generation, RevisionBrief
from tasks.models import Prompt, Shot, derive_seed
from tasks.prompts import reference_numbers
from tasks.references import References, in_roles
from tasks.studio import Studio

DEFAULT_SIZE_PX = 1024
"""klein's native size, asked for where a provider leaves the size to us and the brief to the provider."""

UNMADE = "0" * 64
"""Stands in for the picture of an edit that is only being planned."""


def plan_generation(
    brief: Brief, prompts: Sequence[Prompt], references: References, studio: Studio
) -> tuple[Shot, ...]:
    """Makes one shot for each prompt and seed, prompts first.

    Raises:
        BriefError: There would be too many.
        InvalidRequest: The provider's limits do not allow what the brief asks for.
    """
    if len(prompts) * brief.seeds > MAX_SHOTS:
        raise BriefError(f"{len(prompts)} prompts with {brief.seeds} seeds each are more than {MAX_SHOTS:,} pictures.")
    takes = [(prompt, take) for prompt in prompts for take in range(brief.seeds)]
    return plan_takes(brief, takes, references, studio)


def plan_takes(
    brief: Brief, takes: Sequence[tuple[Prompt, int]], references: References, studio: Studio, first_position: int = 0
) -> tuple[Shot, ...]:
    """Makes one shot for each take of a prompt; each take has a seed of its own.

    Args:
        brief: Says how pictures are generated.
        takes: Prompts, and which of their takes is meant: 0 is the first one.
        references: All references of the brief.
        studio: Open accounts.
        first_position: Place in the plan of the first of these shots; the others follow.

    Raises:
        InvalidRequest: The provider's limits do not allow what the brief asks for.
    """
    account = studio.account(brief.generate.provider)
    chosen = in_roles(references, brief.generate.references)
    shots = tuple(
        _shot(brief, prompt, position, take, chosen, account, studio.run.edition)
        for position, (prompt, take) in enumerate(takes, start=first_position)
    )
    for shot in shots:
        _check("generate", account, shot.request)
    return shots


def _shot(
    brief: Brief, prompt: Prompt, position: int, take: int, chosen: References, account: Account, edition: str
) -> Shot:
    settings = brief.generate
    text = reference_numbers(prompt.text, settings.references, first=1)
    return Shot(
        provider=settings.provider,
        sandbox=account.sandbox,
        request=complete_request(
            settings,
            account.provider.capabilities,
            text=text,
            seed=derive_seed("generate", brief.seed, edition, prompt.text, take),
            references=tuple(each.sha256 for each in chosen),
        ),
        prompt=prompt.model_copy(update={"text": text}),
        position=position,
        references=chosen,
    )


def check_edits(brief: RevisionBrief, studio: Studio) -> None:
    """Holds every edit step against its provider's limits, with a stand-in for the picture that is not there yet.

    Raises:
        InvalidRequest: With the number of the step.
    """
    for number, step in enumerate(brief.edits):
        account = studio.account(step.provider)
        _check(f"edits.{number}", account, unmade_edit(step, account))


def unmade_edit(step: EditStep, account: Account) -> PictureRequest:
    """Makes the request of an edit whose picture does not exist yet, to check and to price it."""
    pictures = (UNMADE,) * (1 + len(step.references))
    return complete_request(step, account.provider.capabilities, text=step.instruction, seed=0, references=pictures)


def complete_request(
    settings: Generation | EditStep, can: Capabilities, *, text: str, seed: int, references: tuple[str, ...]
) -> PictureRequest:
    """Completes what a brief leaves out, so that a shot says everything that it was made with."""
    needs_size = can.size_control == "pixels" and not references
    return PictureRequest(
        model=settings.model or can.model,
        prompt=text,
        seed=seed,
        outputs=settings.outputs if isinstance(settings, Generation) else 1,
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
