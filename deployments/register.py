"""Saves the blocks that flows use, from environment variables: `python -m deployments.register`.

This is the only place that reads API keys from the environment. They go into Prefect blocks, which keep them encrypted,
and from there to the provider's API host and nowhere else.
"""

import argparse
import asyncio
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from prefect.blocks.core import Block
from pydantic import ValidationError

from blocks.archive.block import ImageArchive
from blocks.errors import SetupError
from blocks.scenario.credentials import ScenarioCredentials
from blocks.signing.block import SigningCertificate
from blocks.sunra.credentials import SunraCredentials
from deployments.limits import ensure_limits, limit_name
from deployments.saved import accounts_without_keys, completed, kept_caps, one_root, saved_block, stand_ins, with_id
from flows.accounts import BLOCK_NAME
from tasks.provenance.demo_certificates import make_demo_certificates

VARIABLES = """environment variables:
  SCENARIO_SDK_API_KEY, SCENARIO_SDK_API_SECRET   saves scenario-credentials/default
  SCENARIO_PRICE_PER_CREATIVE_UNIT                what a creative unit costs you, for budgets in money
  SUNRA_KEY                                       saves sunra-credentials/default
  SUNRA_PRICE_PER_IMAGE                           what a picture costs you; the API does not say
  KLEINBILD_ARCHIVE                               saves image-archive/default with this root
  KLEINBILD_ARCHIVE_CREDENTIALS                   saved block with the keys to its bucket, such as aws-credentials/NAME
  KLEINBILD_CATALOGUE_URL                         database of that archive, for many machines
  KLEINBILD_BROWSE_URL                            where browsers find that archive, for links in reports
  KLEINBILD_CAP_PER_DAY, KLEINBILD_CAP_PER_MONTH  most that all runs together may spend
  KLEINBILD_CAP_UNIT                              unit of the caps; USD if left out
  KLEINBILD_SIGNING_KEY_FILE                      saves signing-certificate/default with the private key in this file
  KLEINBILD_SIGNING_CERTIFICATES_FILE             the certificates that go with it, the signing one first
  KLEINBILD_SIGNING_ALGORITHM                     that fits the key; es256 if left out
  KLEINBILD_SIGNING_TIMESTAMP_URL                 an RFC 3161 service: signatures then outlive the certificate
What is not set here stays as it is saved for the same account and the same archive; caps stay for another archive as
well. Each account gets a global concurrency limit, which all its runs on all workers share; one that is there is left
as it is.
"""

SECRETS = ("SCENARIO_SDK_API_KEY", "SCENARIO_SDK_API_SECRET", "SUNRA_KEY", "KLEINBILD_CATALOGUE_URL")
"""Variables that nobody beside this command needs to see."""

_SCENARIO_FIELDS = {"SCENARIO_PRICE_PER_CREATIVE_UNIT": "price_per_creative_unit"}
_SUNRA_FIELDS = {"SUNRA_PRICE_PER_IMAGE": "price_per_image"}
_ARCHIVE_FIELDS = {
    "KLEINBILD_ARCHIVE_CREDENTIALS": "credentials",
    "KLEINBILD_CATALOGUE_URL": "catalogue_url",
    "KLEINBILD_BROWSE_URL": "browse_url",
    "KLEINBILD_CAP_PER_DAY": "cap_per_day",
    "KLEINBILD_CAP_PER_MONTH": "cap_per_month",
    "KLEINBILD_CAP_UNIT": "cap_unit",
}

_SIGNING_FILES = {
    "KLEINBILD_SIGNING_KEY_FILE": "private_key",
    "KLEINBILD_SIGNING_CERTIFICATES_FILE": "certificate_chain",
}
_SIGNING_FIELDS = {"KLEINBILD_SIGNING_ALGORITHM": "algorithm", "KLEINBILD_SIGNING_TIMESTAMP_URL": "timestamp_url"}


def blocks_from(environment: Mapping[str, str]) -> list[Block]:
    """Makes the blocks that the environment has values for.

    Raises:
        SetupError: A value cannot be used; it is not repeated, for it may be a key.
    """
    try:
        return list(_blocks_from(environment))
    except ValidationError as error:
        found = error.errors(include_input=False)
        problems = "; ".join(f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}" for item in found)
        raise SetupError(f"These values cannot be used: {problems}.") from None  # the cause shows the values


def _blocks_from(environment: Mapping[str, str]) -> Iterator[Block]:
    key, secret = environment.get("SCENARIO_SDK_API_KEY"), environment.get("SCENARIO_SDK_API_SECRET")
    if bool(key) != bool(secret):
        missing = "SCENARIO_SDK_API_SECRET" if key else "SCENARIO_SDK_API_KEY"
        raise SetupError(f"Scenario needs an API key and its secret: {missing} is not set.")
    if key and secret:
        keys = {"api_key": key, "api_secret": secret}
        yield ScenarioCredentials.model_validate({**keys, **_fields(_SCENARIO_FIELDS, environment)})
    if sunra_key := environment.get("SUNRA_KEY"):
        yield SunraCredentials.model_validate({"api_key": sunra_key, **_fields(_SUNRA_FIELDS, environment)})
    fields = _fields(_ARCHIVE_FIELDS, environment)
    if root := environment.get("KLEINBILD_ARCHIVE"):
        yield ImageArchive.model_validate({"root": one_root(root), **fields})
    elif fields:  # a cap that is passed over in silence costs money
        raise SetupError("These say something of an archive, and KLEINBILD_ARCHIVE names none: " + _names(fields))
    yield from _signing_certificate(environment)


def _fields(of_variables: Mapping[str, str], environment: Mapping[str, str]) -> dict[str, str]:
    """Takes the values that are set; what is not set is left unsaid, so that what is saved stays."""
    return {field: environment[name] for name, field in of_variables.items() if environment.get(name)}


def _signing_certificate(environment: Mapping[str, str]) -> Iterator[Block]:
    files, fields = _fields(_SIGNING_FILES, environment), _fields(_SIGNING_FIELDS, environment)
    if missing := [name for name, field in _SIGNING_FILES.items() if field not in files]:
        if files or fields:
            raise SetupError(f"Signing needs a private key and its certificates: {' and '.join(missing)} is not set.")
        return
    read = {field: _text_of(Path(file)) for field, file in files.items()}
    yield SigningCertificate.model_validate({**read, **fields})


def _text_of(file: Path) -> str:
    try:
        return file.expanduser().read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no PEM file"
        raise SetupError(f"{file} cannot be read: {reason}.") from None  # the cause may show the file's bytes


def _names(fields: Iterable[str]) -> str:
    return ", ".join(name for name, field in _ARCHIVE_FIELDS.items() if field in fields)


async def save(blocks: list[Block]) -> list[str]:
    """Registers the block types, creates the limits of accounts, and saves the blocks under the name `default`.

    Returns:
        A line about each thing that was saved, created or kept; names and caps only.
    """
    for block_type in (ScenarioCredentials, SunraCredentials, ImageArchive, SigningCertificate):
        await block_type.aregister_type_and_schema()
    return [line for block in blocks for line in await _saved(block)]


async def _saved(given: Block) -> list[str]:
    block = await completed(given)
    lines = []
    if isinstance(given, ImageArchive) and isinstance(block, ImageArchive):
        block, known = await with_id(block)
        lines = [line for line in (kept_caps(given, block), known) if line]
    if isinstance(block, ScenarioCredentials | SunraCredentials):
        # The sandbox bears more than a real account: its limit is another one.
        name = limit_name(type(block), "sandbox" if block.sandbox else BLOCK_NAME)
        block.shared_limit = block.shared_limit or name
        lines = await ensure_limits([block])
    await block.asave(BLOCK_NAME, overwrite=True)
    return [f"saved {block.get_block_type_slug()}/{BLOCK_NAME}", *lines]


async def save_stand_ins(url: str) -> list[str]:
    """Saves the sandbox at this address for each account that has no keys; keys that are saved stay.

    Returns:
        A line about each account.
    """
    missing = await accounts_without_keys()
    there = [kind for kind in (ScenarioCredentials, SunraCredentials) if kind not in missing]
    kept = [f"kept {kind.get_block_type_slug()}/{BLOCK_NAME}: it holds the keys of a real account" for kind in there]
    return [*await save(stand_ins(missing, url)), *kept]


async def save_demo_certificate(root_file: Path) -> list[str]:
    """Saves a certificate of our own making, to try signed exports with, and writes its root for readers to trust.

    Args:
        root_file: Where the root goes; it must not exist yet.

    Returns:
        A line about each.

    Raises:
        SetupError: A certificate is saved already, or the file is there or cannot be written.
    """
    if await saved_block(SigningCertificate) is not None:
        raise SetupError(f"A certificate is saved as signing-certificate/{BLOCK_NAME} already, and stays.")
    made = make_demo_certificates()
    try:
        with root_file.open("x", encoding="utf-8") as file:
            file.write(made.trust_anchors)
    except OSError as error:
        raise SetupError(f"{root_file} cannot be written: {error.strerror}.") from error
    key = made.key
    block = SigningCertificate(private_key=key.private_key, certificate_chain=key.certificate_chain)
    return [*await save([block]), f"wrote {root_file}: who trusts this root takes our signatures for valid"]


def _all_from_here() -> list[Block]:
    blocks = blocks_from(os.environ)
    if not blocks:
        raise SetupError(f"Nothing to save.\n\n{VARIABLES}")
    return blocks


async def _saved_as_wished(sandbox: str | None, demo_certificate: Path | None) -> list[str]:
    if demo_certificate is not None:
        return await save_demo_certificate(demo_certificate)
    return await (save_stand_ins(sandbox) if sandbox else save(_all_from_here()))


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m deployments.register",
        description="Save credentials and archive as Prefect blocks.",
        epilog=VARIABLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--sandbox", metavar="URL", help="save the sandbox at this address instead, for each account that has no keys"
    )
    parser.add_argument(
        "--demo-certificate",
        metavar="FILE",
        type=Path,
        help="make a certificate that vouches for nobody, to try signed exports with; its root goes into this file",
    )
    options = parser.parse_args(arguments)
    try:
        lines = asyncio.run(_saved_as_wished(options.sandbox, options.demo_certificate))
    except SetupError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    print("\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
