"""`cdp export objects`: what can be exported, and of one object its fields, orders, filters and operators."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cdp_pipelines.cli import output
from cdp_pipelines.cli.exit_codes import Refused
from cdp_pipelines.cli.options import JsonOption

if TYPE_CHECKING:
    from rich.table import Table

    from cdp_pipelines.domain.entity_export.entities import Entity


def objects(
    name: Annotated[str, typer.Argument(metavar="[NAME]", help="Show this object in detail.")] = "",
    as_json: JsonOption = False,
) -> None:
    """List what can be exported; with a name, that object's fields, orders, filters and operators."""
    from cdp_pipelines.domain.entity_export.catalogue import ENTITIES

    if not name:
        if as_json:
            output.print_json([object_summary(entity) for entity in ENTITIES.values()])
        else:
            output.stdout().print(objects_table(list(ENTITIES.values())))
        return
    entity = ENTITIES.get(name.strip().lower())
    if entity is None:
        raise Refused(
            "invalid_export_object",
            f"There is no object {name!r} to export. There are: {', '.join(ENTITIES)}.",
            details={"allowed_objects": list(ENTITIES)},
        )
    if as_json:
        output.print_json(object_facts(entity))
        return
    output.stdout().print(fields_table(entity))
    for line in object_lines(entity):
        output.print_line(line)


def object_summary(entity: "Entity") -> dict[str, Any]:
    """`{name, plural, field_count, default_fields}`."""
    return {
        "name": entity.name,
        "plural": entity.plural,
        "field_count": len(entity.fields),
        "default_fields": list(entity.default_fields),
    }


def object_facts(entity: "Entity") -> dict[str, Any]:
    """Everything a request for this object may name.

    `{name, plural, fields: [{name, kind, default}], metadata_fields, order, filters: [{name, kind}], operators,
    campaign_ids}`; a `{key}` in a name stands for any key.
    """
    from cdp_pipelines.domain.entity_export.filter_values import OPERATORS
    from cdp_pipelines.domain.entity_export.filters import filter_names
    from cdp_pipelines.domain.entity_export.request import order_names

    kinds = {field.name: field.kind for field in entity.fields} | {each.name: each.kind for each in entity.filters}
    return {
        "name": entity.name,
        "plural": entity.plural,
        "fields": [
            {"name": field.name, "kind": field.kind, "default": field.name in entity.default_fields}
            for field in entity.fields
        ],
        "metadata_fields": entity.has_metadata,
        "order": list(order_names(entity)),
        "filters": [{"name": name, "kind": kinds.get(name, "any")} for name in filter_names(entity)],
        "operators": list(OPERATORS),
        "campaign_ids": entity.campaign_filter,
    }


def objects_table(entities: "list[Entity]") -> "Table":
    """Objects in rows."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for name in ("object", "fields", "by default"):
        table.add_column(name, overflow="fold", justify="right" if name == "fields" else "left")
    for entity in entities:
        table.add_row(entity.name, str(len(entity.fields)), ", ".join(entity.default_fields))
    return table


def fields_table(entity: "Entity") -> "Table":
    """Fields in rows; metadata's own keys are one."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for name in ("field", "kind", "default", "order", "filter"):
        table.add_column(name, overflow="fold")
    facts = object_facts(entity)
    filters = {each["name"] for each in facts["filters"]}
    for field in facts["fields"]:
        name = field["name"]
        marks = [field["default"], name in facts["order"], name in filters]
        table.add_row(name, field["kind"], *("yes" if mark else "" for mark in marks))
    if facts["metadata_fields"]:
        table.add_row("metadata.{key}", "any", "", "", "yes" if "metadata.{key}" in filters else "")
    return table


def object_lines(entity: "Entity") -> list[str]:
    """What may be named beyond the fields, as lines of `name  value`."""
    facts = object_facts(entity)
    fields = {field["name"] for field in facts["fields"]} | {"metadata.{key}"}
    shown = [
        ("more orders", ", ".join(name for name in facts["order"] if name not in fields)),
        ("more filters", ", ".join(each["name"] for each in facts["filters"] if each["name"] not in fields)),
        ("operators", " ".join(facts["operators"])),
        ("campaigns", "--campaign-id" if facts["campaign_ids"] else ""),
    ]
    return ["", *(f"{name:<16} {value}" for name, value in shown if value)]
