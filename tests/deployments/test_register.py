import re
import traceback
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from prefect.blocks.core import Block

from blocks.archive.block import ImageArchive
from blocks.errors import SetupError
from blocks.scenario.credentials import ScenarioCredentials
from blocks.signing.block import SigningCertificate
from blocks.sunra.credentials import SunraCredentials
from deployments import register
from deployments.register import blocks_from, main
from tasks.provenance.demo_certificates import make_demo_certificates

KEY, SECRET, SUNRA_KEY = "key-4711", "secret-4712", "sunra-4713"
ALL = {
    "SCENARIO_SDK_API_KEY": KEY,
    "SCENARIO_SDK_API_SECRET": SECRET,
    "SCENARIO_PRICE_PER_CREATIVE_UNIT": "0.012",
    "SUNRA_KEY": SUNRA_KEY,
    "SUNRA_PRICE_PER_IMAGE": "0.003",
    "KLEINBILD_ARCHIVE": "/somewhere/archive",
    "KLEINBILD_ARCHIVE_CREDENTIALS": "aws-credentials/studio",
    "KLEINBILD_CATALOGUE_URL": "postgresql://user:password-4714@host/name",
    "KLEINBILD_BROWSE_URL": "http://127.0.0.1:8780",
    "KLEINBILD_CAP_PER_DAY": "12.50",
    "KLEINBILD_CAP_PER_MONTH": "200",
    "KLEINBILD_CAP_UNIT": "EUR",
}
SIGNING = ("KEY_FILE", "CERTIFICATES_FILE", "ALGORITHM", "TIMESTAMP_URL")
HIDDEN = (KEY, SECRET, SUNRA_KEY, "password-4714")


@pytest.fixture
def saved(monkeypatch: pytest.MonkeyPatch) -> list[Block]:
    """What was saved, with no server."""
    blocks: list[Block] = []

    async def save(given: list[Block]) -> list[str]:
        blocks.extend(given)
        return [f"saved {block.get_block_type_slug()}/default" for block in given]

    monkeypatch.setattr(register, "save", save)
    return blocks


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Sets these variables, and none of the others that we read."""

    def set_to(variables: dict[str, str]) -> None:
        for name in (*ALL, *(f"KLEINBILD_SIGNING_{each}" for each in SIGNING)):
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    return set_to


def test_every_variable_finds_its_place() -> None:
    """Keys, prices and the archive's root become fields of their blocks."""
    scenario, sunra, archive = blocks_from(ALL)

    assert isinstance(scenario, ScenarioCredentials)
    assert (scenario.api_key.get_secret_value(), scenario.api_secret.get_secret_value()) == (KEY, SECRET)
    assert scenario.price_per_creative_unit == Decimal("0.012")
    assert scenario.base_url.startswith("https://")
    assert not scenario.sandbox
    assert isinstance(sunra, SunraCredentials)
    assert sunra.api_key.get_secret_value() == SUNRA_KEY
    assert sunra.price_per_image == Decimal("0.003")
    assert isinstance(archive, ImageArchive)
    assert archive.root == "/somewhere/archive"
    assert archive.catalogue_url is not None
    assert archive.catalogue_url.get_secret_value() == ALL["KLEINBILD_CATALOGUE_URL"]
    assert (archive.browse_url, archive.credentials) == ("http://127.0.0.1:8780", "aws-credentials/studio")
    assert (archive.cap_per_day, archive.cap_per_month, archive.cap_unit) == (Decimal("12.50"), Decimal(200), "EUR")


@pytest.mark.parametrize(
    ("variables", "types"),
    [
        ({"SUNRA_KEY": SUNRA_KEY}, [SunraCredentials]),
        ({"SCENARIO_SDK_API_KEY": KEY, "SCENARIO_SDK_API_SECRET": SECRET}, [ScenarioCredentials]),
        ({"KLEINBILD_ARCHIVE": "archive"}, [ImageArchive]),
        ({"SUNRA_KEY": "", "SUNRA_PRICE_PER_IMAGE": "1"}, []),
        ({}, []),
    ],
)
def test_only_what_is_there_is_saved(variables: dict[str, str], types: list[type[Any]]) -> None:
    """A variable that is empty is not set; a price alone makes no account."""
    assert [type(block) for block in blocks_from(variables)] == types


@pytest.mark.parametrize("name", [name for name in ALL if name.startswith("KLEINBILD_CAP") or name.endswith("_URL")])
def test_a_cap_without_an_archive_is_a_mistake(name: str) -> None:
    """A cap that nothing heeds would cost money: it is not passed over in silence."""
    with pytest.raises(SetupError, match=f"KLEINBILD_ARCHIVE names none: {name}$"):
        blocks_from({name: ALL[name]})


@pytest.mark.parametrize("given", ["SCENARIO_SDK_API_KEY", "SCENARIO_SDK_API_SECRET"])
def test_half_of_the_credentials_is_a_mistake(given: str) -> None:
    """A key without its secret is not passed over in silence."""
    missing = ({"SCENARIO_SDK_API_KEY", "SCENARIO_SDK_API_SECRET"} - {given}).pop()
    with pytest.raises(SetupError, match=f"{missing} is not set"):
        blocks_from({given: KEY})


def test_saving_shows_names_and_no_key(
    saved: list[Block], environment: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    """What is printed are the blocks' names alone."""
    environment(ALL)

    assert main([]) == 0
    shown = capsys.readouterr()
    assert shown.out.splitlines() == [
        "saved scenario-credentials/default",
        "saved sunra-credentials/default",
        "saved image-archive/default",
    ]
    assert len(saved) == 3
    assert shown.err == ""


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SUNRA_PRICE_PER_IMAGE", "three cents"),
        ("SCENARIO_PRICE_PER_CREATIVE_UNIT", "-1"),
        ("KLEINBILD_CAP_PER_DAY", "much"),
    ],
)
def test_a_value_that_cannot_be_used_shows_no_key(
    name: str, value: str, saved: list[Block], environment: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    """One message with the field; no key, no traceback, nothing saved."""
    environment({**ALL, name: value})

    assert main([]) == 3
    shown = capsys.readouterr()
    assert re.match("These values cannot be used: (price|cap)_per_", shown.err)
    assert not [hidden for hidden in HIDDEN if hidden in shown.out + shown.err]
    assert saved == []


def test_an_empty_environment_is_told_what_to_set(
    saved: list[Block], environment: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing to save is an error, and names every variable that is read."""
    environment({})

    assert main([]) == 3
    said = capsys.readouterr().err
    assert said.startswith("Nothing to save.")
    assert all(name in said for name in (*ALL, *(f"KLEINBILD_SIGNING_{each}" for each in SIGNING)))
    assert saved == []


def test_the_sandbox_needs_no_variable(
    environment: Callable[..., None], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--sandbox` saves the sandbox at this address, and nothing of the environment."""

    async def save_stand_ins(url: str) -> list[str]:
        return [f"saved {url}"]

    monkeypatch.setattr(register, "save_stand_ins", save_stand_ins)
    environment({})

    assert main(["--sandbox", "http://127.0.0.1:8765"]) == 0
    assert capsys.readouterr().out == "saved http://127.0.0.1:8765\n"


@pytest.fixture
def signing(tmp_path: Path) -> dict[str, str]:
    """Files with a private key and its certificates, and the variables that name them."""
    key = make_demo_certificates().key
    (tmp_path / "key.pem").write_text(key.private_key.get_secret_value(), encoding="utf-8")
    (tmp_path / "chain.pem").write_text(f"# von Jürgen\n{key.certificate_chain}", encoding="utf-8")
    return {
        "KLEINBILD_SIGNING_KEY_FILE": str(tmp_path / "key.pem"),
        "KLEINBILD_SIGNING_CERTIFICATES_FILE": str(tmp_path / "chain.pem"),
    }


def test_a_signing_certificate_is_read_from_its_files(signing: dict[str, str], tmp_path: Path) -> None:
    """The variables hold paths, the block what lies there."""
    further = {"KLEINBILD_SIGNING_ALGORITHM": "ps256", "KLEINBILD_SIGNING_TIMESTAMP_URL": "http://tsa.example"}
    plain, all_of_it = (blocks_from({**signing, **more})[0] for more in ({}, further))

    assert isinstance(plain, SigningCertificate)
    assert plain.private_key.get_secret_value() == (tmp_path / "key.pem").read_text(encoding="utf-8")
    assert plain.certificate_chain == (tmp_path / "chain.pem").read_text(encoding="utf-8")
    assert (plain.algorithm, plain.timestamp_url) == ("es256", None)
    assert isinstance(all_of_it, SigningCertificate)
    assert (all_of_it.algorithm, all_of_it.timestamp_url) == ("ps256", "http://tsa.example")


@pytest.mark.parametrize("missing", ["KLEINBILD_SIGNING_KEY_FILE", "KLEINBILD_SIGNING_CERTIFICATES_FILE"])
def test_half_of_a_certificate_is_a_mistake(missing: str, signing: dict[str, str]) -> None:
    """A key without certificates, or the reverse, is not passed over in silence; nor is an algorithm alone."""
    del signing[missing]
    with pytest.raises(SetupError, match=f"{missing} is not set"):
        blocks_from(signing)
    with pytest.raises(SetupError, match="KEY_FILE and KLEINBILD_SIGNING_CERTIFICATES_FILE is not set"):
        blocks_from({"KLEINBILD_SIGNING_ALGORITHM": "es256"})


def test_files_that_hold_something_else_show_nothing_of_it(signing: dict[str, str], tmp_path: Path) -> None:
    """A missing file, a binary one, and files that were mixed up: one message each, and no key in it."""
    key, chain = signing.values()
    secret = Path(key).read_text(encoding="utf-8").splitlines()[1]
    binary = tmp_path / "key.der"
    binary.write_bytes(b"\xff\xfe" + secret.encode())
    mistakes = ((str(tmp_path / "none.pem"), chain), (str(binary), chain), (chain, key), (key, key))
    for files in mistakes:
        with pytest.raises(SetupError) as refused:
            blocks_from(dict(zip(signing, files, strict=True)))
        assert secret not in "".join(traceback.format_exception(refused.value))
        assert re.search("cannot be (read|used)", str(refused.value))


def test_a_demo_certificate_is_saved_once(
    saved: list[Block], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its root is written for readers to trust; a certificate that is saved, or a file that is there, stays."""
    there: list[SigningCertificate] = []

    async def saved_block(kind: type[SigningCertificate]) -> SigningCertificate | None:
        return there[0] if there else None

    monkeypatch.setattr(register, "saved_block", saved_block)
    root = tmp_path / "root.pem"

    assert main(["--demo-certificate", str(root)]) == 0
    (block,) = saved
    assert isinstance(block, SigningCertificate)
    assert capsys.readouterr().out.splitlines() == [
        "saved signing-certificate/default",
        f"wrote {root}: who trusts this root takes our signatures for valid",
    ]
    written = root.read_text(encoding="utf-8")
    assert written.startswith("-----BEGIN CERTIFICATE-----")

    assert main(["--demo-certificate", str(root)]) == 3
    there.append(block)
    assert main(["--demo-certificate", str(tmp_path / "other.pem")]) == 3
    assert capsys.readouterr().err.splitlines() == [
        f"{root} cannot be written: File exists.",
        "A certificate is saved as signing-certificate/default already, and stays.",
    ]
    assert (saved, root.read_text(encoding="utf-8"), list(tmp_path.iterdir())) == ([block], written, [root])
