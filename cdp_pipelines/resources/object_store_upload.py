"""Uploading a file to the object store while it is being made: no disk, and memory for three parts at most.

    with store.open_upload(key=..., content_type=..., download_name=..., request_id=...) as upload:
        upload.write(...)
        stored = upload.complete()

Belongs here: parts, and giving up what never ended. Not here: files that are on disk already (`object_store`).
"""

import hashlib
import logging
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from io import BytesIO
from threading import Event
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from cdp_pipelines.domain.errors import CdpError, PermanentFailure
from cdp_pipelines.resources.object_store_errors import translating

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef

    from cdp_pipelines.resources.object_store import StoredObject

THREAD_NAME: Final = "object-store-upload"
PART_BYTES: Final = 16 * 1024 * 1024
_SMALL_PARTS: Final = 1_000
_PARTS_A_STEP: Final = 125
# Waiting or under way, beside the one that is being filled.
_PARTS_AHEAD: Final = 2
_log = logging.getLogger(__name__)


def part_bytes(number: int) -> int:
    """The size of a part, by its number from 1 on: 16 MiB for the first 15 GiB, then ever larger.

    S3 takes 10,000 parts: of 16 MiB they would hold 156 GiB, of these sizes its largest object, 5 TiB.
    """
    return PART_BYTES * (1 + max(0, number - _SMALL_PARTS) // _PARTS_A_STEP)


class StreamingUpload:
    """A file on its way to `key`, where it appears, over what may be there, only when it is complete.

    Parts go out in one thread while the next is being filled, each with the client's bounded attempts. `size_bytes`
    counts what was written so far. Leaving a `with` block without `complete` gives the upload up. Not for several
    threads at once.
    """

    def __init__(
        self,
        client: "S3Client",
        bucket: str,
        key: str,
        headers: Mapping[str, Any],
        *,
        encrypting: Callable[[Callable[[dict[str, Any]], None], dict[str, Any]], None],
        checked: "Callable[[str, int, str], StoredObject]",
    ) -> None:
        """`headers` are arguments of the client's calls, which `encrypting` adds to.

        `checked` looks for the file under a key, with its size and its SHA-256.
        """
        self.key = key
        self.size_bytes = 0
        self._client = client
        self._bucket = bucket
        self._headers = dict(headers)
        self._encrypting = encrypting
        self._checked = checked
        self._sha256 = hashlib.sha256()
        self._filling = BytesIO()
        # Buffers whose parts are sent. Freed and made anew they would leave holes that grow the process by half.
        self._used: deque[BytesIO] = deque()
        self._part_number = 1
        self._upload_id = ""
        self._pending: deque[Future[CompletedPartTypeDef]] = deque()
        self._parts: list[CompletedPartTypeDef] = []
        self._worker: ThreadPoolExecutor | None = None
        self._given_up = Event()
        self._ended = False

    def write(self, data: bytes | memoryview, /) -> int:
        """Take these bytes, all of them; waits while two parts are still under way.

        Raises:
            ValueError: the upload has ended.
            TransientFailure, PermanentFailure, ConfigurationError: a part written earlier failed; so will all calls.
        """
        self._must_be_open()
        while self._pending and self._pending[0].done():
            self._collect()
        view = memoryview(data).cast("B")
        self._sha256.update(view)
        self.size_bytes += len(view)
        left = view
        while left:
            # A part goes out when there is more to come: what fits in one needs no parts at all.
            if self._filling.tell() == part_bytes(self._part_number):
                self._hand_over()
            room = part_bytes(self._part_number) - self._filling.tell()
            self._filling.write(left[:room])
            left = left[room:]
        return len(view)

    def complete(self) -> "StoredObject":
        """End the file, and see that all of it arrived. A file that fits in one part goes in one request.

        Raises:
            ValueError: the upload has ended.
            TransientFailure, PermanentFailure, ConfigurationError: the file is not there, or (if its check failed or
                the store's last answer was lost) nobody knows; it may be tried again, or given up.
        """
        self._must_be_open()
        if self._upload_id:
            if self._filling.tell():
                self._hand_over()
            while self._pending:
                self._collect()
            self._join_parts()
        else:
            self._encrypting(self._put, self._headers)
        stored = self._checked(self.key, self.size_bytes, self._sha256.hexdigest())
        self._end()
        return stored

    def abort(self) -> None:
        """Give up: the parts sent are removed. Does nothing to an upload that has ended.

        If the store cannot be reached, that is logged; `abort_uploads` or the bucket's own rule removes them later.
        """
        if self._ended:
            return
        self._given_up.set()
        self._end()
        if not self._upload_id:
            return
        try:
            _abort(self._client, self._bucket, self.key, self._upload_id)
        except CdpError as exc:
            _log.warning("An unfinished upload could not be removed from the object store (%s).", exc.code)

    def _must_be_open(self) -> None:
        if self._ended:
            raise ValueError("the upload has ended")

    def _end(self) -> None:
        self._ended = True
        if self._worker is not None:
            self._worker.shutdown(cancel_futures=True)
        self._pending.clear()
        self._used.clear()
        self._filling = BytesIO()

    def _put(self, headers: dict[str, Any]) -> None:
        self._filling.seek(0)
        self._client.put_object(Bucket=self._bucket, Key=self.key, Body=self._filling, **headers)

    def _begin_parts(self) -> ThreadPoolExecutor:
        headers = self._headers
        if self._client.meta.config.request_checksum_calculation == "when_supported":  # type: ignore[attr-defined]
            # The driver sends one with each part, and S3 takes it only if it was told at the beginning.
            headers = {**headers, "ChecksumAlgorithm": "CRC32"}

        def create(arguments: dict[str, Any]) -> None:
            answer = self._client.create_multipart_upload(Bucket=self._bucket, Key=self.key, **arguments)
            self._upload_id = answer["UploadId"]

        self._encrypting(create, headers)
        self._worker = ThreadPoolExecutor(1, thread_name_prefix=THREAD_NAME)
        return self._worker

    def _hand_over(self) -> None:
        """Give the part that is full, or the last, to the worker, as soon as few enough are before it."""
        worker = self._worker or self._begin_parts()
        while len(self._pending) >= _PARTS_AHEAD:
            self._collect()
        self._filling.truncate()
        self._pending.append(worker.submit(self._send, self._part_number, self._filling))
        self._filling = self._used.pop() if self._used else BytesIO()
        self._part_number += 1

    def _collect(self) -> None:
        """Wait for the oldest part. One that failed stays the oldest, so that nothing can go on without it."""
        self._parts.append(self._pending[0].result())
        self._pending.popleft()

    def _send(self, number: int, body: BytesIO) -> "CompletedPartTypeDef":
        if self._given_up.is_set():
            raise CancelledError
        try:
            body.seek(0)
            with translating("uploading a part of a file"):
                answer = self._client.upload_part(
                    Bucket=self._bucket, Key=self.key, UploadId=self._upload_id, PartNumber=number, Body=body
                )
        except BaseException:
            # The next part would only wait in vain as long as this one did.
            self._given_up.set()
            raise
        body.seek(0)
        self._used.append(body)
        part: CompletedPartTypeDef = {"PartNumber": number, "ETag": answer["ETag"]}
        if "ChecksumCRC32" in answer:
            part["ChecksumCRC32"] = answer["ChecksumCRC32"]
        return part

    def _join_parts(self) -> None:
        try:
            with translating("completing an upload"):
                self._client.complete_multipart_upload(
                    Bucket=self._bucket, Key=self.key, UploadId=self._upload_id, MultipartUpload={"Parts": self._parts}
                )
        except PermanentFailure as exc:
            # An attempt may succeed and its answer be lost; the next then finds no upload. The check tells.
            if not _is_unknown_upload(exc):
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.abort()


def abort_uploads(client: "S3Client", bucket: str, key: str) -> int:
    """Give up all uploads in parts to exactly this key; returns how many there were.

    Raises:
        TransientFailure, PermanentFailure, ConfigurationError: as every call of the object store.
    """
    pages = client.get_paginator("list_multipart_uploads").paginate(Bucket=bucket, Prefix=key)
    with translating("listing unfinished uploads"):
        found = [item["UploadId"] for page in pages for item in page.get("Uploads", []) if item["Key"] == key]
    for upload_id in found:
        _abort(client, bucket, key, upload_id)
    return len(found)


def _abort(client: "S3Client", bucket: str, key: str, upload_id: str) -> None:
    try:
        with translating("giving up an upload"):
            client.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload_id)
    except PermanentFailure as exc:
        if not _is_unknown_upload(exc):
            raise


def _is_unknown_upload(exc: CdpError) -> bool:
    return exc.details.get("store_code") == "NoSuchUpload"
