"""Reads keys to an object store from a credentials block that was saved in Prefect, by its name.

The blocks are those of Prefect's own integrations, whose types every Prefect server knows. Their documents are read,
and their packages are not needed: prefect-aws would bring boto3 and fifteen more. By name, because a name is all that
the parameters of a flow run then hold.
"""

import json
from typing import Any
from urllib.parse import urlsplit

from prefect.client.orchestration import get_client
from prefect.exceptions import ObjectNotFound
from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError

from blocks.archive.store_keys import AmazonKeys, AzureKeys, GoogleKeys, StoreKeys
from blocks.errors import SetupError


class _Document(BaseModel):
    """A block's fields, of which we need a few."""

    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)


class _AwsClientParameters(_Document):
    endpoint_url: str | None = None


class _AwsCredentials(_Document):
    aws_access_key_id: str
    aws_secret_access_key: SecretStr
    aws_session_token: SecretStr | None = None
    region_name: str | None = None
    aws_client_parameters: _AwsClientParameters = _AwsClientParameters()
    assume_role_arn: None = None

    def keys(self) -> AmazonKeys:
        """The same in our words."""
        return AmazonKeys(
            access_key_id=self.aws_access_key_id,
            secret_access_key=self.aws_secret_access_key,
            session_token=self.aws_session_token,
            region=self.region_name,
            endpoint=self.aws_client_parameters.endpoint_url,
        )


class _MinioCredentials(_Document):
    minio_root_user: str
    minio_root_password: SecretStr
    region_name: str | None = None
    aws_client_parameters: _AwsClientParameters = _AwsClientParameters()

    def keys(self) -> AmazonKeys:
        """The same in our words."""
        return AmazonKeys(
            access_key_id=self.minio_root_user,
            secret_access_key=self.minio_root_password,
            region=self.region_name,
            endpoint=self.aws_client_parameters.endpoint_url,
        )


class _S3Bucket(_Document):
    """Its bucket and folder are not heeded: the archive's root names them."""

    credentials: _AwsCredentials | _MinioCredentials

    def keys(self) -> AmazonKeys:
        """Those of its credentials."""
        return self.credentials.keys()


class _GcpCredentials(_Document):
    service_account_info: dict[str, Any]

    def keys(self) -> GoogleKeys:
        """The same in our words."""
        return GoogleKeys(service_account_json=SecretStr(json.dumps(self.service_account_info)))


class _AzureBlobStorageCredentials(_Document):
    connection_string: SecretStr

    def keys(self) -> AzureKeys:
        """The same in our words, out of `AccountName=…;AccountKey=…`."""
        pairs = (part.partition("=") for part in self.connection_string.get_secret_value().split(";"))
        named = {name.strip(): value.strip() for name, _, value in pairs}
        key, sas, endpoint = (named.get(name) for name in ("AccountKey", "SharedAccessSignature", "BlobEndpoint"))
        return AzureKeys(
            account=named.get("AccountName") or (urlsplit(endpoint or "").hostname or "").partition(".")[0],
            account_key=None if key is None else SecretStr(key),
            sas=None if sas is None else SecretStr(sas.removeprefix("?")),
            endpoint=endpoint,
        )


_AMAZON_NEEDS = "It needs an access key's id and secret; profiles and roles are taken from the environment only."

_Types = type[_AwsCredentials | _MinioCredentials | _S3Bucket | _GcpCredentials | _AzureBlobStorageCredentials]

_TYPES: dict[str, tuple[_Types, str]] = {
    "aws-credentials": (_AwsCredentials, _AMAZON_NEEDS),
    "minio-credentials": (_MinioCredentials, "It needs a user and a password."),
    "s3-bucket": (_S3Bucket, f"Its credentials count. {_AMAZON_NEEDS}"),
    "gcp-credentials": (_GcpCredentials, "It needs the service account's info, not a file."),
    "azure-blob-storage-credentials": (_AzureBlobStorageCredentials, "It needs a connection string."),
}


async def saved_keys(block: str) -> StoreKeys:
    """Reads keys.

    Args:
        block: Type and name of a saved block, such as `aws-credentials/studio`.

    Raises:
        SetupError: There is no such block, or it does not hold keys that can be used.
    """
    slug, _, name = block.partition("/")
    if slug not in _TYPES or not name:
        raise SetupError(f"{block!r} names no credentials block: write {', '.join(f'{each}/NAME' for each in _TYPES)}.")
    document, needs = _TYPES[slug]
    try:
        async with get_client() as client:
            saved = await client.read_block_document_by_name(name, slug, include_secrets=True)
        return document.model_validate(saved.data).keys()
    except ObjectNotFound as error:
        raise SetupError(
            f"There is no saved block {block!r}: save it first, in Prefect's page or in Python."
        ) from error
    except ValidationError:
        raise SetupError(f"The saved block {block!r} cannot open an object store. {needs}") from None
