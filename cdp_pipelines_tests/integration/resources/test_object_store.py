"""The object store against the embedded S3 server, with signatures and expiry enforced."""

import hashlib
import json
import shlex
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from cdp_pipelines.domain.errors import ConfigurationError, PermanentFailure
from cdp_pipelines.resources.object_store import MULTIPART_FROM_BYTES, ObjectStore, ObjectStoreResource
from cdp_pipelines_tests.integration.resources.object_stores import connect

pytestmark = pytest.mark.integration
DEADLINE_SECONDS = 15


@pytest.fixture
def prefix() -> str:
    return f"private/exports/test-{uuid.uuid4().hex}/"


@pytest.fixture
def store(stack_env: Mapping[str, str], prefix: str) -> Iterator[ObjectStore]:
    opened = connect(stack_env)
    yield opened
    opened.delete_many(opened.list_keys(prefix, limit=5_000))
    opened.close()


def put(
    store: ObjectStore, tmp_path: Path, key: str, content: bytes = b"a,b\r\n1,2\r\n", name: str = "export.csv"
) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    store.upload_file(path=path, key=key, content_type="text/csv; charset=utf-8", download_name=name, request_id="r-1")


def until_refused(url: str) -> int:
    """The status with which a link is refused at last; fails if it never is."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while (status := httpx.get(url).status_code) == 200 and time.monotonic() < deadline:
        time.sleep(0.05)
    return status


def test_upload_says_what_the_store_has(store: ObjectStore, tmp_path: Path, prefix: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"hello")
    stored = store.upload_file(
        path=path, key=prefix + "a", content_type="text/csv", download_name="a.csv", request_id="r\r\n1"
    )
    assert stored.key == prefix + "a"
    assert stored.size_bytes == store.size(prefix + "a") == 5
    assert stored.sha256 == hashlib.sha256(b"hello").hexdigest()
    assert stored.encryption == "AES256"
    assert b"".join(store.iter_bytes(prefix + "a", chunk_bytes=2)) == b"hello"


def test_link_downloads_the_file_under_its_name(store: ObjectStore, tmp_path: Path, prefix: str) -> None:
    put(store, tmp_path, prefix + "a", b"hello", name="pelanggan 客户.csv")
    before = datetime.now(UTC)
    link = store.presign(prefix + "a", valid_seconds=172_800)
    answer = httpx.get(link.url)
    assert answer.status_code == 200
    assert answer.content == b"hello"
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert "filename*=UTF-8''pelanggan%20%E5%AE%A2%E6%88%B7.csv" in answer.headers["content-disposition"]
    assert answer.headers["x-amz-meta-request-id"] == "r-1"
    assert abs(link.expires_at - before - timedelta(seconds=172_800)) < timedelta(seconds=30)
    assert link.expires_at.tzinfo is UTC
    assert "X-Amz" not in repr(link)


def test_link_may_give_the_file_another_name(store: ObjectStore, tmp_path: Path, prefix: str) -> None:
    put(store, tmp_path, prefix + "a")
    link = store.presign(prefix + "a", valid_seconds=60, download_name="other.csv")
    assert 'filename="other.csv"' in httpx.get(link.url).headers["content-disposition"]


def test_link_expires(store: ObjectStore, tmp_path: Path, prefix: str) -> None:
    put(store, tmp_path, prefix + "a")
    link = store.presign(prefix + "a", valid_seconds=2)
    assert httpx.get(link.url).status_code == 200
    assert until_refused(link.url) == 403
    assert datetime.now(UTC) >= link.expires_at


def test_link_serves_only_what_was_signed(store: ObjectStore, tmp_path: Path, prefix: str) -> None:
    for name in ("a", "b"):
        put(store, tmp_path, prefix + name)
    url = store.presign(prefix + "a", valid_seconds=60).url
    assert httpx.get(url).status_code == 200
    assert httpx.get(url.replace(prefix + "a?", prefix + "b?")).status_code == 403
    assert httpx.get(url.replace("X-Amz-Expires=60", "X-Amz-Expires=600000")).status_code == 403
    assert httpx.get(url[:-1] + ("0" if url[-1] != "0" else "1")).status_code == 403
    assert httpx.get(url.partition("?")[0]).status_code == 403
    assert httpx.delete(url).status_code == 403


@pytest.mark.parametrize("valid_seconds", [0, -1, 604_801])
def test_link_outside_what_signatures_allow(store: ObjectStore, valid_seconds: int) -> None:
    with pytest.raises(ValueError, match="valid_seconds"):
        store.presign("a", valid_seconds=valid_seconds)


@pytest.fixture
def temporary(
    stack_env: Mapping[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[ObjectStore, datetime]]:
    """A store whose credentials end in a few seconds, as those of a role do, and their end."""
    end = (datetime.now(UTC) + timedelta(seconds=5)).replace(microsecond=0)
    credentials = {
        "Version": 1,
        "AccessKeyId": stack_env["AWS_ACCESS_KEY_ID"],
        "SecretAccessKey": stack_env["AWS_SECRET_ACCESS_KEY"],
        "Expiration": end.isoformat(),
    }
    script = tmp_path / "credentials.py"
    script.write_text(f"print({json.dumps(json.dumps(credentials))})")
    config = tmp_path / "config"
    config.write_text(f"[default]\ncredential_process = {shlex.quote(sys.executable)} {shlex.quote(str(script))}\n")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    opened = connect(stack_env, access_key_id="", secret_access_key="")
    yield opened, end
    opened.close()


def test_link_ends_with_the_credentials_that_signed_it(
    temporary: tuple[ObjectStore, datetime], store: ObjectStore, tmp_path: Path, prefix: str
) -> None:
    put(store, tmp_path, prefix + "a")
    signing, end = temporary
    assert signing.describe()["credentials end"] == end.isoformat(timespec="seconds")
    link = signing.presign(prefix + "a", valid_seconds=172_800)
    assert link.expires_at <= end
    assert httpx.get(link.url).status_code == 200
    assert until_refused(link.url) == 403


def test_link_for_readers_is_signed_for_their_address(stack_env: Mapping[str, str], prefix: str) -> None:
    opened = connect(stack_env, public_endpoint_url="https://files.example.com")
    try:
        url = opened.presign(prefix + "a", valid_seconds=60).url
        assert not opened.exists(prefix + "a")
    finally:
        opened.close()
    assert url.startswith(f"https://files.example.com/{stack_env['CDP_S3_BUCKET']}/{prefix}a?")


def test_large_file_goes_in_parts_and_comes_back_whole(store: ObjectStore, tmp_path: Path, prefix: str) -> None:
    path, back = tmp_path / "large", tmp_path / "back"
    with path.open("wb") as file:
        for n in range(3):
            file.write(bytes([n]) * MULTIPART_FROM_BYTES)
        file.write(b"end")
    stored = store.upload_file(
        path=path, key=prefix + "large", content_type="text/csv", download_name="l.csv", request_id="r-1"
    )
    store.download(prefix + "large", back)
    assert stored.size_bytes == path.stat().st_size
    with back.open("rb") as file:
        assert hashlib.file_digest(file, "sha256").hexdigest() == stored.sha256


def test_upload_replaces(store: ObjectStore, tmp_path: Path, prefix: str) -> None:
    put(store, tmp_path, prefix + "a", b"one")
    put(store, tmp_path, prefix + "a", b"two!")
    assert b"".join(store.iter_bytes(prefix + "a")) == b"two!"


def test_delete_twice_is_no_error(store: ObjectStore, tmp_path: Path, prefix: str) -> None:
    put(store, tmp_path, prefix + "a")
    assert store.exists(prefix + "a")
    store.delete(prefix + "a")
    store.delete(prefix + "a")
    assert not store.exists(prefix + "a")


def test_what_is_not_there(store: ObjectStore, tmp_path: Path, prefix: str) -> None:
    assert store.size(prefix + "none") is None
    with pytest.raises(PermanentFailure, match="OBJECT_NOT_FOUND"):
        list(store.iter_bytes(prefix + "none"))
    with pytest.raises(PermanentFailure, match="OBJECT_NOT_FOUND"):
        store.download(prefix + "none", tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_list_and_delete_many(store: ObjectStore, tmp_path: Path, prefix: str) -> None:
    keys = [f"{prefix}{n}" for n in range(5)]
    for key in keys:
        put(store, tmp_path, key)
    assert store.list_keys(prefix) == keys
    assert store.list_keys(prefix, limit=2) == keys[:2]
    assert store.delete_many([*keys, prefix + "none"]) == 6
    assert store.list_keys(prefix) == []
    assert store.delete_many([]) == 0


def test_expiry_rule_is_set_once_beside_those_of_others(store: ObjectStore, prefix: str) -> None:
    other = f"other-{prefix}"
    assert store.expiry_rule_status(prefix).state == "absent"
    assert store.ensure_expiry_rule(other, days=9).days == 9
    status = store.ensure_expiry_rule(prefix, days=2)
    assert (status.state, status.days) == ("present", 2)
    assert store.ensure_expiry_rule(prefix, days=2) == status
    assert store.ensure_expiry_rule(prefix, days=3).days == 3
    assert store.expiry_rule_status(prefix).days == 3
    assert store.expiry_rule_status(other).days == 9
    assert store.expiry_rule_status(prefix[:-2]).state == "absent"
    assert "after 3 days" in store.expiry_rule_status(prefix).sentence()


def test_check_describes_the_bucket(store: ObjectStore, stack_env: Mapping[str, str]) -> None:
    found = store.check()
    assert found["bucket"] == stack_env["CDP_S3_BUCKET"]
    assert found["endpoint"] == stack_env["CDP_S3_ENDPOINT_URL"]
    assert found["keeps old versions"] == "no"
    assert found["region"] == store.region()
    assert stack_env["AWS_SECRET_ACCESS_KEY"] not in str(found)


def test_check_of_a_bucket_that_is_not_there(stack_env: Mapping[str, str]) -> None:
    opened = connect(stack_env, bucket="no-such-bucket-here")
    try:
        with pytest.raises(ConfigurationError, match="CDP_S3_BUCKET"):
            opened.check()
    finally:
        opened.close()


def test_wrong_secret_is_refused_plainly(stack_env: Mapping[str, str], tmp_path: Path, prefix: str) -> None:
    opened = connect(stack_env, secret_access_key="wrong")
    try:
        with pytest.raises(PermanentFailure) as caught:
            put(opened, tmp_path, prefix + "a")
    finally:
        opened.close()
    assert caught.value.code == "OBJECT_STORE_REFUSED"
    assert "AWS_*" in caught.value.message
    assert prefix not in caught.value.message


def test_resource_takes_its_settings_from_the_environment(
    stack_env: Mapping[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, prefix: str
) -> None:
    for name in ("CDP_S3_BUCKET", "CDP_S3_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, stack_env[name])
    opened = ObjectStoreResource().open()
    try:
        put(opened, tmp_path, prefix + "a")
        assert opened.exists(prefix + "a")
        opened.delete(prefix + "a")
    finally:
        opened.close()
