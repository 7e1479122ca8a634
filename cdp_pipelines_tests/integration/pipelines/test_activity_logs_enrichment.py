"""Completing association logs: migrated ones and the live feed's, additive only, on real servers."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from cdp_pipelines_tests.integration.pipelines.migration_harness import AFTER, Document, Migrations

AT = AFTER.replace(microsecond=123_000)
"""When live-feed rows happened: at or after every contact's watermark."""
LINK = {"auditable_type": "Crm::PeopleDeal", "action": "create"}
LINKED = "---\ncrm_person_id: 1\ncrm_deal_id: 5\n"


@pytest.fixture
def m(migrations: Migrations) -> Migrations:
    migrations.crm.entity("crm_deals", migrations.cid, 5, "Big deal")
    migrations.crm.entity("crm_deals", migrations.cid, 6, "Gone deal", deleted=True)
    return migrations


def link(m: Migrations, deal: int = 5, **columns: Any) -> int:
    changes = f"---\ncrm_person_id: 1\ncrm_deal_id: {deal}\n"
    return m.crm.audit(m.cid, **{**LINK, "audited_changes": changes, **columns})


def native(m: Migrations, *, at: datetime = AT, entity: object = "5", **changes: Any) -> Document:
    """A document as the live feed writes it; the one given back is what was stored."""
    document: Document = {
        "company_sso_id": m.company, "customer_id": m.customer(1), "category": "deal", "action": "link",
        "attributes": [], "actor": {"id": "u-1", "name": "Live"}, "timestamp": at, "source": "crm",
        "metadata": {"entity_type": "deal", **({} if entity is None else {"entity_id": entity})}, **changes,
    }  # fmt: skip
    inserted = m.db["activity_logs"].insert_one(document)
    return stored(m, {"_id": inserted.inserted_id})


def stored(m: Migrations, document: Document) -> Document:
    found = m.db["activity_logs"].find_one({"_id": document["_id"]})
    assert found is not None
    return found


def counts(m: Migrations) -> Document:
    """What enrichment said, without the names that count nothing."""
    return {name: number for name, number in m.job()["enrichment"]["counts"].items() if number}


def with_metadata(document: Document, **keys: str) -> Document:
    return {**document, "metadata": {**document["metadata"], **keys}}


def test_a_migrated_link_gets_the_name_it_lacks(m: Migrations) -> None:
    link(m)
    link(m, action="destroy")
    assert m.run().success
    for document, action in zip(m.logs(), ("link", "unlink"), strict=True):
        assert document["action"] == action
        assert document["metadata"] == {
            "crm_person_id": "1", "entity_type": "deal", "entity_id": "5", "entity_name": "Big deal",
        }  # fmt: skip
    assert counts(m) == {"enriched": 2}
    assert m.job()["match_pct"] == 100.0


@pytest.mark.parametrize("deal", [6, 404], ids=["deleted", "missing"])
def test_a_referent_that_is_gone_is_said_to_be_deleted(m: Migrations, deal: int) -> None:
    link(m, deal)
    assert m.run().success
    assert m.logs()[0]["metadata"]["entity_name"] == "[Deleted reference]"


def test_another_organizations_entity_is_not_named(m: Migrations) -> None:
    _, other = m.add_company(people=1)
    m.crm.entity("crm_deals", other, 7, "Their secret deal")
    link(m, 7)
    assert m.run().success
    assert m.logs()[0]["metadata"]["entity_name"] == "[Deleted reference]"


def test_the_live_feeds_document_gets_only_what_it_lacks(m: Migrations) -> None:
    link(m, created_at=AT)
    document = native(m, at=AT + timedelta(seconds=2))
    assert m.run().success
    assert stored(m, document) == with_metadata(document, crm_person_id="1", entity_name="Big deal")
    assert counts(m) == {"enriched": 1}
    assert m.db["activity_logs"].count_documents({}) == 1


@pytest.mark.parametrize("entity", ["5", 5])
def test_what_is_there_is_never_overwritten(m: Migrations, entity: object) -> None:
    link(m, created_at=AT)
    metadata = {"entity_type": "kept", "entity_id": entity, "entity_name": "Kept", "crm_person_id": None, "more": [1]}
    document = native(m, metadata=metadata)
    assert m.run().success
    assert stored(m, document) == with_metadata(document, crm_person_id="1")


def test_a_complete_document_is_left_alone(m: Migrations) -> None:
    link(m, created_at=AT)
    document = native(m, metadata={"entity_id": "5", "entity_name": "", "crm_person_id": "other"})
    assert m.run().success
    assert stored(m, document) == document
    assert counts(m) == {"enrich_complete": 1}


@pytest.mark.parametrize("seconds", [-2.001, 2.001, 3_600])
def test_outside_the_tolerance_nothing_is_touched(m: Migrations, seconds: float) -> None:
    link(m, created_at=AT)
    document = native(m, at=AT + timedelta(seconds=seconds))
    assert m.run().success
    assert stored(m, document) == document
    assert counts(m) == {"enrich_unmatched": 1}


def test_two_candidates_are_ambiguous_and_untouched(m: Migrations) -> None:
    link(m, created_at=AT)
    documents = [native(m), native(m, at=AT - timedelta(seconds=1))]
    assert m.run().success
    assert [stored(m, document) for document in documents] == documents
    assert counts(m) == {"enrich_ambiguous": 1}


def test_a_dry_run_counts_the_ambiguous_and_patches_nothing(m: Migrations) -> None:
    link(m)
    link(m, created_at=AT)
    link(m, created_at=AT + timedelta(hours=1))
    documents = [native(m), native(m), native(m, at=AT + timedelta(hours=1))]
    assert m.run(config={"dry_run": True}).success
    assert counts(m) == {"enrich_ambiguous": 1, "enriched": 2}
    assert [stored(m, document) for document in documents] == documents
    assert m.db["activity_logs"].count_documents({}) == 3


OTHERS: dict[str, Callable[[Migrations], Document]] = {
    "company": lambda m: native(m, company_sso_id="another"),
    "customer": lambda m: native(m, customer_id=m.customer(2)),
    "category": lambda m: native(m, category="ticket"),
    "action": lambda m: native(m, action="unlink"),
    "no association": lambda m: native(m, action="update"),
    "entity": lambda m: native(m, entity="55"),
    "no entity": lambda m: native(m, entity=None),
    "no metadata": lambda m: native(m, metadata=None),
    "metadata is a list": lambda m: native(m, metadata=["5"]),
    "no time": lambda m: native(m, timestamp=None),
    "an external id": lambda m: native(m, external_id="gateway:1"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_a_document_that_is_not_this_audits_is_never_touched(m: Migrations, name: str) -> None:
    link(m, created_at=AT)
    document = OTHERS[name](m)
    assert m.run().success
    assert stored(m, document) == document
    assert counts(m) == {"enrich_unmatched": 1}


def test_a_second_time_patches_nothing(m: Migrations) -> None:
    link(m)
    link(m, 6)
    link(m, created_at=AT)
    native(m)
    assert m.run().success
    assert counts(m) == {"enriched": 3}
    before = list(m.db["activity_logs"].find({}))
    assert m.run(config={"force": True}).success
    assert counts(m) == {"enrich_complete": 3}
    assert list(m.db["activity_logs"].find({})) == before


def test_only_associations_are_completed(m: Migrations) -> None:
    """An update of a deal whose changes do not name it stays without a name, and so does the live feed's."""
    m.crm.audit(m.cid, audited_changes="---\namount:\n- 1\n- 2\n")
    m.crm.audit(m.cid, audited_changes="---\namount:\n- 1\n- 2\n", created_at=AT)
    document = native(m, action="update")
    assert m.run().success
    assert m.logs()[0]["metadata"] == {"crm_person_id": "1", "entity_type": "deal", "entity_id": "5"}
    assert stored(m, document) == document
    assert counts(m) == {}


def test_a_ticket_that_is_resolved_is_an_association(m: Migrations) -> None:
    m.crm.entity("tickets", m.cid, 33, "Broken door")
    changes = "---\nticket_status_id:\n- 1\n- 4\n"
    ticket: Document = {"auditable_type": "Ticket", "auditable_id": 33, "audited_changes": changes}
    m.crm.audit(m.cid, **ticket)
    m.crm.audit(m.cid, **ticket, created_at=AT)
    document = native(m, category="ticket", action="resolved", entity="33")
    assert m.run().success
    assert m.logs()[0]["metadata"]["entity_name"] == "Broken door"
    assert stored(m, document) == with_metadata(document, crm_person_id="1", entity_name="Broken door")


def test_a_row_that_names_the_linked_one_only_as_its_association(m: Migrations) -> None:
    link(m, audited_changes="---\ncrm_person_id: 1\n", associated_type="Crm::Deal", associated_id=5)
    link(m, audited_changes="---\ncrm_person_id: 1\n", associated_type="Crm::Person", associated_id=5)
    link(m, audited_changes="---\ncrm_person_id: 1\n")
    assert m.run().success
    found = [document["metadata"] for document in m.logs()]
    bare = {"crm_person_id": "1", "entity_type": "deal"}
    assert found == [{**bare, "entity_id": "5", "entity_name": "Big deal"}, bare, bare]
    assert m.job()["match_pct"] == 100.0


def test_what_cannot_be_read_is_no_association(m: Migrations) -> None:
    for _ in range(11):
        link(m)
    link(m, audited_changes="---\nname:\n\t- a\n")
    assert m.run().success
    assert counts(m) == {"enriched": 11}


def test_a_wider_tolerance_is_config(m: Migrations) -> None:
    from cdp_pipelines.definitions import build_defs, default_resources

    link(m, created_at=AT)
    document = native(m, at=AT + timedelta(seconds=30))
    defs = build_defs(resources={**default_resources(), "migrations": m.resource})
    ops = {"activity_logs": {"ops": {"enrich": {"config": {"tolerance_seconds": 30.0}}}}}
    assert defs.resolve_job_def("activity_logs_migration").execute_in_process(
        instance=m.instance, partition_key=m.company, run_config={"ops": ops}
    ).success  # fmt: skip
    assert stored(m, document)["metadata"]["entity_name"] == "Big deal"
