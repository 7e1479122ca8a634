"""An export that is split: every part a whole file, every row once, and a manifest that says what there is."""

import csv
import gzip
import hashlib
import io
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import openpyxl
import pytest

from cdp_pipelines.domain.entity_export.request import read_request
from cdp_pipelines.pipelines.entity_export.outputs import SheetOutput
from cdp_pipelines_tests.integration.pipelines.entity_harness import EntityExportsOf

pytestmark = pytest.mark.any_mongo

ROWS = 57
FIELDS = ["id", "amount"]


@pytest.mark.parametrize(
    ("file_format", "compression"), [("CSV", None), ("JSON", None), ("NDJSON", "gzip"), ("CSV", "gzip")]
)
def test_parts_add_up(make_entities: Any, file_format: str, compression: str | None) -> None:
    entities: EntityExportsOf = make_entities(page_rows=5, part_bytes=200 if compression is None else 1)
    entities.add_orders(ROWS)
    export_id = entities.queue(
        parameters={"format": file_format, "compression": compression, "fields": FIELDS, "order": "-id"},
        email="parts@example.com",
    )
    (request,) = entities.tick()
    assert entities.run(request).success
    document = entities.document(export_id)
    entities.assert_nothing_is_left()
    result = document["result"]
    manifest = json.loads(httpx.get(result["url"]).content)
    assert (result["record_count"], document["progress"], document["total"]) == (ROWS, ROWS, ROWS)
    assert document["object_keys"] == [*(part["key"] for part in result["parts"]), result["key"]]
    assert result["total_bytes"] == manifest["size_bytes"] == sum(part["size_bytes"] for part in result["parts"])
    assert (manifest["id"], manifest["record_count"], manifest["fields"]) == (export_id, ROWS, FIELDS)
    assert (manifest["format"], manifest["compression"]) == (file_format, compression)
    assert len(manifest["parts"]) == len(result["parts"]) > 3
    rows: list[list[Any]] = []
    for listed, part in zip(manifest["parts"], result["parts"], strict=True):
        assert listed == {name: part[name] for name in listed}
        content = httpx.get(part["url"]).content
        assert (len(content), hashlib.sha256(content).hexdigest()) == (part["size_bytes"], part["sha256"])
        assert part["expires_at"] >= result["expires_at"]
        read = rows_of(content, file_format, compression)
        assert len(read) == part["record_count"] > 0
        rows += read
    assert rows == [[f"ord_{n:06d}", n * 100] for n in reversed(range(ROWS))]
    (email,) = [mail for mail in entities.mails_to("parts@example.com") if export_id in mail.text()]
    assert all(part["url"] in email.text() for part in result["parts"][:20])
    assert result["url"] in email.text()


def test_sheets_go_on_in_further_files(entities: EntityExportsOf, tmp_path: Path) -> None:
    request = read_request(
        {"id": "exp_1", "company_sso_id": entities.company, "exported_object": "order", "created_at": datetime.now(UTC),
         "parameters": {"format": "xlsx", "fields": FIELDS}},
        webhook_problem=lambda _: None,
    )  # fmt: skip
    store, noted = entities.services().object_store(), list[list[str]]()
    stem = f"{entities.company}/exports/2026/11/orders-u"
    output = SheetOutput(store, request, stem, noted.append, [], directory=tmp_path, rows_a_book=4)
    with output:
        for start in (0, 3, 6):
            output.write([[f"o{n}" for n in range(start, start + 3)], list(range(start, start + 3))])
        files, warnings = output.finish()
    assert [file.key for file in files] == [f"{stem}.xlsx", f"{stem}-00002.xlsx"]
    assert (noted[-1], warnings) == ([file.key for file in files], ())
    rows: list[tuple[Any, ...]] = []
    for file in files:
        sheet = openpyxl.load_workbook(io.BytesIO(b"".join(store.iter_bytes(file.key)))).active
        assert sheet is not None
        header, *read = sheet.iter_rows(values_only=True)
        assert list(header) == FIELDS
        assert len(read) == file.record_count
        rows += read
    assert rows == [(f"o{n}", n) for n in range(9)]
    assert list(tmp_path.glob("*.xlsx")) == []


def rows_of(content: bytes, file_format: str, compression: str | None) -> list[list[Any]]:
    """Each part is read as if it were alone."""
    text = (gzip.decompress(content) if compression else content).decode("utf-8-sig")
    if file_format == "CSV":
        header, *rows = csv.reader(io.StringIO(text, newline=""))
        assert header == FIELDS
        return [[key, int(amount)] for key, amount in rows]
    found = json.loads(text) if file_format == "JSON" else [json.loads(line) for line in text.splitlines()]
    return [list(row.values()) for row in found]
