"""Keys to an object store, in the words of each vendor. Without any, those of the environment count."""

from pydantic import SecretStr

from blocks.provider import Frozen


class AmazonKeys(Frozen):
    """Keys to S3, or to a store that speaks its language.

    Args:
        access_key_id: Name of the key.
        secret_access_key: The key itself.
        session_token: Of temporary keys.
        region: Where the bucket is, such as `eu-central-1`.
        endpoint: Address of the store where it is not Amazon's own, such as `https://s3.example.com`.
    """

    access_key_id: str
    secret_access_key: SecretStr
    session_token: SecretStr | None = None
    region: str | None = None
    endpoint: str | None = None


class GoogleKeys(Frozen):
    """A service account's key file, as its JSON text."""

    service_account_json: SecretStr


class AzureKeys(Frozen):
    """A storage account with its key, or with a shared access signature.

    Args:
        account: Name of the storage account.
        account_key: Its key.
        sas: Or a shared access signature, without a leading question mark.
        endpoint: Address of the blob service where it is not Azure's own.
    """

    account: str
    account_key: SecretStr | None = None
    sas: SecretStr | None = None
    endpoint: str | None = None


StoreKeys = AmazonKeys | GoogleKeys | AzureKeys
