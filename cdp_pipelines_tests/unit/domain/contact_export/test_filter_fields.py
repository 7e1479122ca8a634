"""Which fields a filter may name, and that its idea of an instant is the one that cells go by."""

from datetime import UTC, datetime

import pytest

from cdp_pipelines.domain.contact_export.fields import FieldProperty
from cdp_pipelines.domain.contact_export.filter_fields import filter_fields
from cdp_pipelines.domain.contact_export.filters import Condition, parse_filter
from cdp_pipelines.domain.contact_export.values import TIMESTAMP_TYPES, field_kind

AT = datetime(2024, 5, 1, tzinfo=UTC)


@pytest.mark.parametrize("field_type", sorted(TIMESTAMP_TYPES))
def test_what_is_written_as_an_instant_is_compared_as_one(field_type: str) -> None:
    field = FieldProperty("last_login", "Last login", field_type=field_type, is_default=True)
    assert field_kind(field) == "timestamp"
    fields = filter_fields([field])
    raw = {"field": "last_login", "op": "gte", "value": "2024-05-01T00:00:00Z"}
    node = parse_filter(raw, fields, read_instant=datetime.fromisoformat)
    assert isinstance(node, Condition)
    assert node.value == AT


def test_what_is_written_as_text_is_compared_as_text() -> None:
    fields = filter_fields([FieldProperty("code", "Code", field_type="text", is_default=True)])
    raw = {"field": "code", "op": "eq", "value": "2024-05-01T00:00:00Z"}
    node = parse_filter(raw, fields, read_instant=datetime.fromisoformat)
    assert isinstance(node, Condition)
    assert node.value == raw["value"]
