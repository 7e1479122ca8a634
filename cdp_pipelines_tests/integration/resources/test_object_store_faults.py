"""The object store when the other side fails, refuses, hangs, or cannot do what AWS can."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cdp_pipelines.domain.errors import CdpError, ConfigurationError, PermanentFailure, TransientFailure
from cdp_pipelines.resources.object_store import Encryption, ObjectStore
from cdp_pipelines.resources.object_store_connection import ATTEMPTS, StoreConnection
from cdp_pipelines_tests.integration.resources.http_servers import Answer, Asked, closed_port, recording_server


@contextmanager
def store_at(url: str, *, encryption: Encryption = "auto") -> Iterator[ObjectStore]:
    connection = StoreConnection(
        bucket="b",
        endpoint_url=url,
        access_key_id="key",
        secret_access_key="very-secret",
        connect_seconds=1,
        read_seconds=1,
    )
    store = ObjectStore(connection, encryption=encryption)
    try:
        yield store
    finally:
        store.close()


def xml_error(status: int, code: str) -> Answer:
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>private/exports/c1/x</Message></Error>"
    return status, {"Content-Type": "application/xml"}, body.encode()


def accepted(asked: Asked, *, kept: bytes = b"hello") -> Answer:
    """What a store says that took the file; botocore distrusts an answer to PUT that has a body."""
    return 200, {"ETag": '"x"'}, b"" if asked.method == "PUT" else kept


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "file"
    file.write_bytes(b"hello")
    return file


def upload(store: ObjectStore, path: Path) -> str:
    key = "private/exports/c1/x"
    return store.upload_file(
        path=path, key=key, content_type="text/csv", download_name="x.csv", request_id="r-1"
    ).encryption


@pytest.mark.parametrize("answer", [500, xml_error(503, "SlowDown"), "hang", "hang up"])
def test_four_attempts_then_a_plain_failure(answer: Answer, path: Path) -> None:
    with recording_server([answer]) as server, store_at(server.url) as store:
        with pytest.raises(TransientFailure) as caught:
            upload(store, path)
        assert [asked.method for asked in server.asked] == ["PUT"] * ATTEMPTS
    assert caught.value.code == "OBJECT_STORE_UNAVAILABLE"
    assert "c1" not in str(caught.value)


def test_a_passing_fault_is_waited_out(path: Path) -> None:
    def answer(asked: Asked) -> Answer:
        puts = [a for a in server.asked if a.method == "PUT"]
        return 503 if len(puts) < 3 else accepted(asked)

    with recording_server(answer) as server, store_at(server.url) as store:
        upload(store, path)
        bodies = [asked.body for asked in server.asked if asked.method == "PUT"]
    assert bodies == [b"hello"] * 3


def test_nobody_listens(path: Path) -> None:
    with store_at(f"http://127.0.0.1:{closed_port()}") as store, pytest.raises(TransientFailure) as caught:
        upload(store, path)
    assert caught.value.code == "OBJECT_STORE_UNAVAILABLE"
    assert "CDP_S3_ENDPOINT_URL" in caught.value.message


@pytest.mark.parametrize("code", ["AccessDenied", "ExpiredToken", "SignatureDoesNotMatch"])
def test_a_refusal_is_not_repeated_and_tells_no_key(code: str, path: Path) -> None:
    with recording_server([xml_error(403, code)]) as server, store_at(server.url, encryption="off") as store:
        with pytest.raises(PermanentFailure) as caught:
            upload(store, path)
        assert len(server.asked) == 1
    assert caught.value.code == "OBJECT_STORE_REFUSED"
    assert code in caught.value.message
    assert "c1" not in str(caught.value)


def test_missing_bucket_names_its_setting(path: Path) -> None:
    with recording_server([xml_error(404, "NoSuchBucket")]) as server, store_at(server.url) as store:
        with pytest.raises(ConfigurationError, match="CDP_S3_BUCKET"):
            upload(store, path)
        assert len(server.asked) == 1


def test_no_credentials_at_all(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    store = ObjectStore(StoreConnection(bucket="b", endpoint_url=f"http://127.0.0.1:{closed_port()}"))
    try:
        with pytest.raises(ConfigurationError, match="AWS_ACCESS_KEY_ID"):
            upload(store, path)
        with pytest.raises(ConfigurationError, match="AWS_ACCESS_KEY_ID"):
            store.presign("a", valid_seconds=60)
        assert store.describe()["credentials"] == "none found"
    finally:
        store.close()


def without_encryption(asked: Asked) -> Answer:
    """A store that has no encryption at rest and says so."""
    if "x-amz-server-side-encryption" in asked.headers:
        return xml_error(501, "NotImplemented")
    return accepted(asked)


def test_store_without_encryption_is_used_without_it(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with recording_server(without_encryption) as server, store_at(server.url) as store:
        assert upload(store, path) == ""
        assert upload(store, path) == ""
        assert store.describe()["encryption at rest"] == "off"
        encrypted = ["x-amz-server-side-encryption" in asked.headers for asked in server.asked if asked.method == "PUT"]
    assert encrypted.count(True) <= ATTEMPTS
    assert encrypted[-2:] == [False, False]
    assert caplog.text.count("no encryption at rest") == 1


def test_encryption_that_was_asked_for_by_name_is_not_given_up(path: Path) -> None:
    with recording_server(without_encryption) as server, store_at(server.url, encryption="AES256") as store:
        with pytest.raises(CdpError, match="NotImplemented"):
            upload(store, path)
        assert all("x-amz-server-side-encryption" in asked.headers for asked in server.asked)


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (xml_error(501, "NotImplemented"), "unsupported"),
        (xml_error(405, "MethodNotAllowed"), "unsupported"),
        (xml_error(403, "AccessDenied"), "denied"),
    ],
)
def test_expiry_rules_that_cannot_be_had_are_no_error(answer: Answer, state: str) -> None:
    with recording_server([answer]) as server, store_at(server.url) as store:
        status = store.ensure_expiry_rule("private/exports/", days=2)
        assert status.state == state
        assert store.expiry_rule_status("private/exports/").state == state
        assert "PUT" not in [asked.method for asked in server.asked]
    assert "private/exports/" in status.sentence()


def test_file_cut_off_while_reading() -> None:
    answer = (200, {"Content-Length": "100"}, b"only this")
    with recording_server([answer]) as server, store_at(server.url) as store, pytest.raises(TransientFailure):
        list(store.iter_bytes("a"))


def test_store_that_keeps_less_than_was_sent(path: Path) -> None:
    with recording_server(lambda asked: accepted(asked, kept=b"hell")) as server, store_at(server.url) as store:
        with pytest.raises(TransientFailure, match="different size"):
            upload(store, path)
        assert [asked.method for asked in server.asked] == ["PUT", "HEAD"]


def test_files_that_would_not_go_are_counted() -> None:
    body = b"<DeleteResult><Error><Key>a</Key><Code>AccessDenied</Code></Error></DeleteResult>"
    with recording_server([(200, {"Content-Type": "application/xml"}, body)]) as server, store_at(server.url) as store:
        with pytest.raises(PermanentFailure) as caught:
            store.delete_many(["a", "b"])
        assert len(server.asked) == 1
    assert caught.value.details == {"refused": 1}


def test_secrets_are_not_described() -> None:
    with store_at("http://127.0.0.1:1") as store:
        assert "very-secret" not in str(store.describe())
