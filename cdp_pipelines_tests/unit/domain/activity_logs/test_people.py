from typing import Any

import pytest

from cdp_pipelines.domain.activity_logs.categories import AuditKind
from cdp_pipelines.domain.activity_logs.people import commented_person, person_of
from cdp_pipelines.domain.crm_records import id_text
from cdp_pipelines_tests.unit.domain.activity_logs.golden_cases import audit_of

DEAL, PERSON = AuditKind("deal", "deal"), AuditKind("contact", "person", is_person=True)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1, "1"), ("1", "1"), (" 007 ", "7"), (10**18, str(10**18)), (10**19, None), ("9" * 20, None), (0, None),
        (-1, None), ("0", None), ("-1", None), ("1.0", None), (1.0, None), (True, None), ("", None), (None, None),
        ("1_0", None), ("\u0661", None), ("\u00b2", None), ([1], None), ({}, None),
    ],
)  # fmt: skip
def test_an_id_is_digits_and_nothing_else(value: Any, text: str | None) -> None:
    assert id_text(value) == text


@pytest.mark.parametrize(
    ("comment", "person"),
    [
        ('{"crm_person_id": 5}', "5"), ('{"a": {"crm_person_id": 5}}', None), ('{"crm_person_id": [5]}', None),
        ('{"crm_person_id": null}', None), ("", None), (None, None), ("[" * 100_000 + '"crm_person_id"', None),
        ('{"crm_person_id": 5', None), ('"crm_person_id"', None), ('{"crm_person_id": NaN}', None),
        ('{"crm_person_id": 5, "x": "' + "y" * 1_000_000 + '"}', None), ('{"crm_person_id": 1e2}', None),
    ],
)  # fmt: skip
def test_a_comment_names_a_person_only_as_a_json_object(comment: str | None, person: str | None) -> None:
    assert commented_person(comment) == person


def never() -> dict[str, Any]:
    raise AssertionError("the changes were read")


def test_the_changes_are_asked_last() -> None:
    assert person_of(audit_of({}), DEAL, never) == "123"
    bare = audit_of({"comment": None})
    assert person_of(bare, PERSON, never) == "5"
    assert person_of(bare, DEAL, lambda: {"crm_person_id": [1, 2]}) == "2"
    assert person_of(bare, DEAL, lambda: {"crm_person_id": [1, None]}) == "1"
    assert person_of(bare, DEAL, dict) is None
    assert person_of(bare._replace(auditable_id=None), PERSON, never) is None
