"""Which bucket a root names (`s3://`, `gs://`, `az://`), and the obstore client that reaches it."""

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, cast, get_args
from urllib.parse import urlsplit

from obstore.exceptions import BaseError
from obstore.store import AzureStore, GCSStore, MemoryStore, S3Store
from pydantic import SecretStr

from blocks.archive.layout import check_key
from blocks.archive.store_keys import AmazonKeys, AzureKeys, GoogleKeys, StoreKeys
from blocks.errors import ArchiveError, SetupError
from blocks.provider import Frozen

if TYPE_CHECKING:
    from obstore.store import ClientConfig, ObjectStore, RetryConfig

Scheme = Literal["s3", "gs", "az", "memory"]

_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}")
_KEYS_OF: dict[Scheme, type[StoreKeys]] = {"s3": AmazonKeys, "gs": GoogleKeys, "az": AzureKeys}
_WHERE_KEYS_ARE: dict[Scheme, str] = {
    "s3": "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION (AWS_ENDPOINT_URL for a store that is not Amazon's)",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS",
    "az": "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
}
_MEMORIES: dict[str, MemoryStore] = {}
"""Stores of this process, for tests: what one opening wrote, the next one reads."""


class Patience(Frozen):
    """How long to wait for an object store.

    Args:
        timeout_seconds: For one whole request; a picture has up to 64 MB.
        connect_timeout_seconds: For one connection.
        retry_seconds: After this time no request is sent again; below the five minutes for which a signature is good.
        retries: How often a request is sent again.
    """

    timeout_seconds: float = 120.0
    connect_timeout_seconds: float = 10.0
    retry_seconds: float = 120.0
    retries: int = 6


class Bucket(Frozen):
    """A bucket, or the part of it below a prefix."""

    scheme: Scheme
    name: str
    prefix: str | None = None

    @property
    def root(self) -> str:
        """The one way to write it."""
        return f"{self.scheme}://{self.name}" + (f"/{self.prefix}" if self.prefix else "")

    @property
    def where_keys_are(self) -> str:
        """The variables of the environment that hold keys to it."""
        return _WHERE_KEYS_ARE.get(self.scheme, "none")


class Clients(NamedTuple):
    """Two clients of one bucket.

    Args:
        patient: Sends again what does no harm when it is done twice.
        once: Sends everything once.
    """

    patient: "ObjectStore"
    once: "ObjectStore"


def bucket_of(root: str) -> Bucket | None:
    """The bucket that a root names, or None where it names something else.

    Raises:
        SetupError: It names a bucket that cannot be. The message does not repeat a root that may hold a key.
    """
    address = urlsplit(root)
    scheme = address.scheme.lower()
    if scheme not in get_args(Scheme):
        return None
    if "@" in address.netloc or address.query or address.fragment:
        raise SetupError(
            f"The archive's root {scheme}://… holds more than a bucket and a prefix: write {scheme}://BUCKET/PREFIX, "
            "and put keys into a credentials block or the environment."
        )
    prefix = address.path.strip("/") or None
    try:
        if prefix is not None:
            check_key(prefix)
    except ArchiveError as error:
        raise SetupError(f"The archive's root {root!r} has a prefix that no archive can have: {error}") from error
    if _BUCKET.fullmatch(address.netloc) is None:
        raise SetupError(f"The archive's root {root!r} names no bucket: write {scheme}://BUCKET/PREFIX.")
    return Bucket(scheme=cast("Scheme", scheme), name=address.netloc, prefix=prefix)


def connect(bucket: Bucket, keys: StoreKeys | None, patience: Patience) -> Clients:
    """Makes the clients of a bucket. Sends nothing yet.

    Raises:
        SetupError: The keys are for another kind of store, or not complete.
    """
    if bucket.scheme == "memory":
        memory = _MEMORIES.setdefault(bucket.root, MemoryStore())
        return Clients(memory, memory)
    if keys is not None and not isinstance(keys, _KEYS_OF[bucket.scheme]):
        raise SetupError(f"The credentials block of {bucket.root} holds keys to another kind of store.")
    try:
        return Clients(
            _client(bucket, keys, patience),
            _client(bucket, keys, patience.model_copy(update={"retries": 0})),
        )
    except (BaseError, ValueError):
        # Without the cause: what the library says of a key file may show a part of it.
        raise SetupError(
            f"The keys to {bucket.root} are not complete: name a credentials block in the archive block, "
            f"or set {bucket.where_keys_are}."
        ) from None


def _client(bucket: Bucket, keys: StoreKeys | None, patience: Patience) -> "ObjectStore":
    options: dict[str, Any] = {
        "prefix": bucket.prefix,
        "config": {} if keys is None else _config(keys),
        "client_options": _client_options(patience),
        "retry_config": _retry_config(patience),
    }
    if bucket.scheme == "s3":
        return S3Store(bucket.name, **options)
    if bucket.scheme == "gs":
        return GCSStore(bucket.name, **options)
    return AzureStore(bucket.name, **options)


def _config(keys: StoreKeys) -> dict[str, str]:
    """The keys as obstore names them."""
    named = {name: value for name, value in _named(keys).items() if value is not None}
    return {name: value.get_secret_value() if isinstance(value, SecretStr) else value for name, value in named.items()}


def _named(keys: StoreKeys) -> dict[str, str | SecretStr | None]:
    if isinstance(keys, AmazonKeys):
        return {
            "access_key_id": keys.access_key_id,
            "secret_access_key": keys.secret_access_key,
            "session_token": keys.session_token,
            "region": keys.region,
            "endpoint": keys.endpoint,
        }
    if isinstance(keys, GoogleKeys):
        return {"service_account_key": keys.service_account_json}
    return {
        "account_name": keys.account,
        "account_key": keys.account_key,
        "sas_key": keys.sas,
        "endpoint": keys.endpoint,
    }


def _client_options(patience: Patience) -> "ClientConfig":
    return {
        "timeout": timedelta(seconds=patience.timeout_seconds),
        "connect_timeout": timedelta(seconds=patience.connect_timeout_seconds),
        "allow_http": True,  # only where the endpoint that the user names says http://
    }


def _retry_config(patience: Patience) -> "RetryConfig":
    return {"max_retries": patience.retries, "retry_timeout": timedelta(seconds=patience.retry_seconds)}
