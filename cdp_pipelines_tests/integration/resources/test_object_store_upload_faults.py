"""Uploads in parts when the object store fails, refuses, or loses its answers."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from cdp_pipelines.domain.errors import PermanentFailure, TransientFailure
from cdp_pipelines.resources.object_store import Encryption, ObjectStore
from cdp_pipelines.resources.object_store_connection import StoreConnection
from cdp_pipelines.resources.object_store_upload import PART_BYTES, StreamingUpload
from cdp_pipelines_tests.integration.resources.http_servers import Answer, Asked, RecordingServer, recording_server

ATTEMPTS = 2
SIZE = PART_BYTES + 5


def xml(root: str, content: str, status: int = 200) -> Answer:
    return status, {"Content-Type": "application/xml"}, f"<?xml version='1.0'?><{root}>{content}</{root}>".encode()


def error(status: int, code: str) -> Answer:
    return xml("Error", f"<Code>{code}</Code><Message>private/exports/c1/x</Message>", status)


class FakedStore:
    """Answers to each step as S3 does, unless told other answers for it, which are used up in order."""

    def __init__(self, **others: list[Answer]) -> None:
        self.others = others
        self.steps: list[str] = []

    def answer(self, asked: Asked) -> Answer:
        step = self.step_of(asked)
        self.steps.append(step)
        if others := self.others.get(step):
            return others.pop(0)
        good: dict[str, Answer] = {
            "begin": xml("InitiateMultipartUploadResult", "<UploadId>u1</UploadId>"),
            "part": (200, {"ETag": '"x"'}, b""),
            "join": xml("CompleteMultipartUploadResult", "<ETag>x</ETag>"),
            "look": (200, {"Content-Length": str(SIZE)}, b""),
            "give_up": 204,
        }
        return good[step]

    def step_of(self, asked: Asked) -> str:
        if asked.method == "POST":
            return "join" if "uploadId" in asked.path else "begin"
        return {"PUT": "part", "HEAD": "look", "DELETE": "give_up"}[asked.method]


@contextmanager
def store_of(fake: FakedStore, encryption: Encryption = "off") -> Iterator[tuple[ObjectStore, RecordingServer]]:
    with recording_server(fake.answer) as server:
        connection = StoreConnection(
            bucket="b",
            endpoint_url=server.url,
            access_key_id="key",
            secret_access_key="very-secret",
            connect_seconds=30,
            read_seconds=30,
            attempts=ATTEMPTS,
        )
        store = ObjectStore(connection, encryption=encryption)
        try:
            yield store, server
        finally:
            store.close()


def begin(store: ObjectStore) -> StreamingUpload:
    return store.open_upload(
        key="private/exports/c1/x", content_type="text/csv", download_name="x.csv", request_id="r-1"
    )


def test_a_part_that_keeps_failing_stops_all_further_ones() -> None:
    fake = FakedStore(part=[error(503, "SlowDown")] * ATTEMPTS)
    with store_of(fake) as (store, _), begin(store) as upload:
        upload.write(bytes(3 * PART_BYTES))
        with pytest.raises(TransientFailure) as caught:
            upload.write(bytes(2 * PART_BYTES))
        for _ in range(2):
            with pytest.raises(TransientFailure, match="SlowDown"):
                upload.complete()
        with pytest.raises(TransientFailure, match="SlowDown"):
            upload.write(b"x" * PART_BYTES)
    assert caught.value.code == "OBJECT_STORE_UNAVAILABLE"
    assert "c1" not in str(caught.value)
    assert fake.steps == ["begin", *["part"] * ATTEMPTS, "give_up"]


def test_a_passing_fault_of_a_part_is_waited_out() -> None:
    fake = FakedStore(part=[error(500, "InternalError")])
    with store_of(fake) as (store, server), begin(store) as upload:
        upload.write(b"a" * PART_BYTES + b"12345")
        stored = upload.complete()
        bodies = [asked.body for asked in server.asked if asked.method == "PUT"]
    assert stored.size_bytes == SIZE
    assert bodies == [b"a" * PART_BYTES, b"a" * PART_BYTES, b"12345"]
    assert fake.steps[-2:] == ["join", "look"]


def test_a_refused_part_is_not_repeated() -> None:
    fake = FakedStore(part=[error(403, "ExpiredToken")])
    with store_of(fake) as (store, _), begin(store) as upload:
        upload.write(bytes(SIZE))
        with pytest.raises(PermanentFailure, match="ExpiredToken"):
            upload.complete()
    assert fake.steps == ["begin", "part", "give_up"]


def test_an_upload_that_cannot_begin_leaves_nothing_to_give_up() -> None:
    fake = FakedStore(begin=[error(403, "AccessDenied")])
    with store_of(fake) as (store, _), begin(store) as upload, pytest.raises(PermanentFailure, match="AccessDenied"):
        upload.write(bytes(SIZE))
    assert fake.steps == ["begin"]


def test_a_store_without_encryption_is_used_without_it(caplog: pytest.LogCaptureFixture) -> None:
    fake = FakedStore(begin=[error(501, "NotImplemented")])
    with store_of(fake, "auto") as (store, server), begin(store) as upload:
        upload.write(bytes(SIZE))
        assert upload.complete().encryption == ""
        begun = [asked.headers for asked in server.asked if asked.method == "POST" and "uploadId" not in asked.path]
    assert "x-amz-server-side-encryption" in begun[0]
    assert "x-amz-server-side-encryption" not in begun[-1]
    assert "no encryption at rest" in caplog.text


def test_encryption_that_was_asked_for_by_name_is_not_given_up() -> None:
    fake = FakedStore(begin=[error(501, "NotImplemented")])
    with store_of(fake, "AES256") as (store, _), begin(store) as upload, pytest.raises(PermanentFailure):
        upload.write(bytes(SIZE))


def test_a_lost_last_answer_is_no_failure() -> None:
    fake = FakedStore(join=["hang up", error(404, "NoSuchUpload")])
    with store_of(fake) as (store, _), begin(store) as upload:
        upload.write(bytes(SIZE))
        assert upload.complete().size_bytes == SIZE
    assert fake.steps == ["begin", "part", "part", "join", "join", "look"]


def test_an_upload_that_is_gone_is_a_failure_if_the_file_is_not_there() -> None:
    fake = FakedStore(join=[error(404, "NoSuchUpload")], look=[404], give_up=[error(404, "NoSuchUpload")])
    with store_of(fake) as (store, _), begin(store) as upload:
        upload.write(bytes(SIZE))
        with pytest.raises(PermanentFailure, match="not there"):
            upload.complete()
    assert fake.steps[-1] == "give_up"


def test_the_end_may_be_tried_again() -> None:
    fake = FakedStore(join=[error(503, "SlowDown")] * ATTEMPTS)
    with store_of(fake) as (store, _), begin(store) as upload:
        upload.write(bytes(SIZE))
        with pytest.raises(TransientFailure, match="SlowDown"):
            upload.complete()
        assert upload.complete().size_bytes == SIZE
    assert fake.steps.count("part") == 2


@pytest.mark.parametrize("size", [3, SIZE])
def test_a_store_that_keeps_less_than_was_sent(size: int) -> None:
    fake = FakedStore(look=[(200, {"Content-Length": "1"}, b"")])
    with store_of(fake) as (store, _), begin(store) as upload:
        upload.write(bytes(size))
        with pytest.raises(TransientFailure, match="different size"):
            upload.complete()


def test_parts_that_cannot_be_removed_are_logged_and_no_error(caplog: pytest.LogCaptureFixture) -> None:
    fake = FakedStore(give_up=[error(503, "SlowDown")] * ATTEMPTS)
    with store_of(fake) as (store, _):
        upload = begin(store)
        upload.write(bytes(SIZE))
        upload.abort()
        upload.abort()
    assert fake.steps.count("give_up") == ATTEMPTS
    assert "could not be removed" in caplog.text
    assert "c1" not in caplog.text
