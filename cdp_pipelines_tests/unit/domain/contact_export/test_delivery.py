import re
from datetime import UTC, datetime

import pytest

from cdp_pipelines.domain.contact_export.delivery import file_name, object_key, outcome_of, variant_of

NOW = datetime(2024, 5, 1, 10, 2, 3, tzinfo=UTC)


def test_the_key_is_scoped_by_the_company() -> None:
    key = object_key("c-1", "xlsx", now=NOW, random_part="ab12")
    assert key == "private/exports/c-1/export_20240501T100203Z_ab12.xlsx"
    assert file_name(key) == "export_20240501T100203Z_ab12.xlsx"


@pytest.mark.parametrize("company", ["../other", "a/b", "a\nb", "ä b"])
def test_no_company_id_can_leave_its_folder(company: str) -> None:
    key = object_key(company, "csv", now=NOW, random_part="r")
    assert re.fullmatch(r"private/exports/[A-Za-z0-9._%-]+/export_20240501T100203Z_r\.csv", key)


@pytest.mark.parametrize(
    ("mode", "written", "failed", "outcome"),
    [
        ("contact_ids", 3, 0, "completed"),
        ("contact_ids", 2, 1, "partial"),
        ("contact_ids", 0, 3, "failed"),
        ("filter", 0, 0, "completed"),
        ("first_10k_sorted", 0, 0, "completed"),
        ("filter", 9, 1, "partial"),
        ("filter", 0, 1, "partial"),
    ],
)
def test_outcomes(mode: str, written: int, failed: int, outcome: str) -> None:
    assert outcome_of(mode, written=written, failed=failed) == outcome


def test_each_outcome_has_its_email_but_a_canceled_one() -> None:
    assert [variant_of(o) for o in ("completed", "partial", "failed")] == ["succeeded", "partially_succeeded", "failed"]
    with pytest.raises(ValueError, match="no email"):
        variant_of("canceled")
