"""Uploads while the file is being made, against the embedded S3 server."""

import gzip
import hashlib
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import urlsplit

import boto3
import httpx
import pytest

from cdp_pipelines.domain.errors import ConfigurationError, PermanentFailure, TransientFailure
from cdp_pipelines.formats.row_stream import open_rows
from cdp_pipelines.resources.object_store import ObjectStore, StoredObject
from cdp_pipelines.resources.object_store_upload import PART_BYTES, THREAD_NAME, StreamingUpload
from cdp_pipelines_tests.integration.resources.object_stores import connect
from cdp_pipelines_tests.integration.resources.raw_servers import Connection, raw_server

pytestmark = pytest.mark.integration
PIECE = bytes(range(256)) * 4_000


@pytest.fixture(scope="module")
def store(stack_env: Mapping[str, str]) -> Iterator[ObjectStore]:
    opened = connect(stack_env)
    yield opened
    opened.close()


@pytest.fixture
def prefix(store: ObjectStore) -> Iterator[str]:
    own = f"private/exports/test-{uuid.uuid4().hex}/"
    yield own
    store.delete_many(store.list_keys(own))


@pytest.fixture(autouse=True)
def _no_thread_stays() -> Iterator[None]:
    yield
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith(THREAD_NAME)] == []


def begin(store: ObjectStore, key: str) -> StreamingUpload:
    return store.open_upload(key=key, content_type="text/csv", download_name="vouchers 客户.csv", request_id="r\r\n1")


def write(upload: StreamingUpload, size: int) -> str:
    """So many bytes, in pieces that fit no part; returns their SHA-256."""
    digest = hashlib.sha256()
    while left := size - upload.size_bytes:
        piece = memoryview(PIECE)[:left]
        assert upload.write(piece) == len(piece)
        digest.update(piece)
    return digest.hexdigest()


def unfinished(store: ObjectStore, prefix: str) -> list[str]:
    """The keys under the prefix that are being uploaded in parts."""
    answer = store._client.list_multipart_uploads(Bucket=store._bucket, Prefix=prefix)
    return sorted(item["Key"] for item in answer.get("Uploads", []))


@pytest.mark.parametrize(
    ("size", "parts"),
    [(0, 0), (5, 0), (PART_BYTES, 0), (PART_BYTES + 1, 2), (2 * PART_BYTES, 2), (40_000_000, 3)],
)
def test_what_is_written_is_what_the_link_downloads(store: ObjectStore, prefix: str, size: int, parts: int) -> None:
    with begin(store, prefix + "a") as upload:
        sha256 = write(upload, size)
        assert not store.exists(prefix + "a")
        stored = upload.complete()
    assert stored == StoredObject(key=prefix + "a", size_bytes=size, sha256=sha256, encryption="AES256")

    digest = hashlib.sha256()
    with httpx.stream("GET", store.presign(prefix + "a", valid_seconds=60).url) as answer:
        for chunk in answer.iter_bytes():
            digest.update(chunk)
    assert digest.hexdigest() == sha256
    assert answer.headers["content-type"] == "text/csv"
    assert "filename*=UTF-8''vouchers%20%E5%AE%A2%E6%88%B7.csv" in answer.headers["content-disposition"]
    assert answer.headers["x-amz-meta-request-id"] == "r__1"
    etag = store._client.head_object(Bucket=store._bucket, Key=prefix + "a")["ETag"].strip('"')
    assert etag.partition("-")[2] == (str(parts) if parts else "")
    assert unfinished(store, prefix) == []


def test_a_piece_larger_than_parts_may_be_reused_after_writing(store: ObjectStore, prefix: str) -> None:
    piece = bytearray(os.urandom(2 * PART_BYTES + 7))
    sha256 = hashlib.sha256(piece).hexdigest()
    with begin(store, prefix + "a") as upload:
        upload.write(memoryview(piece))
        piece[:] = bytes(len(piece))
        assert upload.complete().sha256 == sha256
    assert hashlib.sha256(b"".join(store.iter_bytes(prefix + "a"))).hexdigest() == sha256


def test_rows_go_straight_into_an_upload(store: ObjectStore, prefix: str) -> None:
    with begin(store, prefix + "a") as upload:
        with open_rows(upload, "JSON", ["n", "text"], gzip=True) as rows:
            for start in range(0, 3_000, 1_000):
                rows.write_columns([list(range(start, start + 1_000)), ["é"] * 1_000])
        stored = upload.complete()
    content = b"".join(store.iter_bytes(prefix + "a"))
    assert stored.size_bytes == upload.size_bytes == len(content)
    assert json.loads(gzip.decompress(content)) == [{"n": number, "text": "é"} for number in range(3_000)]


def test_what_is_there_stays_until_the_new_file_is_complete(store: ObjectStore, prefix: str) -> None:
    for content in (b"old", b"new"):
        with begin(store, prefix + "a") as upload:
            upload.write(content)
            assert store.exists(prefix + "a") is (content == b"new")
            upload.complete()
    with begin(store, prefix + "a") as upload:
        write(upload, PART_BYTES + 1)
        assert b"".join(store.iter_bytes(prefix + "a")) == b"new"
    assert b"".join(store.iter_bytes(prefix + "a")) == b"new"


@pytest.mark.parametrize("size", [5, 3 * PART_BYTES])
@pytest.mark.parametrize("how", ["abort", "exception", "left open"])
def test_given_up_nothing_stays(store: ObjectStore, prefix: str, size: int, how: str) -> None:
    upload = begin(store, prefix + "a")
    if how == "abort":
        write(upload, size)
        upload.abort()
    elif how == "exception":
        write(upload, size)
        with pytest.raises(TypeError), upload:
            upload.write("no bytes")  # type: ignore[arg-type]
    else:
        with upload:
            write(upload, size)
    assert store.list_keys(prefix) == []
    assert unfinished(store, prefix) == []
    upload.abort()
    for call in (lambda: upload.write(b"x"), upload.complete):
        with pytest.raises(ValueError, match="ended"):
            call()


def test_completed_is_not_given_up(store: ObjectStore, prefix: str) -> None:
    with begin(store, prefix + "a") as upload:
        upload.write(b"x")
        upload.complete()
        upload.abort()
    assert store.exists(prefix + "a")
    with pytest.raises(ValueError, match="ended"):
        upload.complete()


def test_checksums_of_parts_go_along_where_the_client_sends_them(
    store: ObjectStore, stack_env: Mapping[str, str], prefix: str
) -> None:
    client = boto3.client(
        "s3",
        endpoint_url=stack_env["CDP_S3_ENDPOINT_URL"],
        aws_access_key_id=stack_env["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=stack_env["AWS_SECRET_ACCESS_KEY"],
        region_name=stack_env["AWS_REGION"],
    )
    asked: list[object] = []
    client.meta.events.register(
        "before-parameter-build.s3.CreateMultipartUpload", lambda params, **_: asked.append(params["ChecksumAlgorithm"])
    )
    upload = StreamingUpload(
        client,
        stack_env["CDP_S3_BUCKET"],
        prefix + "a",
        {},
        encrypting=lambda send, headers: send(headers),
        checked=store._checked,
    )
    with upload:
        write(upload, PART_BYTES + 1)
        assert upload.complete().size_bytes == PART_BYTES + 1
    client.close()
    assert asked == ["CRC32"]


class Cut:
    """A way to the object store that breaks for good after so many bytes to it."""

    def __init__(self, endpoint_url: str, after_bytes: int) -> None:
        parts = urlsplit(endpoint_url)
        self.target = (parts.hostname, parts.port)
        self.left = after_bytes

    @property
    def broken(self) -> bool:
        return self.left <= 0

    def serve(self, connection: Connection) -> None:
        if self.broken:
            return
        with socket.create_connection(self.target) as upstream, selectors.DefaultSelector() as both:
            client = connection.socket
            both.register(client, selectors.EVENT_READ, upstream)
            both.register(upstream, selectors.EVENT_READ, client)
            while not self.broken and not connection.stopped.is_set():
                for key, _ in both.select(0.1):
                    assert isinstance(key.fileobj, socket.socket)
                    data = key.fileobj.recv(65_536)
                    if not data:
                        return
                    key.data.sendall(data)
                    self.left -= len(data) if key.fileobj is client else 0


@contextmanager
def cut_store(stack_env: Mapping[str, str], after_bytes: int) -> Iterator[ObjectStore]:
    with raw_server(Cut(stack_env["CDP_S3_ENDPOINT_URL"], after_bytes).serve) as server:
        opened = connect(stack_env, endpoint_url=server.url, connect_seconds=10, read_seconds=10, attempts=2)
        try:
            yield opened
        finally:
            opened.close()


def test_a_store_that_breaks_between_parts_fails_the_upload_soon(
    stack_env: Mapping[str, str],
    store: ObjectStore,
    prefix: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    started = time.monotonic()
    with cut_store(stack_env, after_bytes=PART_BYTES * 3 // 2) as opened:
        with pytest.raises(TransientFailure) as caught, begin(opened, prefix + "a") as upload:
            write(upload, 100 * PART_BYTES)
        # One part arrived, the next broke, one was behind it and one being filled; more was never taken.
        assert upload.size_bytes < 5 * PART_BYTES
    assert caught.value.code == "OBJECT_STORE_UNAVAILABLE"
    assert time.monotonic() - started < 90
    assert "could not be removed" in caplog.text
    assert prefix not in caplog.text + str(caught.value)
    assert store.list_keys(prefix) == []
    assert unfinished(store, prefix) == [prefix + "a"]
    assert store.abort_uploads(prefix + "a") == 1
    assert unfinished(store, prefix) == []


def test_a_killed_process_leaves_parts_that_can_be_given_up(
    store: ObjectStore, stack_env: Mapping[str, str], prefix: str
) -> None:
    program = (
        "import os, signal, sys\n"
        "from cdp_pipelines_tests.integration.resources.object_stores import connect\n"
        "upload = connect(os.environ).open_upload(\n"
        "    key=sys.argv[1], content_type='text/csv', download_name='a.csv', request_id='r-1')\n"
        "for _ in range(50):\n"
        "    upload.write(bytes(1_000_000))\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, prefix + "a"], env={**os.environ, **stack_env}, check=False)
    assert done.returncode == -signal.SIGKILL
    neighbour = begin(store, prefix + "a2")
    write(neighbour, PART_BYTES + 1)

    assert store.list_keys(prefix) == []
    assert unfinished(store, prefix) == [prefix + "a", prefix + "a2"]
    assert store.abort_uploads(prefix + "a") == 1
    assert store.abort_uploads(prefix + "a") == 0
    assert unfinished(store, prefix) == [prefix + "a2"]
    assert neighbour.complete().size_bytes == PART_BYTES + 1


def test_an_upload_given_up_by_others_cannot_be_completed(store: ObjectStore, prefix: str) -> None:
    with begin(store, prefix + "a") as upload:
        write(upload, 3 * PART_BYTES)
        upload._pending[0].result()
        assert store.abort_uploads(prefix + "a") == 1
        with pytest.raises(PermanentFailure):
            upload.complete()
    assert store.list_keys(prefix) == []


@pytest.mark.parametrize("size", [5, PART_BYTES + 1])
def test_a_bucket_that_is_not_there(stack_env: Mapping[str, str], size: int) -> None:
    opened = connect(stack_env, bucket="no-such-bucket-here")

    def upload_it() -> None:
        with begin(opened, "a") as upload:
            write(upload, size)
            upload.complete()

    try:
        with pytest.raises(ConfigurationError, match="CDP_S3_BUCKET"):
            upload_it()
    finally:
        opened.close()
