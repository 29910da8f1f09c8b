"""What it takes to sign content credentials, as a value."""

from typing import Literal

from pydantic import Field, SecretStr

from blocks.provider import Frozen

SigningAlgorithm = Literal["es256", "es384", "es512", "ps256", "ps384", "ps512", "ed25519"]
"""Signature algorithms that C2PA allows (c2pa-python 0.38.1, `C2paSigningAlg`)."""


class SigningKey(Frozen):
    """A private key with the certificates that vouch for it. Its repr shows neither."""

    private_key: SecretStr = Field(description="PEM, PKCS#8, not encrypted.")
    certificate_chain: str = Field(repr=False, description="PEM: the signing certificate first, then those above it.")
    algorithm: SigningAlgorithm = "es256"
    timestamp_url: str | None = Field(default=None, description="RFC 3161 time-stamp authority.")
