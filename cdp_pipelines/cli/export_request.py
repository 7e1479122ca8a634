"""`cdp export request`: ask for an export, of contacts or, with `--object`, of something else.

Belongs here: telling the two apart, and which options each has. Not here: whether the request may run.
"""

from collections.abc import Mapping
from typing import Annotated, Final

import typer

from cdp_pipelines.cli import output
from cdp_pipelines.cli.entity_options import (
    CampaignOption,
    CompressionOption,
    ObjectOption,
    OrderOption,
    TemplateOption,
    WebhookOption,
)
from cdp_pipelines.cli.exit_codes import Refused
from cdp_pipelines.cli.export_document import ENTITY_FILTER, AskedExport, queued_document, read_filter, read_ids
from cdp_pipelines.cli.options import DEFAULT_TIMEOUT_SECONDS, JsonOption, TimeoutOption

_CONTACTS: Final = "Contact exports"


def request(
    company: Annotated[str, typer.Option(help="The company's company_sso_id.")],
    user: Annotated[str, typer.Option(help="user_sso_id of who asks; needed for contacts.")] = "",
    email: Annotated[str, typer.Option(help="Where the file or its link goes; needed for contacts.")] = "",
    file_format: Annotated[
        str, typer.Option("--format", help="Of contacts xlsx or csv (xlsx); else csv, json, ndjson or xlsx (csv).")
    ] = "",
    field: Annotated[
        list[str] | None, typer.Option(help="A column, in this order; can be repeated (all, or the object's default).")
    ] = None,
    filter_text: Annotated[
        str,
        typer.Option("--filter", metavar="JSON|@FILE", help="Condition or group; of an object, names and conditions."),
    ] = "",
    timezone: Annotated[str, typer.Option(help="IANA id, such as Asia/Jakarta.")] = "",
    locale: Annotated[str, typer.Option(help="Language of the email, such as id or en.")] = "",
    contact_id: Annotated[
        list[str] | None, typer.Option("--id", help="A contact's id; can be repeated.", rich_help_panel=_CONTACTS)
    ] = None,
    ids_file: Annotated[
        str,
        typer.Option(help="File of ids, one a line or a JSON list; - is standard input.", rich_help_panel=_CONTACTS),
    ] = "",
    mode: Annotated[
        str,
        typer.Option(help="contact_ids, first_10k_sorted or filter; not needed with ids.", rich_help_panel=_CONTACTS),
    ] = "",
    order_by: Annotated[str, typer.Option(help="Field to sort by (created_at).", rich_help_panel=_CONTACTS)] = "",
    order_direction: Annotated[str, typer.Option(help="asc or desc (desc).", rich_help_panel=_CONTACTS)] = "",
    start_date: Annotated[
        str,
        typer.Option(help="updated_at from here; a date or an RFC 3339 instant.", rich_help_panel=_CONTACTS),
    ] = "",
    end_date: Annotated[
        str,
        typer.Option(help="updated_at up to here; an instant is excluded, a date included.", rich_help_panel=_CONTACTS),
    ] = "",
    source: Annotated[
        list[str] | None, typer.Option(help="Only of this source; can be repeated.", rich_help_panel=_CONTACTS)
    ] = None,
    layout: Annotated[str, typer.Option(help="layout_id (the company's default one).", rich_help_panel=_CONTACTS)] = "",
    permission: Annotated[
        list[str] | None,
        typer.Option(help="A permission of the user (customers_customers_export).", rich_help_panel=_CONTACTS),
    ] = None,
    exported_object: ObjectOption = "",
    template: TemplateOption = "",
    order: OrderOption = "",
    campaign_id: CampaignOption = None,
    compression: CompressionOption = "",
    webhook: WebhookOption = "",
    fresh: Annotated[
        bool,
        typer.Option(
            "--fresh",
            help="Write a new file, also if an earlier one has the same rows.",
            rich_help_panel="Entity exports",
        ),
    ] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for the end, with a progress bar.")] = False,
    timeout: TimeoutOption = DEFAULT_TIMEOUT_SECONDS,
    as_json: JsonOption = False,
) -> None:
    """Put an export into the queue, after the same admission as everywhere: of contacts, or with --object of an object.

    A refused request is not queued: its code and what to mend are shown, and the command ends with 2.
    """
    of_contacts = {
        "--id": contact_id, "--ids-file": ids_file, "--mode": mode, "--order-by": order_by,
        "--order-direction": order_direction, "--start-date": start_date, "--end-date": end_date, "--source": source,
        "--layout": layout, "--permission": permission,
    }  # fmt: skip
    of_entities = {
        "--order": order, "--campaign-id": campaign_id, "--compression": compression, "--webhook": webhook,
        "--fresh": fresh,
    }  # fmt: skip
    seconds = timeout if wait else None
    if exported_object or template:
        from cdp_pipelines.cli.entity_document import AskedEntityExport, AskedParameters
        from cdp_pipelines.cli.entity_request import request_entities

        refuse_options(of_contacts, "are for exports of contacts, and --object or --template asks for another")
        parameters = AskedParameters(
            file_format=file_format,
            compression=compression,
            fields=field or [],
            order=order,
            filters=read_filter(filter_text, example=ENTITY_FILTER),
            campaign_ids=campaign_id or [],
            timezone=timezone,
            fresh=fresh,
        )
        asked_entities = AskedEntityExport(
            company=company,
            exported_object=exported_object,
            parameters=parameters,
            template=template,
            user=user,
            email=email,
            locale=locale,
            webhook=webhook,
        )
        raise typer.Exit(request_entities(asked_entities, wait_seconds=seconds, as_json=as_json))
    refuse_options(of_entities, "need an --object; an export of contacts has other options")
    _require({"--user": user, "--email": email})
    asked = AskedExport(
        company=company,
        user=user,
        email=email,
        file_format=file_format or "xlsx",
        mode=mode,
        contact_ids=[*(contact_id or []), *(read_ids(ids_file) if ids_file else [])],
        order_by=order_by,
        order_direction=order_direction,
        filter=read_filter(filter_text),
        start_date=start_date,
        end_date=end_date,
        sources=source or [],
        layout=layout,
        fields=field or [],
        timezone=timezone,
        locale=locale,
        permissions=permission or ["customers_customers_export"],
    )
    raise typer.Exit(_request_contacts(asked, wait_seconds=seconds, as_json=as_json))


def refuse_options(options: Mapping[str, object], why: str) -> None:
    """Refuse options that were given and do not belong here.

    Raises:
        Refused: `OPTIONS_DO_NOT_FIT`.
    """
    given = [name for name, value in options.items() if value]
    if given:
        raise Refused("OPTIONS_DO_NOT_FIT", f"These options {why}: {', '.join(given)}.")


def _require(options: Mapping[str, str]) -> None:
    missing = [name for name, value in options.items() if not value]
    if missing:
        raise Refused("USAGE", f"Missing option {' and '.join(missing)}: an export of contacts needs it.")


def _request_contacts(asked: AskedExport, *, wait_seconds: float | None, as_json: bool) -> int:
    from cdp_pipelines.cli.contact_exports import ContactKind
    from cdp_pipelines.cli.export_status import show_end, show_queued
    from cdp_pipelines.cli.refusals import show_refusal
    from cdp_pipelines.cli.services import export_services
    from cdp_pipelines.domain.admission import Rejected
    from cdp_pipelines.pipelines.contact_export.intake import judge
    from cdp_pipelines.stores.migrations.runner import Migrator

    with export_services() as services:
        Migrator(services.database).require_current()
        now = services.now()
        document = queued_document(asked, now=now)
        answer = judge(services, document, now=now)
        if isinstance(answer, Rejected):
            return show_refusal(answer, as_json=as_json)
        services.jobs.insert(document)
        if wait_seconds is not None:
            output.note(f"Queued as {document['job_id']}.")
            return show_end(ContactKind(services), document["job_id"], wait_seconds, as_json=as_json)
    return show_queued(document["job_id"], document["status"], answer.warnings, as_json=as_json)
