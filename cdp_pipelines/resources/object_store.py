"""The S3-compatible object store that holds the files people download.

Belongs here: connecting, uploading, reading, deleting, with bounded waits. Not here: what a key is called
(`cdp_pipelines.domain.contact_export.delivery`), links that expire (`object_store_links`), the bucket's own expiry
rule (`object_store_expiry`), files sent while they are being made (`object_store_upload`).
"""

import hashlib
import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Literal, TypeAlias, cast, get_args

import dagster as dg
from pydantic import Field, PrivateAttr

from cdp_pipelines.domain.errors import ConfigurationError, PermanentFailure, TransientFailure
from cdp_pipelines.resources.content_disposition import attachment_disposition
from cdp_pipelines.resources.environment import optional_setting, required_setting
from cdp_pipelines.resources.object_store_connection import StoreConnection
from cdp_pipelines.resources.object_store_errors import refuses_encryption, translating
from cdp_pipelines.resources.object_store_expiry import ExpiryRuleStatus, ensure_expiry_rule, expiry_rule_status
from cdp_pipelines.resources.object_store_links import PresignedLink, presigned_link
from cdp_pipelines.resources.object_store_upload import StreamingUpload, abort_uploads

if TYPE_CHECKING:
    from boto3.s3.transfer import TransferConfig

MEBIBYTE: Final = 1024 * 1024
MULTIPART_FROM_BYTES: Final = 16 * MEBIBYTE
PARTS_AT_ONCE: Final = 4
DELETES_A_CALL: Final = 1_000
"""The most keys that S3 takes in one DeleteObjects call."""

Encryption: TypeAlias = Literal["auto", "AES256", "aws:kms", "off"]

_NOT_IN_METADATA: Final = re.compile(r"[^A-Za-z0-9._:-]")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredObject:
    """A file as the store has it: its key, size in bytes, SHA-256 in hex, and encryption at rest ("" if none)."""

    key: str
    size_bytes: int
    sha256: str
    encryption: str


@dataclass(frozen=True, slots=True)
class ObjectFacts:
    """What the store says of an object without sending it; names of metadata are in lower case."""

    size_bytes: int
    metadata: Mapping[str, str]


class ObjectStore:
    """One bucket. Safe to share between threads; `close()` when done.

    Every method raises, besides what it names:
        TransientFailure: `OBJECT_STORE_UNAVAILABLE`, after the bounded attempts.
        PermanentFailure: `OBJECT_STORE_REFUSED`.
        ConfigurationError: the bucket is missing, or there are no credentials.
    """

    def __init__(self, connection: StoreConnection, *, encryption: Encryption = "auto") -> None:
        self._connection = connection
        self._client = connection.client
        self._bucket = connection.bucket
        self._encryption: str = "AES256" if encryption == "auto" else encryption
        # AWS encrypts whatever is asked; of the compatible stores some refuse to, which only "auto" forgives.
        self._may_go_unencrypted = encryption == "auto" and not connection.is_aws

    def upload_file(
        self, *, path: Path, key: str, content_type: str, download_name: str, request_id: str
    ) -> StoredObject:
        """Stream a file from disk to `key`, over what may be there, and see that all of it arrived.

        The object carries `content_type`, a `Content-Disposition` with `download_name`, and `request-id` and `sha256`
        as metadata. Large files go in parts of 16 MiB, four at once.
        """
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()

        def send(arguments: dict[str, Any]) -> None:
            self._client.upload_file(str(path), self._bucket, key, ExtraArgs=arguments, Config=_transfer_config())

        self._encrypting(send, _headers(content_type, download_name, request_id, {"sha256": sha256}))
        return self._checked(key, path.stat().st_size, sha256)

    def open_upload(self, *, key: str, content_type: str, download_name: str, request_id: str) -> StreamingUpload:
        """A file to be written to `key` while it is being made; nothing is contacted yet. See `StreamingUpload`.

        The object carries the rest as `upload_file` says, but no `sha256`, which is not known before its end.
        """
        return StreamingUpload(
            self._client,
            self._bucket,
            key,
            _headers(content_type, download_name, request_id, {}),
            encrypting=self._encrypting,
            checked=self._checked,
        )

    def abort_uploads(self, key: str) -> int:
        """Give up all uploads in parts to exactly this key, such as a killed process leaves; returns how many."""
        return abort_uploads(self._client, self._bucket, key)

    def put_stream(
        self,
        *,
        body: BinaryIO,
        key: str,
        content_type: str,
        download_name: str,
        request_id: str,
        metadata: Mapping[str, str],
    ) -> None:
        """Put an open file, from its beginning, under `key` in one request, over what may be there.

        It is read from the disk as it is sent. `metadata` has plain ASCII values; see `facts`. The object carries the
        rest as `upload_file` says.
        """

        def send(extra: dict[str, Any]) -> None:
            body.seek(0)
            self._client.put_object(Bucket=self._bucket, Key=key, Body=body, **extra)

        self._encrypting(send, _headers(content_type, download_name, request_id, metadata))

    def _encrypting(self, send: Callable[[dict[str, Any]], None], extra: dict[str, Any]) -> None:
        """Send with encryption at rest, unless the store refuses to and may."""
        encrypted = self._encryption != "off"
        try:
            with translating("uploading a file"):
                send({**extra, "ServerSideEncryption": self._encryption} if encrypted else extra)
        except PermanentFailure as exc:
            if not (encrypted and self._may_go_unencrypted and refuses_encryption(exc)):
                raise
            _log.warning("The object store offers no encryption at rest; files are stored without it.")
            self._encryption = "off"
            self._encrypting(send, extra)

    def _checked(self, key: str, size_bytes: int, sha256: str) -> StoredObject:
        """What the store has under `key`, if it has as many bytes as were sent."""
        with translating("checking an uploaded file"):
            head = self._client.head_object(Bucket=self._bucket, Key=key)
        if head["ContentLength"] != size_bytes:
            raise TransientFailure("OBJECT_STORE_UNAVAILABLE", "The object store kept a different size than was sent.")
        return StoredObject(
            key=key, size_bytes=size_bytes, sha256=sha256, encryption=str(head.get("ServerSideEncryption", ""))
        )

    def presign(self, key: str, *, valid_seconds: int, download_name: str | None = None) -> PresignedLink:
        """A link to `key` for whoever holds it. See `object_store_links.presigned_link`."""
        return presigned_link(self._connection, key, valid_seconds=valid_seconds, download_name=download_name)

    def exists(self, key: str) -> bool:
        """Whether there is such an object."""
        return self.size(key) is not None

    def size(self, key: str) -> int | None:
        """Size in bytes; None when there is no such object."""
        facts = self.facts(key)
        return None if facts is None else facts.size_bytes

    def facts(self, key: str) -> ObjectFacts | None:
        """Size and metadata; None when there is no such object."""
        try:
            with translating("looking for a file"):
                head = self._client.head_object(Bucket=self._bucket, Key=key)
                return ObjectFacts(head["ContentLength"], head.get("Metadata", {}))
        except PermanentFailure as exc:
            if exc.code == "OBJECT_NOT_FOUND":
                return None
            raise

    def iter_bytes(self, key: str, *, chunk_bytes: int = MEBIBYTE) -> Iterator[bytes]:
        """The object's bytes, never more than a chunk in memory.

        Raises:
            PermanentFailure: `OBJECT_NOT_FOUND`.
        """
        with translating("reading a file"):
            body = self._client.get_object(Bucket=self._bucket, Key=key)["Body"]
            with body:
                yield from body.iter_chunks(chunk_bytes)

    def download(self, key: str, path: Path) -> None:
        """Write the object to `path`, which appears only when it is complete.

        Raises:
            PermanentFailure: `OBJECT_NOT_FOUND`.
        """
        with translating("downloading a file"):
            self._client.download_file(self._bucket, key, str(path), Config=_transfer_config())

    def delete(self, key: str) -> None:
        """Remove the object; one that is not there is no error."""
        with translating("deleting a file"):
            self._client.delete_object(Bucket=self._bucket, Key=key)

    def discard(self, key: str) -> None:
        """Remove whatever there is of the object: all of it, or what a killed process has sent of it so far."""
        self.abort_uploads(key)
        self.delete(key)

    def delete_many(self, keys: Iterable[str]) -> int:
        """Remove objects, a thousand a call; returns how many keys were given.

        Raises:
            PermanentFailure: `OBJECT_STORE_REFUSED`, some could not be removed; `details.refused` says how many.
        """
        pending = list(keys)
        refused = 0
        for start in range(0, len(pending), DELETES_A_CALL):
            batch = pending[start : start + DELETES_A_CALL]
            with translating("deleting files"):
                answer = self._client.delete_objects(
                    Bucket=self._bucket, Delete={"Objects": [{"Key": key} for key in batch], "Quiet": True}
                )
            refused += len(answer.get("Errors", []))
        if refused:
            raise PermanentFailure(
                "OBJECT_STORE_REFUSED",
                f"The object store would not delete {refused} of {len(pending)} files.",
                details={"refused": refused},
            )
        return len(pending)

    def list_keys(self, prefix: str, *, limit: int = 1_000, after: str = "") -> list[str]:
        """The first `limit` keys under `prefix` behind the key `after`, in the store's (byte) order."""
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=prefix, StartAfter=after, PaginationConfig={"MaxItems": limit}
        )
        with translating("listing files"):
            return [item["Key"] for page in pages for item in page.get("Contents", [])]

    def ensure_expiry_rule(self, prefix: str, *, days: int) -> ExpiryRuleStatus:
        """Have the bucket remove files under `prefix` after `days`; see `object_store_expiry`."""
        return ensure_expiry_rule(self._client, self._bucket, prefix, days)

    def expiry_rule_status(self, prefix: str) -> ExpiryRuleStatus:
        """What the bucket's rules say about `prefix`."""
        return expiry_rule_status(self._client, self._bucket, prefix)

    def check(self) -> dict[str, str]:
        """Reach the bucket, and say for `cdp doctor` what it is; see `StoreConnection.check`."""
        return {**self._connection.check(), "encryption at rest": self._encryption}

    def region(self) -> str:
        """The region that requests are signed for."""
        return self._connection.region

    def describe(self) -> dict[str, str]:
        """The settings in use, without secrets and without touching the network."""
        return {**self._connection.describe(), "encryption at rest": self._encryption}

    def close(self) -> None:
        """Give the connections back."""
        self._connection.close()


class ObjectStoreResource(dg.ConfigurableResource[None]):
    """The bucket for files. Settings: `CDP_S3_BUCKET`, `CDP_S3_ENDPOINT_URL`, `CDP_S3_PUBLIC_ENDPOINT_URL`, `AWS_*`."""

    bucket: str = Field(default="", description="Name of the bucket; empty: CDP_S3_BUCKET.")
    endpoint_url: str = Field(
        default="",
        description="Address of an S3-compatible store; empty: CDP_S3_ENDPOINT_URL, and if that is unset AWS.",
    )
    public_endpoint_url: str = Field(
        default="",
        description="Address of the same store as readers of an email reach it, where that differs; "
        "empty: CDP_S3_PUBLIC_ENDPOINT_URL, else the endpoint.",
    )
    region: str = Field(default="", description="Region of the bucket; empty: AWS_REGION, else AWS_DEFAULT_REGION.")
    encryption: str = Field(
        default="",
        description="Encryption at rest: AES256, aws:kms, off, or auto (AES256 unless a compatible store refuses it); "
        "empty: CDP_S3_ENCRYPTION, else auto.",
    )

    _store: Any = PrivateAttr(default=None)

    def open(self) -> ObjectStore:
        """The bucket, connected once a process; nothing is contacted yet.

        Raises:
            ConfigurationError: a setting is missing or wrong; the message names it.
        """
        if self._store is None:
            connection = StoreConnection(
                bucket=required_setting("CDP_S3_BUCKET", self.bucket),
                endpoint_url=optional_setting("CDP_S3_ENDPOINT_URL", self.endpoint_url),
                public_endpoint_url=optional_setting("CDP_S3_PUBLIC_ENDPOINT_URL", self.public_endpoint_url),
                region=optional_setting("AWS_REGION", self.region),
            )
            encryption = optional_setting("CDP_S3_ENCRYPTION", self.encryption, default="auto")
            self._store = ObjectStore(connection, encryption=read_encryption(encryption))
        return cast(ObjectStore, self._store)

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:  # noqa: ARG002 - Dagster's signature
        """Close the connections of this process."""
        self.close()

    def close(self) -> None:
        """Close the connections, if there are any; the next use connects again."""
        if self._store is not None:
            self._store.close()
            self._store = None


def read_encryption(text: str) -> Encryption:
    """The mode of encryption at rest, whatever the case it is written in.

    Raises:
        ConfigurationError: `SETTING_INVALID`.
    """
    for mode in get_args(Encryption):
        if mode.casefold() == text.casefold():
            return cast(Encryption, mode)
    raise ConfigurationError("SETTING_INVALID", "CDP_S3_ENCRYPTION must be one of auto, AES256, aws:kms, off.")


def _headers(content_type: str, download_name: str, request_id: str, metadata: Mapping[str, str]) -> dict[str, Any]:
    return {
        "ContentType": content_type,
        "ContentDisposition": attachment_disposition(download_name),
        "Metadata": {**metadata, "request-id": _NOT_IN_METADATA.sub("_", request_id)},
    }


def _transfer_config() -> "TransferConfig":
    from boto3.s3.transfer import TransferConfig

    return TransferConfig(
        multipart_threshold=MULTIPART_FROM_BYTES,
        multipart_chunksize=MULTIPART_FROM_BYTES,
        max_concurrency=PARTS_AT_ONCE,
    )
