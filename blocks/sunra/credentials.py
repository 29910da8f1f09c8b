"""The Prefect block that holds a Sunra key and opens clients with it."""

from decimal import Decimal

import httpx
from prefect.blocks.abstract import CredentialsBlock
from pydantic import ConfigDict, Field, HttpUrl, SecretStr

from blocks.errors import SetupError
from blocks.http import is_web_address
from blocks.provider import Money
from blocks.sunra.client import BASE_URL, MAX_PICTURE_SIZE_BYTES, SUBMITS_PER_MINUTE, AuthScheme, SunraClient
from blocks.sunra.provider import SunraProvider

SPARE_CONNECTIONS = 4
"""Beside one per job in flight: uploads, downloads, a stream."""


class SunraCredentials(CredentialsBlock):
    """Key, address and limits of one Sunra account.

    Example:
        Load a saved block and use it:
        ```python
        from blocks.sunra.credentials import SunraCredentials

        sunra_credentials = SunraCredentials.load("BLOCK_NAME")
        async with sunra_credentials.get_provider() as provider:
            status = await provider.status("pd_…")
        ```
    """

    model_config = ConfigDict(hide_input_in_errors=True)  # what was typed into the wrong field may be the key

    _block_type_name = "Sunra Credentials"
    _logo_url = HttpUrl("https://github.com/sunra-ai.png?size=200")
    _documentation_url = HttpUrl("https://docs.sunra.ai")

    api_key: SecretStr = Field(description="Key of the Sunra account. Any text where base_url is the sandbox.")
    auth_scheme: AuthScheme = Field(
        default="Key", description="Word before the key in the Authorization header; Sunra takes both."
    )
    base_url: str = Field(default=BASE_URL, description="Address of the API with its version.")
    sandbox: bool = Field(
        default=False,
        description="True when base_url is a local stand-in: pictures made there never count as the vendor's.",
    )
    max_in_flight: int = Field(default=8, ge=1, le=100, description="Most jobs that may run at the same time.")
    shared_limit: str | None = Field(
        default=None,
        description="Global concurrency limit of the Prefect server that all runs of this account share; "
        "`python -m deployments.register` creates it. Empty: each run minds max_in_flight alone.",
    )
    submits_per_minute: int = Field(
        default=SUBMITS_PER_MINUTE, ge=1, description="Most submits in any minute; Sunra allows 100."
    )
    timeout_seconds: float = Field(default=60.0, gt=0, le=600, description="Longest wait for one answer, in seconds.")
    max_picture_size_bytes: int = Field(
        default=MAX_PICTURE_SIZE_BYTES, ge=1, description="A larger picture is refused, in bytes."
    )
    price_per_image: Decimal | None = Field(
        default=None, ge=0, description="Price of one picture, because the API does not say. Empty: unknown."
    )
    currency: str = Field(default="USD", min_length=1, description="Currency of price_per_image.")

    def get_client(self, transport: httpx.AsyncBaseTransport | None = None) -> SunraClient:
        """Opens a client; close it with `async with`.

        Args:
            transport: Stands in for the network in tests.

        Raises:
            SetupError: The key or the address cannot be used.
        """
        return SunraClient(
            self._usable_key(),
            auth_scheme=self.auth_scheme,
            base_url=self._usable_url(),
            timeout_seconds=self.timeout_seconds,
            submits_per_minute=self.submits_per_minute,
            max_connections=self.max_in_flight + SPARE_CONNECTIONS,
            max_picture_size_bytes=self.max_picture_size_bytes,
            transport=transport,
        )

    def get_provider(self, transport: httpx.AsyncBaseTransport | None = None) -> SunraProvider:
        """Opens a client behind our contract; close it with `async with`.

        The limit of submits per minute is counted by each client: open one per run and share it.

        Args:
            transport: Stands in for the network in tests.
        """
        return SunraProvider(self.get_client(transport), price_per_image=self._price())

    def in_currency(self, money: Money) -> Money | None:
        """Gives an amount in `currency`; None where it is in another unit, because Sunra has no rate for any."""
        return money if money.unit == self.currency else None

    def _usable_key(self) -> str:
        key = self.api_key.get_secret_value()
        # Found here, because a key that fits no header would fail in the middle of each submit.
        if not key or not key.isascii() or not key.isprintable() or " " in key:
            raise SetupError(
                "api_key of the Sunra Credentials block must be printable ASCII without spaces: was it pasted whole?"
            )
        return key

    def _usable_url(self) -> str:
        if not is_web_address(self.base_url):
            raise SetupError(
                "base_url of the Sunra Credentials block must start with http:// or https:// and name a host, "
                f"such as {BASE_URL}"
            )
        return self.base_url

    def _price(self) -> Money | None:
        if self.price_per_image is None:
            return None
        return Money(amount=self.price_per_image, unit=self.currency)
