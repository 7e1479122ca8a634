"""`docs/documents.md`: what is to be pasted can be read, and nothing in it is known to be refused."""

from datetime import UTC, datetime

import pytest

from cdp_pipelines_tests.support.mongosh import NotOfThePage, blocks, blocks_of, read_block

COMPANY = "5f8a1f3e-0000-4000-8000-000000000001"


@pytest.mark.parametrize("block", blocks(), ids=lambda block: block.strip().splitlines()[0][:60])
def test_every_block_is_statements_that_mongosh_runs(block: str) -> None:
    assert read_block(block)


def test_every_document_is_the_page_s_company_s() -> None:
    documents = [
        document
        for block in blocks()
        for call in read_block(block)
        if call.method.startswith("insert")
        for document in (call.arguments[0] if call.method == "insertMany" else call.arguments)
    ]
    assert len(documents) > 20
    for document in documents:
        assert COMPANY in (document.get("company_sso_id"), document.get("_id"))


def test_nothing_that_is_to_come_lies_in_the_past() -> None:
    (block,) = blocks_of("export_schedules", "insertOne")
    (schedule,) = [call.arguments[0] for call in read_block(block) if call.collection == "export_schedules"]

    assert schedule["next_run_at"] > datetime.now(UTC)


@pytest.mark.parametrize(
    "source",
    [
        "{ _id: 1 }",
        "db.exports.drop()",
        "db.exports.insertOne({ id: … })",
        "db.exports.insertOne({ id: UUID().toString() })",
        "db.exports.insertOne({ id: 'single' })",
        "db.exports.insertOne({ id: now() })",
        "db.exports.insertOne({ force, dry_run })",
        "db.exports.insertOne({ id: 1 }",
        "insertOne({ id: 1 })",
    ],
)
def test_what_mongosh_would_not_run_or_the_page_does_not_use_is_refused(source: str) -> None:
    with pytest.raises(NotOfThePage):
        read_block(source)
