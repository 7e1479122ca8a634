"""The stream of demo contacts: the same bytes every time, and every field type and kind of mess in it."""

import hashlib
import json
import random
import re
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import bson
import pytest
from bson.decimal128 import Decimal128
from bson.objectid import ObjectId

from cdp_pipelines.domain.contact_export.fields import FieldProperty, choose_columns
from cdp_pipelines.domain.contact_export.values import csv_renderer, xlsx_renderer
from cdp_pipelines.local.demo_companies import BIG, COMPANIES, MEDIUM, SMALL, DemoCompany, contact_hex_id
from cdp_pipelines.local.demo_contacts import iter_contacts
from cdp_pipelines.local.demo_fields import CUSTOM_FIELDS, FIELDS, TOP_LEVEL_FIELDS, field_property_documents, layout_id
from cdp_pipelines.local.demo_mess import MISSING, Mess, showcase
from cdp_pipelines.local.demo_pools import locale_pool
from cdp_pipelines.local.demo_values import FIRST_DAY, SOURCES, SPAN_DAYS, Money


def _digest(documents: Iterable[dict[str, Any]]) -> str:
    digest = hashlib.sha256()
    for document in documents:
        digest.update(bson.encode(document))
    return digest.hexdigest()


@pytest.fixture(scope="module")
def contacts() -> list[dict[str, Any]]:
    return list(iter_contacts(BIG, 2_000))


def _values(contacts: list[dict[str, Any]], name: str) -> list[Any]:
    top_level = {field.name for field in TOP_LEVEL_FIELDS}
    if name in top_level:
        return [contact[name] for contact in contacts if name in contact]
    return [
        entry["value"]
        for contact in contacts
        for entry in contact.get("custom_fields") or ()
        if isinstance(entry, dict) and entry.get("key") == name and "value" in entry
    ]


def test_two_runs_give_the_same_bytes(contacts: list[dict[str, Any]]) -> None:
    first = _digest(contacts[:500])
    locale_pool.cache_clear()
    random.seed(99)
    assert _digest(iter_contacts(BIG, 500)) == first


def test_a_contact_does_not_depend_on_the_batch_it_is_made_in(contacts: list[dict[str, Any]]) -> None:
    in_parts = [
        document for start in range(0, 300, 7) for document in iter_contacts(BIG, min(start + 7, 300), start=start)
    ]
    assert _digest(in_parts) == _digest(contacts[:300])


def test_another_seed_or_company_gives_other_people() -> None:
    assert _digest(iter_contacts(SMALL, 50, seed=1)) != _digest(iter_contacts(SMALL, 50, seed=2))
    assert [d.get("name") for d in iter_contacts(MEDIUM, 20)] != [d.get("name") for d in iter_contacts(BIG, 20)]


def test_ids_are_object_ids_that_no_two_contacts_share() -> None:
    ids = [document["_id"] for company in COMPANIES for document in iter_contacts(company, min(company.contacts, 60))]
    assert all(isinstance(value, ObjectId) for value in ids)
    assert len(set(ids)) == len(ids)
    assert str(next(iter_contacts(BIG, 8, start=7))["_id"]) == contact_hex_id(BIG.slug, 7)


def test_every_document_has_its_company_and_can_be_stored(contacts: list[dict[str, Any]]) -> None:
    assert {document["company_sso_id"] for document in contacts} == {BIG.company_sso_id}
    assert max(len(bson.encode(document)) for document in contacts) < 1_000_000


def test_timestamps_are_fixed_spread_over_two_years_with_ties(contacts: list[dict[str, Any]]) -> None:
    created = [document["created_at"] for document in contacts]
    end = FIRST_DAY + timedelta(days=SPAN_DAYS)
    assert all(FIRST_DAY <= value <= end and value.tzinfo is UTC for value in created)
    assert all(value.microsecond % 1_000 == 0 for value in created)
    assert max(created) - min(created) > timedelta(days=600)
    assert max(Counter(created).values()) > 1
    assert all(
        document["created_at"] <= document["updated_at"] <= end for document in contacts if "updated_at" in document
    )


def test_sources_come_from_the_vocabulary(contacts: list[dict[str, Any]]) -> None:
    assert set(_values(contacts, "source")) == set(SOURCES)


def test_most_contacts_know_their_crm_id_as_a_string(contacts: list[dict[str, Any]]) -> None:
    crm = _values(contacts, "crm_data")
    assert 0.85 < len(crm) / len(contacts) < 1
    assert all(isinstance(value["id"], str) for value in crm)


@pytest.mark.parametrize("name", [field.name for field in FIELDS])
def test_every_field_is_filled_somewhere_and_missing_or_null_elsewhere(
    name: str, contacts: list[dict[str, Any]]
) -> None:
    values = _values(contacts, name)
    assert any(value is not None for value in values)
    if name != "created_at":
        assert len([value for value in values if value is not None]) < len(contacts)


def test_dates_are_bson_dates_and_texts(contacts: list[dict[str, Any]]) -> None:
    birthdays = _values(contacts, "birth_date")
    assert any(isinstance(value, datetime) for value in birthdays)
    assert any(isinstance(value, str) and re.fullmatch(r"\d{4}-\d{2}-\d{2}", value) for value in birthdays)


def test_currencies_carry_their_codes(contacts: list[dict[str, Any]]) -> None:
    codes = {
        entry.get("currency_code")
        for document in contacts
        for entry in document.get("custom_fields") or ()
        if isinstance(entry, dict)
    }
    assert {"IDR", "USD", "JPY", None} <= codes
    assert any(isinstance(value, Decimal128) for value in _values(contacts, "credit_limit"))


def test_several_scripts_are_there(contacts: list[dict[str, Any]]) -> None:
    names = " ".join(value for value in _values(contacts, "name") if isinstance(value, str))
    for script in (r"[\u0600-\u06ff]", r"[\u0590-\u05ff]", r"[\u3040-\u30ff\u4e00-\u9fff]", r"[äöüß]"):
        assert re.search(script, names), script


def test_some_custom_keys_come_twice(contacts: list[dict[str, Any]]) -> None:
    def twice(document: dict[str, Any]) -> bool:
        keys = [entry.get("key") for entry in document.get("custom_fields") or () if isinstance(entry, dict)]
        return len(keys) != len(set(keys))

    assert 0 < sum(map(twice, contacts)) < len(contacts) / 20


def test_few_texts_are_longer_than_a_cell(contacts: list[dict[str, Any]]) -> None:
    assert sum(len(json.dumps(document, default=str)) > 32_767 for document in contacts) in {1, 2}


def _carries(document: dict[str, Any], mess: Mess) -> bool:
    if mess.field == "custom_fields" or mess.field not in {field.name for field in CUSTOM_FIELDS}:
        return (
            (mess.field not in document)
            if mess.value is MISSING
            else repr(document.get(mess.field)) == repr(mess.value)
        )
    entries = [entry for entry in document["custom_fields"] if entry["key"] == mess.field]
    value, code = mess.value if isinstance(mess.value, Money) else (mess.value, None)
    return [(repr(entry["value"]), entry.get("currency_code")) for entry in entries] == [(repr(value), code)]


@pytest.mark.parametrize("company", [BIG, SMALL], ids=lambda company: company.slug)
@pytest.mark.parametrize(("index", "mess"), list(enumerate(showcase())), ids=lambda value: getattr(value, "kind", ""))
def test_contact_number_i_shows_mess_number_i(company: DemoCompany, index: int, mess: Mess) -> None:
    [document] = iter_contacts(company, index + 1, start=index)
    assert _carries(document, mess)


def test_the_smallest_company_shows_every_kind_of_mess() -> None:
    assert len(showcase()) <= SMALL.contacts
    assert len({mess.kind for mess in showcase()}) == len(showcase())


@pytest.mark.parametrize("make_renderer", [csv_renderer, xlsx_renderer])
def test_every_contact_can_be_rendered(make_renderer: Any, contacts: list[dict[str, Any]]) -> None:
    documents = field_property_documents(BIG.slug, BIG.company_sso_id)
    default = [doc for doc in documents if doc["layout_id"] == layout_id(BIG.slug, "default")]
    properties = [field for field in map(FieldProperty.from_document, default) if field is not None]
    columns = choose_columns(properties, None).columns
    renderer = make_renderer(columns, ZoneInfo("Asia/Jakarta"))
    as_read = [bson.decode(bson.encode(contact)) for contact in contacts]
    rendered = renderer.columns(as_read)
    assert [len(cells) for cells in rendered] == [len(contacts)] * len(columns)
    assert "RAHASIA" not in repr(rendered)
