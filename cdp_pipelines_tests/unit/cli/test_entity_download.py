import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cdp_pipelines.cli.entity_download import parts_folder, result_with_file
from cdp_pipelines.cli.exit_codes import Refused
from cdp_pipelines.cli.export_download import write_whole
from cdp_pipelines.domain.errors import TransientFailure

RESULT: dict[str, Any] = {"key": "c/exports/k", "url": "http://l", "file_name": "orders-1.manifest.json"}


@pytest.mark.parametrize(
    ("document", "why"),
    [
        ({"status": "IN_PROGRESS", "result": None}, "IN_PROGRESS"),
        ({"status": "DONE", "purged_at": 1}, "purged"),
        ({"status": "DONE", "result": {"key": "k"}}, "CDP_EXPORT_FILE_TTL"),
        ({"status": "ERROR", "result": "text"}, "ERROR"),
    ],
    ids=["running", "purged", "expired", "odd"],
)
def test_an_export_without_a_file_says_why(document: dict[str, Any], why: str) -> None:
    with pytest.raises(Refused, match=why) as caught:
        result_with_file(document)
    assert caught.value.code == "EXPORT_HAS_NO_FILE"
    assert result_with_file({"result": RESULT}) is RESULT


def test_parts_go_into_a_folder(tmp_path: Path) -> None:
    assert parts_folder(RESULT, None) == Path("orders-1")
    assert parts_folder({"file_name": "../../etc/x.manifest.json"}, None) == Path("x")
    assert parts_folder({}, None) == Path("export")
    assert parts_folder(RESULT, tmp_path / "new") == tmp_path / "new"
    (tmp_path / "file").touch()
    with pytest.raises(Refused, match="folder"):
        parts_folder(RESULT, tmp_path / "file")


def chunks() -> Iterator[bytes]:
    yield from (b"abc", b"", b"def")


def test_a_file_appears_whole_and_right_or_not_at_all(tmp_path: Path) -> None:
    path, right = tmp_path / "x", hashlib.sha256(b"abcdef").hexdigest()
    with pytest.raises(TransientFailure, match="6 of 7"):
        write_whole(chunks(), path, size_bytes=7, sha256=right)
    with pytest.raises(TransientFailure, match="SHA-256"):
        write_whole(chunks(), path, size_bytes=6, sha256="0" * 64)
    with pytest.raises(Refused, match="cannot be written"):
        write_whole(chunks(), tmp_path / "no" / "x", size_bytes=6)
    assert list(tmp_path.iterdir()) == []
    assert write_whole(chunks(), path, size_bytes=6, sha256=right) == 6
    assert [each.name for each in tmp_path.iterdir()] == ["x"]
