"""The archive as a Prefect block: where pictures and records are kept."""

from contextlib import AbstractAsyncContextManager
from decimal import Decimal

from prefect.blocks.core import Block
from pydantic import Field, HttpUrl, SecretStr

from blocks.archive.archive import Archive, open_archive


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

    _block_type_name = "Image Archive"
    _block_type_slug = "image-archive"
    _description = "Keeps pictures that are never lost, with the record and the cost of each."
    _documentation_url = HttpUrl("https://docs.prefect.io/v3/concepts/blocks")

    root: str = Field(
        title="Root",
        description="Folder of the archive, as a path or a file:// URL; it is made where it is missing.",
    )
    catalogue_url: SecretStr | None = Field(
        default=None,
        title="Catalogue URL",
        description=(
            "Database of records and money, such as postgresql://user:password@host/name for many machines. "
            "Without it, a SQLite file in the root."
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

    def open(self) -> AbstractAsyncContextManager[Archive]:
        """Opens the archive for `async with`, and makes it where there is none yet.

        Raises:
            SetupError: The root or the database cannot be used.
            ArchiveError: The archive was made by a newer Kleinbild.
        """
        url = self.catalogue_url
        return open_archive(self.root, None if url is None else url.get_secret_value())
