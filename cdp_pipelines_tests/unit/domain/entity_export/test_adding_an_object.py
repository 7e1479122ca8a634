"""The description in `docs/adding-an-object.md` is one, as it stands there."""

import re
from pathlib import Path
from zoneinfo import ZoneInfo

from cdp_pipelines.domain.entity_export.entities import Entity
from cdp_pipelines.domain.entity_export.filters import filter_names
from cdp_pipelines.domain.entity_export.request import order_names
from cdp_pipelines.domain.entity_export.values import EntityRenderer, brought_names

_PAGE = Path(__file__).resolve().parents[4] / "docs" / "adding-an-object.md"


def described() -> Entity:
    blocks = re.findall(r"```python\n(.*?)```", _PAGE.read_text(encoding="utf-8"), re.DOTALL)
    names: dict[str, object] = {}
    exec(blocks[0], names)
    entity = names["REWARD"]
    assert isinstance(entity, Entity)
    return entity


def test_the_pages_example_can_be_read_filtered_and_ordered() -> None:
    reward = described()
    assert set(reward.default_fields) <= {field.name for field in reward.fields}
    assert {"points", "campaign_id", "metadata.{key}"} <= set(filter_names(reward))
    assert set(order_names(reward)) == {"id", "name", "points", "created_at", "updated_at"}
    assert brought_names(reward.fields) == {"campaign", "uses"}


def test_the_pages_example_renders() -> None:
    row = {"id": "r", "cost": {"points": 5}, "@": {"campaign": {"name": "Summer"}, "uses": {"count": 2}}}
    columns = EntityRenderer(described().fields, "CSV", ZoneInfo("UTC")).columns([row])
    assert [column[0] for column in columns] == ["r", "", "5", "Summer", "2", "", "", ""]
