"""Where decisions are kept: one file each in the archive, written once, for ever."""

from pydantic import BaseModel, ValidationError

from blocks.archive.layout import decision_key
from blocks.archive.store import Store
from blocks.errors import ArchiveError
from tasks.models import sha256_of
from tasks.review import DECISION_FORMAT, Decision
from tasks.studio import Studio

_DIGITS = 20


class _Header(BaseModel):
    """What a decision of any format says. What a later one adds is passed over, so that its number can be read."""

    format: int


async def decisions_of(studio: Studio) -> tuple[Decision, ...]:
    """Reads all decisions on this edition of the campaign.

    Raises:
        ArchiveError: One of them is damaged, or was written by a newer version.
    """
    prefix = decision_key(_edition_id(studio.run.campaign, studio.run.edition)).removesuffix(".json")
    store = studio.archive.store
    return tuple([await _read(key, store) async for key in store.list(f"{prefix}-")])


async def keep_decision(decision: Decision, studio: Studio) -> None:
    """Writes a decision. A flow run decides once at each place: where it has decided already, that holds."""
    data = f"{decision.model_dump_json(indent=2)}\n".encode()
    await studio.archive.store.put_if_absent(decision_key(decision_id(decision)), data)


def decision_id(decision: Decision) -> str:
    """Names a decision by its edition, and by the flow run and the place in it that asked."""
    place = _digest(decision.run_id, str(decision.step), str(decision.round))
    return f"{_edition_id(decision.campaign, decision.edition)}-{place}"


def _edition_id(campaign: str, edition: str) -> str:
    return f"review-{_digest(campaign, edition)}"


def _digest(*parts: str) -> str:
    return sha256_of("\n".join(parts).encode())[:_DIGITS]


async def _read(key: str, store: Store) -> Decision:
    data = await store.get(key)
    try:
        written = _Header.model_validate_json(data).format
        if written > DECISION_FORMAT:
            raise ArchiveError(
                f"{key} has format {written}; this version reads formats up to {DECISION_FORMAT}: update Kleinbild."
            )
        return Decision.model_validate_json(data)
    except ValidationError as error:
        raise ArchiveError(f"{key} is damaged: bring it back from a backup, or remove it to forget it.") from error
