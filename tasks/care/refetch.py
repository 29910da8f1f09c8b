"""Fetches a picture from its provider once more, by its job: free, for as long as the provider keeps it."""

from blocks.errors import BriefError, UnexpectedAnswer
from blocks.provider import JobState, Provider
from tasks.ingest import fetch
from tasks.models import ImageRecord


async def refetch(record: ImageRecord, provider: Provider, *, is_sandbox: bool) -> bytes:
    """Brings the bytes that the provider has for a picture now: they may be others than those that came at first.

    Args:
        record: The picture's record.
        provider: The open account.
        is_sandbox: Whether that is the sandbox.

    Raises:
        BriefError: The picture was made elsewhere.
        ProviderError: The provider does not have it, or not now.
    """
    if record.sandbox != is_sandbox:
        raise BriefError(f"It was made {'on the sandbox' if record.sandbox else 'at the real provider'}.")
    status = await provider.status(record.job_id)
    if status.state is not JobState.SUCCEEDED:
        raise UnexpectedAnswer(f"{record.provider} says that its job is {status.state}.", provider=record.provider)
    pictures = await provider.pictures(status)
    if record.output_index >= len(pictures):
        raise UnexpectedAnswer(f"{record.provider} has no such output any more.", provider=record.provider)
    return (await fetch(provider, status, pictures[record.output_index])).data
