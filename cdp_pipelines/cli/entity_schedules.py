"""`cdp export schedule …`: exports that come again and again."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from cdp_pipelines.cli import output
from cdp_pipelines.cli.entity_options import (
    CampaignOption,
    CompanyOption,
    CompressionOption,
    FieldsOption,
    FilterOption,
    FormatOption,
    OrderOption,
    TemplateOption,
    WebhookOption,
)
from cdp_pipelines.cli.exit_codes import OK, Refused
from cdp_pipelines.cli.options import JsonOption

if TYPE_CHECKING:
    from cdp_pipelines.cli.entity_document import AskedEntityExport, Document
    from cdp_pipelines.pipelines.entity_export.services import EntityServices

app = typer.Typer(help="Exports that come again and again.", no_args_is_help=True)

NameArgument: TypeAlias = Annotated[str, typer.Argument(metavar="NAME", help="The schedule's name.")]


@app.command()
def add(
    name: NameArgument,
    company: CompanyOption,
    cron: Annotated[str, typer.Option(help="When: five fields, once an hour at most, such as '30 2 * * MON'.")],
    timezone: Annotated[str, typer.Option(help="IANA id of the clock that this goes by, such as Asia/Jakarta.")],
    exported_object: Annotated[str, typer.Option("--object", help="What to export; see: cdp export objects.")] = "",
    template: TemplateOption = "",
    fields: FieldsOption = None,
    order: OrderOption = "",
    filter_text: FilterOption = "",
    file_format: FormatOption = "",
    compression: CompressionOption = "",
    campaign_id: CampaignOption = None,
    file_timezone: Annotated[
        str, typer.Option(help="IANA id of times in the file (the template's; without one the clock's).")
    ] = "",
    user: Annotated[str, typer.Option(help="user_sso_id of whose exports they are.")] = "",
    email: Annotated[str, typer.Option(help="Where each link goes.")] = "",
    locale: Annotated[str, typer.Option(help="Language of the email, such as id or en.")] = "",
    webhook: WebhookOption = "",
    paused: Annotated[bool, typer.Option("--paused", help="Do not run it until it is resumed.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Add a schedule; one of the same name is replaced. It is judged as its requests will be, and refused so."""
    from cdp_pipelines.cli.entity_document import AskedEntityExport, AskedParameters
    from cdp_pipelines.cli.export_document import ENTITY_FILTER, read_filter

    parameters = AskedParameters(
        file_format=file_format,
        compression=compression,
        fields=fields or [],
        order=order,
        filters=read_filter(filter_text, example=ENTITY_FILTER),
        campaign_ids=campaign_id or [],
        timezone=file_timezone or ("" if template else timezone),
    )
    asked = AskedEntityExport(
        company=company,
        exported_object=exported_object,
        parameters=parameters,
        template=template,
        user=user,
        email=email,
        locale=locale,
        webhook=webhook,
    )
    raise typer.Exit(_add(name, asked, cron=cron, timezone=timezone, enabled=not paused, as_json=as_json))


def _add(name: str, asked: "AskedEntityExport", *, cron: str, timezone: str, enabled: bool, as_json: bool) -> int:
    from cdp_pipelines.cli.entity_request import judged
    from cdp_pipelines.cli.refusals import show_refusal
    from cdp_pipelines.cli.schedule_view import next_run_text, schedule_facts
    from cdp_pipelines.cli.services import entity_services
    from cdp_pipelines.domain.admission import Rejected
    from cdp_pipelines.domain.entity_export.schedules import ScheduleDraft, read_cadence

    with _refusing(), entity_services() as services:
        # First, because the zone may become one of the request's parameters, and the better message is here.
        read_cadence(cron, timezone)
        document, answer = judged(services, asked)
        if isinstance(answer, Rejected):
            return show_refusal(answer, as_json=as_json)
        draft = ScheduleDraft(
            name=name,
            exported_object=document["exported_object"],
            parameters=document["parameters"],
            cron=cron,
            timezone=timezone,
            user_sso_id=asked.user,
            template=asked.template or None,
            email=asked.email or None,
            locale=asked.locale or None,
            webhook=document.get("webhook"),
            enabled=enabled,
        )
        schedule = services.schedules.save(asked.company, draft, now=services.now())
    if as_json:
        output.print_json(schedule_facts(schedule, None))
    else:
        output.print_line(f"Added {name!r}. Next run: {next_run_text(schedule)}.")
    return OK


@app.command("list")
def list_schedules(company: CompanyOption, as_json: JsonOption = False) -> None:
    """Show a company's schedules: the next run in the schedule's zone, and how the last export ended."""
    from cdp_pipelines.cli.schedule_view import schedule_facts, schedules_table
    from cdp_pipelines.cli.services import entity_services

    with entity_services() as services:
        found = services.schedules.list(company)
        statuses = _last_statuses(services, company, found)
    if as_json:
        output.print_json([schedule_facts(each, statuses.get(each.get("last_export_id"))) for each in found])
    elif found:
        output.stdout().print(schedules_table(found, statuses))
    else:
        output.note("No schedules.")


@app.command()
def show(name: NameArgument, company: CompanyOption, as_json: JsonOption = False) -> None:
    """Show a schedule; of its filters the names and operators, of its webhook the host."""
    from cdp_pipelines.cli.schedule_view import schedule_facts, schedule_lines
    from cdp_pipelines.cli.services import entity_services

    with entity_services() as services:
        schedule = services.schedules.find(company, name)
        if schedule is None:
            raise _not_found()
        status = _last_statuses(services, company, [schedule]).get(schedule.get("last_export_id"))
    if as_json:
        output.print_json(schedule_facts(schedule, status))
        return
    for line in schedule_lines(schedule, status):
        output.print_line(line)


@app.command()
def pause(name: NameArgument, company: CompanyOption, as_json: JsonOption = False) -> None:
    """Have a schedule make no exports until it is resumed. Exports that it made go on."""
    _switch(name, company, enabled=False, as_json=as_json)


@app.command()
def resume(name: NameArgument, company: CompanyOption, as_json: JsonOption = False) -> None:
    """Have a schedule run again, at its next time after now: what it missed while paused does not come."""
    _switch(name, company, enabled=True, as_json=as_json)


def _switch(name: str, company: str, *, enabled: bool, as_json: bool) -> None:
    from cdp_pipelines.cli.schedule_view import next_run_text, schedule_facts
    from cdp_pipelines.cli.services import entity_services

    with _refusing(), entity_services() as services:
        switched = services.schedules.set_enabled(company, name, enabled=enabled, now=services.now())
        schedule = services.schedules.find(company, name) if switched else None
        if schedule is None:
            raise _not_found()
        status = _last_statuses(services, company, [schedule]).get(schedule.get("last_export_id"))
    if as_json:
        output.print_json(schedule_facts(schedule, status))
    else:
        output.print_line(f"{name!r} runs next: {next_run_text(schedule)}." if enabled else f"Paused {name!r}.")


@app.command()
def remove(name: NameArgument, company: CompanyOption, as_json: JsonOption = False) -> None:
    """Remove a schedule. Exports that it made go on."""
    from cdp_pipelines.cli.services import entity_services

    with entity_services() as services:
        if not services.schedules.remove(company, name):
            raise _not_found()
    if as_json:
        output.print_json({"company_sso_id": company, "name": name, "removed": True})
    else:
        output.print_line(f"Removed {name!r}.")


@contextmanager
def _refusing() -> Iterator[None]:
    """A cron expression, zone or name that is none was a wrong use of the command; other failures are none of it."""
    from cdp_pipelines.domain.entity_export.schedules import SCHEDULE_INVALID, TOO_FREQUENT
    from cdp_pipelines.domain.errors import PermanentFailure

    try:
        yield
    except PermanentFailure as exc:
        if exc.code not in (SCHEDULE_INVALID, TOO_FREQUENT):
            raise
        raise Refused(exc.code, exc.message, details=exc.details) from exc


def _last_statuses(services: "EntityServices", company: str, schedules: "list[Document]") -> dict[object, str]:
    """How the last export of each schedule stands, by the export's id; those long gone are not there."""
    ids = [schedule["last_export_id"] for schedule in schedules if schedule.get("last_export_id")]
    if not ids:
        return {}
    found = services.jobs.statuses(ids)
    return {each["id"]: str(each.get("status")) for each in found if each.get("company_sso_id") == company}


def _not_found() -> Refused:
    return Refused(
        "SCHEDULE_NOT_FOUND", "The company has no schedule of this name. See: cdp export schedule list --company …"
    )
