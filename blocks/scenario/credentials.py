"""The Prefect block that holds the keys of a Scenario project and opens clients with them."""

from base64 import b64encode
from decimal import Decimal
from typing import Self
from urllib.parse import urlsplit

import httpx
from prefect.blocks.abstract import CredentialsBlock
from pydantic import ConfigDict, Field, HttpUrl, SecretStr, model_validator

from blocks.http import build_client, build_downloader
from blocks.provider import Money
from blocks.scenario.client import ScenarioClient
from blocks.scenario.provider import CREATIVE_UNIT, ScenarioProvider

BASE_URL = "https://api.cloud.scenario.com/v1"
LOCAL_HOSTS = ("127.0.0.1", "::1", "localhost")


class ScenarioCredentials(CredentialsBlock):
    """The API key of a Scenario project, and how its API is used.

    Example:
        Ask what a picture would cost, buying nothing:
        ```python
        from blocks.provider import PictureRequest
        from blocks.scenario.credentials import ScenarioCredentials

        credentials = ScenarioCredentials.load("BLOCK_NAME")
        async with credentials.get_provider() as scenario:
            teapot = PictureRequest(model=scenario.capabilities.model, prompt="a teapot", seed=1)
            print(await scenario.price(teapot, references=()))
        ```
    """

    model_config = ConfigDict(hide_input_in_errors=True)  # which is where a key would be shown

    _block_type_name = "Scenario Credentials"
    _logo_url = HttpUrl("https://github.com/scenario-labs.png?size=200")
    _documentation_url = HttpUrl("https://docs.scenario.com/")

    api_key: SecretStr = Field(
        description="API key of the project (Scenario: Project Settings, API Keys). Not needed with the sandbox: "
        "`make demo` runs without an account."
    )
    api_secret: SecretStr = Field(description="The secret that came with the API key.")
    base_url: str = Field(
        default=BASE_URL, description="Address of the API, with its version; another one for a local stand-in."
    )
    project_id: str | None = Field(
        default=None, description="Owner of what is made; needed only where a key sees several projects."
    )
    sandbox: bool = Field(
        default=False,
        description="True when base_url is a local stand-in: pictures made there never count as the vendor's.",
    )
    max_in_flight: int = Field(
        default=8, ge=1, le=100, description="How many jobs may run at once; the plan of the team sets the real limit."
    )
    shared_limit: str | None = Field(
        default=None,
        description="Global concurrency limit of the Prefect server that all runs of this account share; "
        "`python -m deployments.register` creates it. Empty: each run minds max_in_flight alone.",
    )
    timeout_seconds: float = Field(
        default=60.0, gt=0, description="Longest silence on a connection before it counts as lost, in seconds."
    )
    deadline_seconds: float = Field(
        default=300.0, gt=0, description="Longest time for one whole call, upload or download, in seconds."
    )
    max_picture_size_bytes: int = Field(
        default=64 * 1024 * 1024, gt=0, description="Larger pictures are not downloaded, in bytes."
    )
    price_per_creative_unit: Decimal | None = Field(
        default=None, ge=0, description="What one creative unit costs under your plan; the API does not say it."
    )
    currency: str = Field(default="USD", description="Currency of that price.")

    @model_validator(mode="after")
    def _keys_travel_encrypted(self) -> Self:
        parts = urlsplit(self.base_url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("base_url must be a web address, such as " + BASE_URL)
        if parts.scheme == "http" and not self.sandbox and parts.hostname not in LOCAL_HOSTS:
            raise ValueError("base_url must begin with https://, for keys travel with every call")
        return self

    def get_client(self, *, transport: httpx.AsyncBaseTransport | None = None) -> ScenarioClient:
        """Opens a client in Scenario's own words.

        Args:
            transport: Stands in for the network in tests.
        """
        key = f"{self.api_key.get_secret_value().strip()}:{self.api_secret.get_secret_value().strip()}"
        max_connections = 2 * self.max_in_flight  # a submit never waits behind the polls for a connection
        return ScenarioClient(
            build_client(
                self.base_url,
                headers={"Authorization": f"Basic {b64encode(key.encode()).decode('ascii')}"},
                timeout_seconds=self.timeout_seconds,
                max_connections=max_connections,
                transport=transport,
            ),
            build_downloader(
                timeout_seconds=self.timeout_seconds, max_connections=max_connections, transport=transport
            ),
            project_id=self.project_id,
            deadline_seconds=self.deadline_seconds,
        )

    def get_provider(self, *, transport: httpx.AsyncBaseTransport | None = None) -> ScenarioProvider:
        """Opens a client that keeps the contract of all providers.

        Args:
            transport: Stands in for the network in tests.
        """
        return ScenarioProvider(
            self.get_client(transport=transport),
            max_picture_size_bytes=self.max_picture_size_bytes,
            upload_deadline_seconds=self.deadline_seconds,
        )

    def in_currency(self, money: Money) -> Money | None:
        """Says an amount in this block's currency; None where creative units come without a price for them."""
        if money.unit == self.currency:
            return money
        if money.unit != CREATIVE_UNIT or self.price_per_creative_unit is None:
            return None
        return Money(amount=money.amount * self.price_per_creative_unit, unit=self.currency)
