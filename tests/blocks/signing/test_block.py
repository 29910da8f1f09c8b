import pytest
from prefect.blocks.core import Block
from prefect.testing.standard_test_suites.blocks import BlockStandardTestSuite
from pydantic import SecretStr, ValidationError

from blocks.signing.block import SigningCertificate
from blocks.signing.key import SigningKey

KEY = "-----BEGIN PRIVATE KEY-----\nhidden\n-----END PRIVATE KEY-----\n"
CHAIN = "-----BEGIN CERTIFICATE-----\npublic\n-----END CERTIFICATE-----\n"


class TestSigningCertificateStandards(BlockStandardTestSuite):
    """Prefect's own standards for blocks."""

    @pytest.fixture
    def block(self) -> type[Block]:
        """The block under test."""
        return SigningCertificate

    def test_has_a_valid_image(self, block: type[Block]) -> None:
        """Not asked for: Prefect's test downloads the logo."""


def test_the_key_travels_whole_and_is_never_shown() -> None:
    """Code that signs gets a value of its own; neither value nor block prints the key."""
    block = SigningCertificate(
        private_key=SecretStr(KEY), certificate_chain=CHAIN, algorithm="ps256", timestamp_url="https://tsa.example"
    )
    key = block.get_key()
    assert key == SigningKey(
        private_key=SecretStr(KEY), certificate_chain=CHAIN, algorithm="ps256", timestamp_url="https://tsa.example"
    )
    assert "hidden" not in f"{block!r}{block.model_dump_json()}{key!r}{key.model_dump_json()}"


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("private_key", "hidden", "private_key must be PEM"),
        ("certificate_chain", "leaf.pem", "certificate_chain must be PEM"),
        ("certificate_chain", CHAIN + KEY, "must not hold a private key"),
        ("timestamp_url", "tsa.example", "must be a web address"),
    ],
)
def test_what_cannot_be_used_is_refused_without_showing_it(field: str, value: str, message: str) -> None:
    """A path or a swapped field is found when the block is made."""
    fields = {"private_key": KEY, "certificate_chain": CHAIN, field: value}
    with pytest.raises(ValidationError, match=message) as raised:
        SigningCertificate.model_validate(fields)
    assert "hidden" not in str(raised.value)


def test_the_block_type_is_a_public_name() -> None:
    """Deployments refer to `signing-certificate/name`: the slug stays."""
    assert SigningCertificate.get_block_type_slug() == "signing-certificate"
