"""The entity export on real servers: queue -> run -> file and document, for each object, format and way to end."""

import csv
import gzip
import hashlib
import io
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import httpx
import openpyxl
import pytest

from cdp_pipelines.domain.entity_export.catalogue import ENTITIES
from cdp_pipelines_tests.integration.pipelines.entity_harness import START, EntityExportsOf, Watcher
from cdp_pipelines_tests.integration.pipelines.entity_samples import SAMPLES
from cdp_pipelines_tests.support.inbox import Inbox


def csv_rows(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))


@pytest.mark.parametrize("name", list(ENTITIES))
def test_every_field_of_every_object(entities: EntityExportsOf, name: str) -> None:
    stored, expected = SAMPLES[name]
    for collection, documents in stored.items():
        entities.add(collection, *[dict(document) for document in documents])
    described = {field.name for field in ENTITIES[name].fields}
    assert described == {field for field in expected if not field.startswith("metadata.")}
    document = entities.export(name, parameters={"fields": list(expected), "timezone": "Asia/Jakarta"})
    assert document["status"] == "DONE", document.get("error")
    header, row, *more = csv_rows(entities.content(document))
    assert header == list(expected)
    assert dict(zip(header, row, strict=True)) == expected
    assert more == []


def test_defaults_and_empty_results_of_every_object(entities: EntityExportsOf) -> None:
    """Nine objects in four formats, none with a row: a header, `[]`, nothing, and a sheet with a header."""
    for name, entity in ENTITIES.items():
        for file_format in ("CSV", "JSON", "NDJSON", "XLSX")[:: 1 if name == "order" else 5]:
            document = entities.export(name, parameters={"format": file_format})
            assert document["status"] == "DONE", document.get("error")
            content = entities.content(document)
            assert (document["total"], document["progress"], document["result"]["record_count"]) == (0, 0, 0)
            if file_format == "CSV":
                assert csv_rows(content) == [list(entity.default_fields)]
            elif file_format == "XLSX":
                sheet = openpyxl.load_workbook(io.BytesIO(content)).active
                assert sheet is not None
                assert [cell.value for row in sheet.iter_rows() for cell in row] == list(entity.default_fields)
            else:
                assert content == {"JSON": b"[]", "NDJSON": b""}[file_format]
    assert entities.leftovers() == []


def test_a_request_may_name_a_template_alone(entities: EntityExportsOf, maildir: Inbox) -> None:
    """What is exported stands in the document from then on, for the mail and for whoever looks."""
    entities.add_orders(3)
    services, to = entities.services(), f"{entities.company}@example.com"
    saved = {"format": "NDJSON", "fields": ["id"], "order": "-id"}
    services.templates.save(
        entities.company, "Ids", exported_object="order", parameters=saved, saved_by="u", now=services.now()
    )
    asked = {"template": "Ids", "email": to, "locale": "en", "parameters": {"order": "id"}}
    document = entities.export(..., **asked)
    assert document["status"] == "DONE", document.get("error")
    assert [json.loads(line)["id"] for line in entities.content(document).splitlines()] == [
        "ord_000000", "ord_000001", "ord_000002",
    ]  # fmt: skip
    assert document["exported_object"] == "order"
    assert document["exported_as"] == {"format": "NDJSON", "compression": None, "timezone": "UTC"}
    assert "notices_pending" not in document
    [mail] = maildir.wait(to=to)
    assert mail.subject == "Your order export is ready (3 orders)"
    assert "Format: NDJSON" in mail.text()


def test_the_result_says_what_the_file_is(entities: EntityExportsOf) -> None:
    entities.add_orders(2_500)
    before = datetime.now(UTC)
    document = entities.export(parameters={"fields": ["id", "amount"], "order": "-id"})
    result, content = document["result"], entities.content(document)
    assert document["status"] == "DONE"
    assert (document["progress"], document["total"], result["record_count"]) == (2_500, 2_500, 2_500)
    assert result["size_bytes"] == len(content)
    assert result["sha256"] == hashlib.sha256(content).hexdigest()
    assert csv_rows(content)[1:] == [[f"ord_{n:06d}", str(n * 100)] for n in reversed(range(2_500))]
    month = f"{before:%Y}/{before:%m}"
    assert result["key"].startswith(f"{entities.company}/exports/{month}/orders-")
    assert result["key"].endswith(".csv")
    assert len(result["token"]) >= 32
    answer = httpx.get(result["url"])
    assert answer.content == content
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert result["file_name"] in answer.headers["content-disposition"]
    life = result["expires_at"].replace(tzinfo=UTC) - before
    assert timedelta(seconds=3_590) < life < timedelta(seconds=3_620)
    assert document["object_keys"] == [result["key"]]
    assert "lease" not in document
    assert document["files_expire_at"] > document["ended_at"]


@pytest.mark.parametrize("file_format", ["CSV", "JSON", "NDJSON"])
@pytest.mark.parametrize("compression", [None, "gzip"])
def test_formats_and_compression(entities: EntityExportsOf, file_format: str, compression: str | None) -> None:
    entities.add_orders(3)
    parameters = {"format": file_format, "compression": compression, "fields": ["id", "amount"], "order": "id"}
    document = entities.export(parameters=parameters)
    content = entities.content(document)
    key = document["result"]["key"]
    assert key.endswith(f".{file_format.lower()}" + (".gz" if compression else ""))
    plain = gzip.decompress(content) if compression else content
    if file_format == "CSV":
        assert csv_rows(plain)[1:] == [["ord_000000", "0"], ["ord_000001", "100"], ["ord_000002", "200"]]
    else:
        text = plain.decode()
        rows = json.loads(text) if file_format == "JSON" else [json.loads(line) for line in text.splitlines()]
        assert rows == [{"id": f"ord_{n:06d}", "amount": n * 100} for n in range(3)]


def test_a_sheet_with_real_cells(entities: EntityExportsOf) -> None:
    entities.add("orders", {"id": "=1+1", "amount": 1_050, "created_at": START, "metadata": {"n": 5}})
    parameters = {"format": "xlsx", "fields": ["id", "amount", "created_at", "metadata.n"]}
    document = entities.export(parameters=parameters)
    book = openpyxl.load_workbook(io.BytesIO(entities.content(document)))
    assert book.sheetnames == ["Orders"]
    rows = [[cell.value for cell in row] for row in book["Orders"].iter_rows()]
    assert rows[1] == ["'=1+1", 1_050, START.replace(tzinfo=None), 5]
    assert entities.leftovers() == []


REFUSED: list[tuple[Any, ...]] = [
    ({"company_sso_id": "nobody"}, "company_not_found", 404, None),
    ({"exported_object": "vouchers"}, "invalid_export_object", 422, "allowed_objects"),
    ({"parameters": {"fields": ["nope"]}}, "invalid_export_fields", 422, "allowed_fields"),
    ({"parameters": {"order": "nope"}}, "invalid_export_order", 422, "allowed_order"),
    ({"parameters": {"filters": {"nope": 1}}}, "invalid_export_filters", 422, "allowed_filters"),
    ({"parameters": {"filters": {"$where": "sleep(1)"}}}, "invalid_export_filters", 422, "allowed_filters"),
    ({"parameters": {"format": "pdf"}}, "invalid_export_format", 422, "allowed_formats"),
    ({"parameters": "all of it"}, "invalid_export_parameters", 422, "allowed_parameters"),
    ({"webhook": {"url": "http://10.0.0.1/"}}, "invalid_export_parameters", 422, None),
    ({"template": "none of that name"}, "invalid_export_template", 422, None),
    ({"status": "scheduled"}, "invalid_export_parameters", 422, None),
]


def test_refusals_end_as_error_before_a_row_is_read(entities: EntityExportsOf) -> None:
    entities.add_orders(1)
    asked = [(entities.queue(**{"exported_object": "order", **changes}), *rest) for changes, *rest in REFUSED]
    assert entities.tick() == []
    for export_id, code, http_status, listed in asked:
        document = entities.document(export_id)
        assert document["status"] == "ERROR"
        assert (document["error"]["code"], document["error"]["http_status"]) == (code, http_status)
        assert document["error"]["message"]
        assert listed is None or document["error"]["details"][listed]
        assert "total" not in document
    assert entities.objects() == []


def test_a_company_whose_switch_is_off_exports_nothing(entities: EntityExportsOf) -> None:
    entities.db["companies"].update_one({"_id": entities.company}, {"$set": {"features": {}}})
    assert entities.export()["error"]["code"] == "FLAG_DISABLED"


def test_no_company_gets_anothers_rows(make_entities: Callable[..., EntityExportsOf]) -> None:
    ours, theirs = make_entities(), make_entities()
    theirs.add("orders", {"id": "theirs", "customer_id": "cust_1", "amount": 5})
    theirs.add("customers", {"id": "cust_1", "source_id": "theirs", "referrer_id": "cust_1"})
    theirs.add("vouchers", {"code": "x", "holder_id": "cust_1", "loyalty_card": {"balance": 5}})
    theirs.add("redemptions", {"object": "redemption", "result": "SUCCESS", "customer_id": "cust_1"})
    ours.add("customers", {"id": "cust_1", "source_id": "ours"})
    ours.add("redemptions", {"object": "redemption", "result": "SUCCESS", "customer_id": "cust_1"})
    fields = [field.name for field in ENTITIES["customer"].fields]
    document = ours.export("customer", parameters={"fields": fields, "format": "JSON"})
    (row,) = json.loads(ours.content(document))
    assert row["source_id"] == "ours"
    assert row["redemptions_total_redeemed"] == 1
    assert [row[name] for name in fields if name.startswith(("orders_total", "loyalty_"))] == [0, 0, 0, 0]
    assert json.loads(ours.content(ours.export("order", parameters={"format": "JSON"}))) == []
    assert all(key.startswith(f"{ours.company}/") for key in ours.objects())
    # A run for our partition that is pointed at their request does nothing to it.
    foreign = theirs.queue()
    request = theirs.tick()[0]
    ours.instance.add_dynamic_partitions("company", [ours.company])
    pointed_at_theirs = dg.RunRequest(
        partition_key=ours.company, run_config=request.run_config, tags={"request_id": foreign}
    )
    assert not ours.run(pointed_at_theirs).success
    assert theirs.document(foreign)["status"] == "SCHEDULED"


def test_progress_is_written_page_by_page_and_a_cancel_stops_within_one(make_entities: Any) -> None:
    entities: EntityExportsOf = make_entities(page_rows=10)
    entities.add_orders(200)
    export_id = entities.queue()
    (request,) = entities.tick()
    seen: list[tuple[int, int]] = []

    def watch(number: int) -> None:
        """Between two pages: look at the document as a poller would, and ask to stop at the third look."""
        document = entities.document(export_id)
        seen.append((document.get("progress", -1), document.get("total", -1)))
        if len(seen) == 3:
            entities.services().jobs.request_cancel(export_id)

    result = entities.run_watched(request, Watcher("getMore", "", 1, watch))
    assert not result.success
    document = entities.document(export_id)
    assert document["status"] == "CANCELED"
    assert [progress for progress, _ in seen] == sorted(progress for progress, _ in seen)
    assert {total for _, total in seen} == {200}
    assert document["progress"] < 60
    assert document["result"] is None
    assert (entities.objects(), entities.uploads(), entities.leftovers()) == ([], [], [])


@pytest.mark.any_mongo
def test_progress_is_never_beyond_the_total_though_rows_come_after_the_count(make_entities: Any) -> None:
    entities: EntityExportsOf = make_entities(page_rows=10)
    entities.add_orders(20)
    export_id = entities.queue()
    (request,) = entities.tick()
    seen: list[tuple[int, int]] = []

    def add(number: int) -> None:
        """Before the walk looks for its end: they were not counted, and are walked."""
        if number == 1:
            entities.add("orders", *({"id": f"late-{n}"} for n in range(30)))

    def watch(number: int) -> None:
        document = entities.document(export_id)
        seen.append((document["progress"], document["total"]))

    # The find before it is the one that compares the data with an earlier export's.
    result = entities.run_watched(
        request, Watcher("find", "orders", 3, lambda n: add(n - 2)), Watcher("getMore", "", 1, watch)
    )
    assert result.success
    assert entities.document(export_id)["result"]["record_count"] == 50
    assert len(seen) == 6
    assert all(progress <= total for progress, total in seen)


def test_canceled_before_it_begins(entities: EntityExportsOf) -> None:
    export_id = entities.queue(cancel_requested=True)
    assert entities.tick() == []
    assert entities.document(export_id)["status"] == "CANCELED"


def test_what_has_ended_is_left_alone(entities: EntityExportsOf) -> None:
    entities.add_orders(1)
    export_id = entities.queue()
    (request,) = entities.tick()
    assert entities.run(request).success
    before = entities.document(export_id)
    assert entities.run(request).success
    assert entities.document(export_id) == before
    assert len(entities.objects()) == 1
