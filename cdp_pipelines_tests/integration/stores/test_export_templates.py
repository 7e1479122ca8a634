from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pymongo.database import Database

from cdp_pipelines.stores.export_templates import ExportTemplates

Db = Database[dict[str, Any]]
NOW = datetime(2026, 5, 1, 10, tzinfo=UTC)


@pytest.fixture
def templates(mongo_db: Db) -> ExportTemplates:
    mongo_db["export_templates"].create_index([("company_sso_id", 1), ("name", 1)], unique=True)
    return ExportTemplates(mongo_db)


def save(templates: ExportTemplates, company: str, name: str, **changes: Any) -> dict[str, Any]:
    values = {"exported_object": "voucher", "parameters": {"format": "CSV"}, "saved_by": "u1", "now": NOW, **changes}
    return templates.save(company, name, **values)


def test_templates_are_the_companys_own(templates: ExportTemplates) -> None:
    for company, name in (("a", "weekly"), ("b", "weekly"), ("a", "daily")):
        save(templates, company, name)
    save(templates, "a", "orders", exported_object="order")
    assert [template["name"] for template in templates.list("a")] == ["daily", "orders", "weekly"]
    assert [template["name"] for template in templates.list("a", exported_object="order")] == ["orders"]
    assert templates.find("b", "daily") is None
    assert templates.remove("a", "weekly")
    assert not templates.remove("a", "weekly")
    assert templates.find("b", "weekly") is not None


def test_saving_again_replaces_and_remembers_who_made_it(templates: ExportTemplates) -> None:
    first = save(templates, "a", "weekly")
    later = NOW + timedelta(days=1)
    second = save(templates, "a", "weekly", parameters={"fields": ["id"]}, saved_by="u2", now=later)
    assert second == templates.find("a", "weekly")
    assert second == {**first, "parameters": {"fields": ["id"]}, "updated_at": later}
    assert (second["created_by"], second["created_at"]) == ("u1", NOW)


def test_many_who_save_at_once_make_one(templates: ExportTemplates, mongo_db: Db) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: save(templates, "a", "weekly", saved_by=str(n)), range(16)))
    assert mongo_db["export_templates"].count_documents({}) == 1
