"""Options that the commands of entity exports share. Their help stands beside that of customer exports."""

from typing import Annotated, TypeAlias

import typer

_OBJECTS = "Entity exports"

CompanyOption: TypeAlias = Annotated[str, typer.Option("--company", help="The company's company_sso_id.")]
ObjectOption: TypeAlias = Annotated[
    str,
    typer.Option(
        "--object",
        help="Export this instead of contacts: voucher, order, …; see: cdp export objects.",
        rich_help_panel=_OBJECTS,
    ),
]
TemplateOption: TypeAlias = Annotated[
    str,
    typer.Option(
        "--template", help="Take what is not said here from this template of the company.", rich_help_panel=_OBJECTS
    ),
]
OrderOption: TypeAlias = Annotated[
    str, typer.Option("--order", help="Field to sort by, as -created_at descending.", rich_help_panel=_OBJECTS)
]
CompressionOption: TypeAlias = Annotated[
    str, typer.Option("--compression", help="gzip, or none.", rich_help_panel=_OBJECTS)
]
CampaignOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--campaign-id", help="Only vouchers of this campaign; can be repeated.", rich_help_panel=_OBJECTS),
]
WebhookOption: TypeAlias = Annotated[
    str, typer.Option("--webhook", help="https:// address that is told of the end.", rich_help_panel=_OBJECTS)
]
FieldsOption: TypeAlias = Annotated[
    list[str] | None, typer.Option("--field", help="A column, in this order; can be repeated (the default ones).")
]
FormatOption: TypeAlias = Annotated[str, typer.Option("--format", help="csv, json, ndjson or xlsx (csv).")]
FilterOption: TypeAlias = Annotated[str, typer.Option("--filter", metavar="JSON|@FILE", help="Names and conditions.")]
