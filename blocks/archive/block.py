"""The archive as a Prefect block: where pictures and records are kept."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal

from prefect.blocks.core import Block
from pydantic import ConfigDict, Field, HttpUrl, SecretStr, field_validator

from blocks.archive.archive import Archive, id_of, is_made, open_archive
from blocks.archive.bucket import bucket_of
from blocks.archive.saved_keys import saved_keys
from blocks.archive.store_keys import StoreKeys
from blocks.errors import SetupError


class ImageArchive(Block):
    """Keeps pictures that are never lost, with the record and the cost of each.

    Example:
        Load a saved archive and open it:

        ```python
        from blocks.archive.block import ImageArchive

        image_archive = ImageArchive.load("BLOCK_NAME")
        async with image_archive.open() as archive:
            print(archive.id, await archive.catalogue.count())
        ```
    """

    model_config = ConfigDict(hide_input_in_errors=True)  # which is where a key would be shown

    _block_type_name = "Image Archive"
    _block_type_slug = "image-archive"
    _description = "Keeps pictures that are never lost, with the record and the cost of each."
    _documentation_url = HttpUrl("https://docs.prefect.io/v3/concepts/blocks")

    root: str = Field(
        title="Root",
        description=(
            "Folder of the archive, as a path or a file:// URL, which is made where it is missing; or a bucket, as "
            "s3://BUCKET/PREFIX, gs://BUCKET/PREFIX or az://CONTAINER/PREFIX."
        ),
    )
    credentials: str | None = Field(
        default=None,
        title="Credentials block of the bucket",
        description=(
            "Type and name of a saved block with keys to the bucket, such as aws-credentials/NAME or s3-bucket/NAME. "
            "Without it, the environment's keys (AWS_ACCESS_KEY_ID and so on)."
        ),
    )
    catalogue_url: SecretStr | None = Field(
        default=None,
        title="Catalogue URL",
        description=(
            "Database of records and money, such as postgresql://user:password@host/name for many machines. "
            "Without it, a SQLite file in the folder; a bucket needs one."
        ),
    )
    archive_id: str | None = Field(
        default=None,
        title="Id of the archive",
        description=(
            "What its archive.json says; `python -m deployments.register` fills it in. With it, only this very archive "
            "is used: where its disk is not mounted, nothing is made there, and nothing bought twice. Empty: an "
            "archive is made where there is none."
        ),
    )
    browse_url: str | None = Field(
        default=None,
        title="Address for browsers",
        description="Where people open what lies in the root, such as http://127.0.0.1:8780; links in reports use it.",
    )
    cap_per_day: Decimal | None = Field(
        default=None, ge=0, title="Cap per day", description="Most that all runs together may spend on a day (UTC)."
    )
    cap_per_month: Decimal | None = Field(
        default=None, ge=0, title="Cap per month", description="Most that all runs together may spend in a month (UTC)."
    )
    cap_unit: str = Field(
        default="USD", title="Unit of the caps", description="A currency, or CU for Scenario's creative units."
    )

    @field_validator("archive_id", mode="after")
    @classmethod
    def _as_written(cls, archive_id: str | None) -> str | None:
        """Takes it as people copy it; a field that was cleared may be empty."""
        return (archive_id or "").strip().lower() or None

    @asynccontextmanager
    async def open(self, *, for_reading: bool = False) -> AsyncIterator[Archive]:
        """Opens the archive for `async with`, and makes it where there is none yet, unless it is only to be read.

        Args:
            for_reading: Whether to write nothing at all, so that a read-only medium or a full disk will do.

        Raises:
            SetupError: The root or the database cannot be used; there is no archive to read; or it is not the one that
                the block has the id of.
            ArchiveError: The archive was made by a newer Kleinbild; or it is to be read, and cannot be as it lies.
        """
        url, keys = self.catalogue_url, await self._keys()
        if self.archive_id is not None:
            await self._refuse_others(self.archive_id, keys)
        secret = None if url is None else url.get_secret_value()
        async with open_archive(self.root, secret, keys, for_reading=for_reading) as opened:
            yield opened

    async def is_made(self) -> bool:
        """Tells whether the archive is there already. Makes nothing.

        Raises:
            SetupError: The root names nothing, the keys are not complete, or the block has the id of an archive that is
                not there.
            ArchiveError: The place cannot be looked at.
        """
        keys = await self._keys()
        if self.archive_id is None:
            return await is_made(self.root, keys)
        await self._refuse_others(self.archive_id, keys)
        return True

    async def id_there(self) -> str | None:
        """Looks which archive is at the root, whatever the block says; None where there is none.

        Raises:
            SetupError: The root names nothing, or the keys are not complete.
            ArchiveError: The place cannot be looked at, or `archive.json` cannot be read.
        """
        return await id_of(self.root, await self._keys())

    async def _refuse_others(self, archive_id: str, keys: StoreKeys | None) -> None:
        """Makes no second archive in the empty folder that a disk was to be mounted on."""
        found = await id_of(self.root, keys)
        if found is None:
            raise SetupError(
                f"The archive {archive_id} is not at {self.place}: {self._first_guess} If it is gone for good, "
                "clear `Id of the archive` in its block: a new one is made then, and all is bought anew."
            )
        if found != archive_id:
            raise SetupError(
                f"At {self.place} is the archive {found}, and not {archive_id}, which its block has the id of: "
                "bring that one there, or write the other's id into `Id of the archive` in the block, if it is meant."
            )

    @property
    def place(self) -> str:
        """The root, for people: a folder is one of this machine."""
        return self.root if bucket_of(self.root) else f"{self.root} on {socket.gethostname()}"

    @property
    def _first_guess(self) -> str:
        return "are bucket and prefix right?" if bucket_of(self.root) else "is its disk mounted?"

    async def _keys(self) -> StoreKeys | None:
        return None if self.credentials is None else await saved_keys(self.credentials)
