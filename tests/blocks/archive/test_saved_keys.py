"""Keys in credentials blocks of Prefect's integrations, whose packages are not installed here."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from prefect.exceptions import ObjectNotFound
from pydantic import SecretStr

from blocks.archive import saved_keys as module
from blocks.archive.saved_keys import saved_keys
from blocks.archive.store_keys import AmazonKeys, AzureKeys, GoogleKeys, StoreKeys
from blocks.errors import SetupError

AWS: dict[str, Any] = {
    "aws_access_key_id": "AKID",
    "aws_secret_access_key": "hidden",
    "aws_session_token": None,
    "profile_name": None,
    "region_name": "eu-central-1",
    "aws_client_parameters": {"api_version": None, "use_ssl": True, "endpoint_url": "http://127.0.0.1:9000"},
    "assume_role_arn": None,
    "assume_role_kwargs": {},
}

Save = Callable[[str, dict[str, Any]], None]


@pytest.fixture
def save(monkeypatch: pytest.MonkeyPatch) -> Save:
    """Saves the document of a block, as a server would give it."""
    saved: dict[str, dict[str, Any]] = {}

    class Client:
        async def __aenter__(self) -> "Client":
            return self

        async def __aexit__(self, *_: object) -> None:
            return None

        async def read_block_document_by_name(
            self, name: str, block_type_slug: str, include_secrets: bool
        ) -> SimpleNamespace:
            assert include_secrets
            if f"{block_type_slug}/{name}" not in saved:
                raise ObjectNotFound(KeyError(name))
            return SimpleNamespace(data=saved[f"{block_type_slug}/{name}"])

    monkeypatch.setattr(module, "get_client", Client)
    return saved.__setitem__


@pytest.mark.parametrize(
    ("block", "data", "keys"),
    [
        (
            "aws-credentials/studio",
            AWS,
            AmazonKeys(
                access_key_id="AKID",
                secret_access_key=SecretStr("hidden"),
                region="eu-central-1",
                endpoint="http://127.0.0.1:9000",
            ),
        ),
        (
            "minio-credentials/studio",
            {"minio_root_user": "root", "minio_root_password": "hidden", "region_name": None},
            AmazonKeys(access_key_id="root", secret_access_key=SecretStr("hidden")),
        ),
        (
            "s3-bucket/studio",
            {"bucket_name": "pictures", "bucket_folder": "", "credentials": AWS},
            AmazonKeys(
                access_key_id="AKID",
                secret_access_key=SecretStr("hidden"),
                region="eu-central-1",
                endpoint="http://127.0.0.1:9000",
            ),
        ),
        (
            "gcp-credentials/studio",
            {"service_account_info": {"type": "service_account"}, "project": "p"},
            GoogleKeys(service_account_json=SecretStr('{"type": "service_account"}')),
        ),
        (
            "azure-blob-storage-credentials/studio",
            {"connection_string": "DefaultEndpointsProtocol=https;AccountName=acc;AccountKey=aGk=;EndpointSuffix=x"},
            AzureKeys(account="acc", account_key=SecretStr("aGk=")),
        ),
        (
            "azure-blob-storage-credentials/signed",
            {"connection_string": "BlobEndpoint=https://acc.blob.core.windows.net/;SharedAccessSignature=?sv=1&sig=a="},
            AzureKeys(account="acc", sas=SecretStr("sv=1&sig=a="), endpoint="https://acc.blob.core.windows.net/"),
        ),
    ],
)
async def test_keys_are_read_by_name(save: Save, block: str, data: dict[str, Any], keys: StoreKeys) -> None:
    """Out of the fields that Prefect's integrations give their blocks, with no package of theirs."""
    save(block, data)
    assert await saved_keys(block) == keys


@pytest.mark.parametrize(
    ("change", "needs"),
    [
        ({"aws_secret_access_key": None}, "an access key's id and secret"),
        ({"assume_role_arn": "arn:aws:iam::123456789012:role/Painter"}, "profiles and roles are taken from the"),
    ],
)
async def test_a_block_that_cannot_be_used_says_what_it_needs(save: Save, change: dict[str, Any], needs: str) -> None:
    """And shows nothing of what it holds."""
    save("aws-credentials/studio", {**AWS, **change})
    with pytest.raises(SetupError, match=f"'aws-credentials/studio' cannot open an object store. .*{needs}") as raised:
        await saved_keys("aws-credentials/studio")
    assert "hidden" not in str(raised.value)
    assert raised.value.__suppress_context__ is True


@pytest.mark.parametrize("block", ["studio", "aws-credentials/", "secret/studio", ""])
async def test_other_names_are_refused(block: str) -> None:
    """Before a server is asked."""
    names = "aws-credentials/NAME, minio-credentials/NAME, s3-bucket/NAME, gcp-credentials/NAME"
    with pytest.raises(SetupError, match=f"names no credentials block: write {names}"):
        await saved_keys(block)


async def test_a_block_that_was_never_saved_is_named(save: Save) -> None:
    """The person sees which one."""
    save("aws-credentials/other", AWS)
    with pytest.raises(SetupError, match="There is no saved block 'aws-credentials/studio'"):
        await saved_keys("aws-credentials/studio")
