"""The Prefect block that holds the key with which exports are signed."""

from typing import Self
from urllib.parse import urlsplit

from prefect.blocks.core import Block
from pydantic import ConfigDict, Field, HttpUrl, SecretStr, model_validator

from blocks.signing.key import SigningAlgorithm, SigningKey


class SigningCertificate(Block):
    """Signs the content credentials (C2PA) of exported pictures.

    Example:
        Load a saved certificate and take its key to `tasks.provenance.signing.open_signer`:

        ```python
        from blocks.signing.block import SigningCertificate

        key = SigningCertificate.load("BLOCK_NAME").get_key()
        ```
    """

    _block_type_name = "Signing Certificate"
    _block_type_slug = "signing-certificate"
    _description = "Signs the content credentials (C2PA) of exported pictures."
    _documentation_url = HttpUrl("https://opensource.contentauthenticity.org/docs/signing/")

    # Otherwise a mistake in one field would be reported with all fields as they were given, the key among them.
    model_config = ConfigDict(hide_input_in_errors=True)

    private_key: SecretStr = Field(
        title="Private key", description="Private key of the certificate, as PEM (PKCS#8, not encrypted)."
    )
    certificate_chain: str = Field(
        title="Certificate chain",
        description="Certificates as PEM: the signing certificate first, then every one above it up to the root.",
    )
    algorithm: SigningAlgorithm = Field(
        default="es256", title="Algorithm", description="Signature algorithm that fits the key."
    )
    timestamp_url: str | None = Field(
        default=None,
        title="Time-stamp authority",
        description="Address of an RFC 3161 service. With a time stamp, signatures stay valid when the certificate "
        "has expired; without one they do not.",
    )

    @model_validator(mode="after")
    def _is_pem(self) -> Self:
        if "PRIVATE KEY-----" not in self.private_key.get_secret_value():
            raise ValueError("private_key must be PEM: it begins with -----BEGIN PRIVATE KEY-----")
        if "-----BEGIN CERTIFICATE-----" not in self.certificate_chain:
            raise ValueError("certificate_chain must be PEM: it begins with -----BEGIN CERTIFICATE-----")
        if "PRIVATE KEY-----" in self.certificate_chain:
            raise ValueError("certificate_chain is public and must not hold a private key")
        if self.timestamp_url is not None and urlsplit(self.timestamp_url).scheme not in {"http", "https"}:
            raise ValueError("timestamp_url must be a web address")
        return self

    def get_key(self) -> SigningKey:
        """The key as a value that signing code takes; it knows no Prefect."""
        return SigningKey(
            private_key=self.private_key,
            certificate_chain=self.certificate_chain,
            algorithm=self.algorithm,
            timestamp_url=self.timestamp_url,
        )
