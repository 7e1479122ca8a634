"""Documents of any shape: every kind of value in every field, in every format, and files that other readers open."""

import csv
import io
import json
import re
import shutil
import subprocess
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import openpyxl
import pandas as pd
import pytest
from bson import Binary, Code, DatetimeMS, DBRef, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp

from cdp_pipelines.domain.entity_export.catalogue import ENTITIES
from cdp_pipelines.domain.formula_guard import guard_text
from cdp_pipelines_tests.integration.pipelines.entity_harness import START, Document, EntityExportsOf
from cdp_pipelines_tests.unit.corpora import load_corpus

pytestmark = pytest.mark.timeout(240)

CORPUS = [row["value"] for row in load_corpus("formula.json") if isinstance(row, dict)]

VALUES: dict[str, Any] = {
    "nan": float("nan"),
    "infinity": float("-inf"),
    "minus zero": -0.0,
    "tiny": 5e-324,
    "decimal": Decimal128(Decimal("12345678901234567890.123456789")),
    "decimal nan": Decimal128("NaN"),
    "decimal huge": Decimal128("9.999999999999999999999999999999999E+6144"),
    "int64": Int64(2**63 - 1),
    "beyond a double": 2**53 + 1,
    "true": True,
    "binary": Binary(b"\x00\xff=1+1"),
    "uuid": UUID("12345678-1234-5678-1234-567812345678"),
    "regex": Regex("^a(b", "i"),
    "expression": re.compile("a+"),
    "object id": ObjectId("6650f0000000000000000000"),
    "code": Code("while(1){}", {"a": 1}),
    "reference": DBRef("orders", ObjectId("6650f0000000000000000000")),
    "timestamp": Timestamp(4_294_967_295, 1),
    "least": MinKey(),
    "greatest": MaxKey(),
    "instant": START,
    "instant of year 1": datetime(1, 1, 1, tzinfo=UTC),
    "instant of year 9999": datetime(9999, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC),
    "instant out of range": DatetimeMS(2**62),
    "instant out of range before": DatetimeMS(-(2**62)),
    "date as text": "2024-02-30",
    "empty": "",
    "formula": "=cmd|' /C calc'!A0",
    "controls": "a\x00b\x1b\r\nc\u2028d\ufeff\ufffe",
    "emoji and marks": "👩‍👩‍👧 مرحبا ＝1",
    "quotes": '";,\t\'"',
    "long": "x" * 33_000,
    "list": [1, [2, [{"a": [None, START]}]], "=1"],
    "objects": [{"a": {"b.c": 1, "$d": [Decimal128("1.5")]}}, {}],
    "object": {"$gt": "", "a.b": {"": 1}, "city": ["x"], "key": float("nan")},
    "none": None,
}
"""Each is put into every field of a document of its own."""

NESTED = ("discount", "gift", "loyalty_card", "redemption", "validity_timeframe", "assets", "address", "metadata")


def hostile_documents(name: str) -> list[Document]:
    entity = ENTITIES[name]
    paths = {path.split(".")[0] for field in entity.fields for path in field.places if not path.startswith("@")}
    joined = {path for join in entity.joins.values() for path in join.local}
    documents = [dict.fromkeys({*paths, *joined}, value) for value in VALUES.values()]
    # Nested one step deeper, where the description looks into objects.
    for value in VALUES.values():
        nested = {part: value for field in entity.fields for path in field.places for part in path.split(".")[1:]}
        documents.append(dict.fromkeys(NESTED, nested))
    # An index cannot hold a list beside another, nor a text as long as this; a field that is in one is never stored so.
    return documents


def add_hostile(entities: EntityExportsOf, name: str) -> int:
    documents = hostile_documents(name)
    entities.add(ENTITIES[name].collection, *documents)
    if name == "customer":
        # What is summed up over is as hostile as what it is for.
        for other, by in (("orders", "customer_id"), ("vouchers", "holder_id"), ("redemptions", "customer_id")):
            entities.add(
                other,
                *({by: "c-1", "amount": value, "loyalty_balance": value, "created_at": value, "result": value}
                  for value in VALUES.values() if value != VALUES["long"]),
                *({by: value} for key, value in VALUES.items() if key != "long"),
            )  # fmt: skip
        entities.add("customers", {"id": "c-1"})
        return len(documents) + 1
    return len(documents)


# SecantusDB takes no dates that Python cannot hold; what it stores reads alike.
@pytest.mark.any_mongo
@pytest.mark.parametrize("name", ["customer", "voucher"])
def test_every_kind_of_value_in_every_field(make_entities: Any, name: str) -> None:
    entities: EntityExportsOf = make_entities(page_rows=20)
    count = add_hostile(entities, name)
    odd = ["metadata.a.b", "metadata.$gt", "metadata.city", "metadata.key"]
    fields = [field.name for field in ENTITIES[name].fields] + odd
    contents = {}
    for file_format in ("CSV", "JSON", "NDJSON", "XLSX"):
        document = entities.export(name, parameters={"format": file_format, "fields": fields})
        assert document["status"] == "DONE", (file_format, document["error"])
        assert document["result"]["record_count"] == count
        contents[file_format] = entities.content(document)
    check_csv(contents["CSV"], fields, count)
    rows = [json.loads(line, parse_constant=_no_constant) for line in contents["NDJSON"].splitlines()]
    assert json.loads(contents["JSON"], parse_constant=_no_constant) == rows
    assert len(rows) == count
    assert all(list(row) == fields for row in rows)
    check_sheet(contents["XLSX"], fields, count)
    for order in ("-created_at", "id"):
        document = entities.export(name, parameters={"order": order, "fields": ["metadata"]})
        assert (document["status"], document["total"]) == ("DONE", count), document["error"]
    entities.assert_nothing_is_left()
    assert entities.leftovers() == []


def _no_constant(name: str) -> None:
    raise AssertionError(f"{name} is no JSON")


def check_csv(content: bytes, fields: list[str], count: int) -> None:
    csv.field_size_limit(10_000_000)
    text = content.decode("utf-8-sig")
    header, *rows = csv.reader(io.StringIO(text.replace("\0", ""), newline=""), strict=True)
    assert header == fields
    assert len(rows) == count
    assert all(len(row) == len(fields) for row in rows)
    assert not [cell for row in rows for cell in row if cell.startswith(("=", "@", "\t", "\r"))]
    frame = pd.read_csv(io.BytesIO(content), dtype=str, keep_default_na=False, engine="python")
    assert frame.shape == (count, len(fields))


def check_sheet(content: bytes, fields: list[str], count: int) -> None:
    book = openpyxl.load_workbook(io.BytesIO(content), read_only=True)
    (sheet,) = book.worksheets
    rows = list(sheet.iter_rows(values_only=True))
    assert list(rows[0]) == fields
    assert len(rows) == count + 1
    book.close()


@pytest.mark.any_mongo
@pytest.mark.skipif(shutil.which("soffice") is None, reason="LibreOffice is not installed (apt: libreoffice-calc)")
@pytest.mark.skipif(not CORPUS, reason="formula.json is not in shared/corpora beside the repository")
def test_libreoffice_computes_nothing(entities: EntityExportsOf, tmp_path: Path) -> None:
    """Codes that are formulas, in both kinds of file: no cell becomes one, none shows anything but its text."""
    entities.add("vouchers", *({"id": f"v-{n:03d}", "code": code} for n, code in enumerate(CORPUS)))
    parameters = {"fields": ["id", "code"], "order": "id"}
    sources = []
    for file_format in ("csv", "xlsx"):
        document = entities.export("voucher", parameters={**parameters, "format": file_format})
        sources.append(tmp_path / f"{file_format}.{file_format}")
        sources[-1].write_bytes(entities.content(document))
    for source in sources:
        convert(source, tmp_path)
        sheet = openpyxl.load_workbook(tmp_path / "out" / f"{source.stem}.xlsx").active
        assert sheet is not None
        cells = [row[1] for row in sheet.iter_rows(min_row=2)]
        assert len(cells) == len(CORPUS)
        assert [cell.value for cell in cells if cell.data_type in "fe"] == []
        for cell, code in zip(cells, CORPUS, strict=True):
            if code.isprintable() and not code.startswith("'"):
                shown = str(cell.value if cell.value is not None else "").removeprefix("'").strip()
                # A date of the CSV file is shown with its midnight, TRUE as a truth value; neither is a formula.
                written = guard_text(code, "csv" if source.suffix == ".csv" else "xlsx").removeprefix("'").strip()
                assert shown.casefold().startswith(written.casefold()) or _is_number(shown, code), code


def _is_number(shown: str, code: str) -> bool:
    """A plain number may show in another way; it is no formula."""
    try:
        return float(shown) == float(code)
    except ValueError:
        return False


def convert(source: Path, tmp_path: Path) -> None:
    """Open it as a person would, with formulas read as formulas, and save it as a sheet."""
    profile = f"-env:UserInstallation=file://{tmp_path}/profile"
    reading = ["--infilter=CSV:44,34,76,1,,0,false,true,false,false,false,-1,true"] if source.suffix == ".csv" else []
    arguments = ["soffice", profile, "--headless", *reading, "--convert-to", "xlsx", "--outdir", str(tmp_path / "out")]
    subprocess.run([*arguments, str(source)], check=True, capture_output=True, timeout=180)
    if source.suffix == ".csv":
        (out,) = (tmp_path / "out").glob("csv*.xlsx")
        out.rename(tmp_path / "out" / "csv.xlsx")
