import pytest
from pydantic import SecretStr

from blocks.archive.bucket import Bucket, Patience, bucket_of, connect
from blocks.archive.store_keys import AmazonKeys, AzureKeys, GoogleKeys, StoreKeys
from blocks.errors import SetupError

AMAZON = AmazonKeys(access_key_id="AKID", secret_access_key=SecretStr("hidden"), region="eu-central-1")
AZURE = AzureKeys(account="studio", account_key=SecretStr("aGlkZGVu"))


@pytest.mark.parametrize(
    ("root", "bucket"),
    [
        ("s3://pictures", Bucket(scheme="s3", name="pictures")),
        ("S3://pictures/", Bucket(scheme="s3", name="pictures")),
        ("s3://my.pictures/a b/2026/", Bucket(scheme="s3", name="my.pictures", prefix="a b/2026")),
        ("gs://pictures/x", Bucket(scheme="gs", name="pictures", prefix="x")),
        ("az://container/x", Bucket(scheme="az", name="container", prefix="x")),
        ("memory://x", Bucket(scheme="memory", name="x")),
        ("/pictures", None),
        ("file:///pictures", None),
        ("pictures", None),
        ("https://pictures.s3.amazonaws.com", None),
        ("", None),
    ],
)
def test_a_root_names_a_bucket_or_something_else(root: str, bucket: Bucket | None) -> None:
    """One way of writing for three vendors; what is no bucket is left to the folders."""
    assert bucket_of(root) == bucket


@pytest.mark.parametrize(
    "root", ["s3://AKID:hidden@pictures", "s3://pictures/x?X-Amz-Signature=hidden", "az://c/x#hidden"]
)
def test_a_root_with_a_key_in_it_is_refused_and_not_shown(root: str) -> None:
    """Roots go into logs and reports."""
    with pytest.raises(SetupError, match="holds more than a bucket and a prefix") as refused:
        bucket_of(root)
    assert "hidden" not in str(refused.value)


@pytest.mark.parametrize(
    ("root", "message"),
    [
        ("s3://", "names no bucket: write s3://BUCKET/PREFIX"),
        ("s3:///prefix", "names no bucket"),
        ("s3://-x", "names no bucket"),
        ("s3://pictures/../other", "prefix that no archive can have"),
        ("s3://pictures/tmp", "prefix that no archive can have"),
    ],
)
def test_a_bucket_that_cannot_be_is_refused(root: str, message: str) -> None:
    """Before anything is asked of the network."""
    with pytest.raises(SetupError, match=message):
        bucket_of(root)


def test_every_way_to_write_a_root_is_one_name() -> None:
    """The name goes into records: it does not depend on a slash."""
    bucket = bucket_of("s3://pictures/a/")
    assert bucket is not None
    assert bucket.root == "s3://pictures/a"


@pytest.mark.parametrize(("scheme", "keys"), [("gs", AMAZON), ("s3", AZURE), ("az", AMAZON)])
def test_keys_to_another_kind_of_store_are_refused(scheme: str, keys: StoreKeys) -> None:
    """Instead of sending them to a stranger."""
    bucket = bucket_of(f"{scheme}://pictures")
    assert bucket is not None
    with pytest.raises(SetupError, match="holds keys to another kind of store"):
        connect(bucket, keys, Patience())


@pytest.mark.parametrize(
    ("root", "keys"),
    [
        ("az://container", None),
        ("gs://pictures", GoogleKeys(service_account_json=SecretStr('{"private_key": "hidden"}'))),
    ],
)
def test_keys_that_are_not_complete_are_refused_and_not_shown(
    root: str, keys: StoreKeys | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message says where keys may be, and shows none."""
    for name in ("AZURE_STORAGE_ACCOUNT_NAME", "GOOGLE_APPLICATION_CREDENTIALS"):
        monkeypatch.delenv(name, raising=False)
    bucket = bucket_of(root)
    assert bucket is not None
    with pytest.raises(
        SetupError, match=f"keys to {root} are not complete: .* or set {bucket.where_keys_are}"
    ) as raised:
        connect(bucket, keys, Patience())
    assert "hidden" not in str(raised.value)
    assert raised.value.__cause__ is None


def test_clients_are_of_the_vendor_and_differ_in_patience_alone() -> None:
    """Nothing is sent; keys are in no repr."""
    bucket = Bucket(scheme="az", name="container", prefix="x")
    patient, once = connect(bucket, AZURE, Patience(retries=4))
    assert "AzureStore" in repr(patient)
    assert [client.retry_config["max_retries"] for client in (patient, once)] == [4, 0]  # type: ignore[union-attr, index]  # an AzureStore, as above
    for shown in (repr(patient), repr(AZURE), repr(AMAZON)):
        assert "hidden" not in shown
        assert "aGlkZGVu" not in shown
