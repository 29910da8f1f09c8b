"""A certificate chain of our own making, for the demo and for tests: it proves integrity, and vouches for nobody."""

from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID, ObjectIdentifier
from pydantic import SecretStr

from blocks.provider import Frozen
from blocks.signing.key import SigningKey

LIFE = timedelta(days=3650)
"""Long, because a signature without a time stamp reads as invalid once its certificate has expired."""
EMAIL_PROTECTION = "1.3.6.1.5.5.7.3.4"
"""The one purpose of a certificate that every C2PA reader takes without being told."""


class DemoCertificates(Frozen):
    """A key that signs, and the root that a reader must trust for it to count."""

    key: SigningKey
    trust_anchors: str
    """The root certificate, as PEM."""


class _Issuer:
    """A name with a key, which signs certificates of others and its own."""

    def __init__(self, organization: str, common_name: str) -> None:
        self.key: EllipticCurvePrivateKey = generate_private_key(SECP256R1())
        self.name = x509.Name(
            [
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization),
                x509.NameAttribute(NameOID.COMMON_NAME, common_name),
            ]
        )

    def certify(self, subject: "_Issuer", *, life: timedelta, purpose: str | None = None) -> str:
        """Signs a certificate for a subject; returns it as PEM. Without a purpose it is an authority's.

        Fields: certificate profile of the C2PA specification 2.2.
        """
        is_authority = purpose is None
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder(self.name, subject.name, subject.key.public_key(), x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + life)
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(subject.key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
            .add_extension(_usage(is_authority), critical=True)
        )
        if purpose is not None:
            purposes = x509.ExtendedKeyUsage([ObjectIdentifier(purpose)])
            builder = builder.add_extension(purposes, critical=False)
        return builder.sign(self.key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()


def make_demo_certificates(
    organization: str = "Kleinbild demo", *, life: timedelta = LIFE, purpose: str = EMAIL_PROTECTION
) -> DemoCertificates:
    """Makes a root, an intermediate and a signing certificate (ES256), new ones each time.

    Args:
        organization: Who appears as issuer of the signatures.
        life: How long the signing certificate is valid from now.
        purpose: Extended key usage of the signing certificate, as an object identifier.
    """
    root, intermediate, leaf = (
        _Issuer(organization, f"{organization} {part}") for part in ("root", "intermediate", "signer")
    )
    chain = intermediate.certify(leaf, life=life, purpose=purpose) + root.certify(intermediate, life=LIFE)
    secret = leaf.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return DemoCertificates(
        key=SigningKey(private_key=SecretStr(secret), certificate_chain=chain),
        trust_anchors=root.certify(root, life=LIFE),
    )


def _usage(is_authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not is_authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        encipher_only=False,
        decipher_only=False,
    )
