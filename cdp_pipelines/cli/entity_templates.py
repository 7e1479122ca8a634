"""`cdp export template …`: selections that a company saves under a name and uses again."""

from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

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
)
from cdp_pipelines.cli.exit_codes import OK, Refused
from cdp_pipelines.cli.options import JsonOption

if TYPE_CHECKING:
    from cdp_pipelines.cli.entity_document import AskedEntityExport

app = typer.Typer(help="Save what to export under a name, and use it again.", no_args_is_help=True)

NameArgument: TypeAlias = Annotated[str, typer.Argument(metavar="NAME", help="The template's name.")]


@app.command()
def save(
    name: NameArgument,
    company: CompanyOption,
    exported_object: Annotated[str, typer.Option("--object", help="What it exports; see: cdp export objects.")],
    user: Annotated[str, typer.Option(help="user_sso_id of who saves it.")] = "",
    fields: FieldsOption = None,
    order: OrderOption = "",
    filter_text: FilterOption = "",
    file_format: FormatOption = "",
    compression: CompressionOption = "",
    campaign_id: CampaignOption = None,
    timezone: Annotated[str, typer.Option(help="IANA id of times in the file, such as Asia/Jakarta.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Save a template; one of the same name is replaced. It is judged as a request for it would be, and refused so."""
    from cdp_pipelines.cli.entity_document import AskedEntityExport, AskedParameters
    from cdp_pipelines.cli.export_document import ENTITY_FILTER, read_filter

    parameters = AskedParameters(
        file_format=file_format,
        compression=compression,
        fields=fields or [],
        order=order,
        filters=read_filter(filter_text, example=ENTITY_FILTER),
        campaign_ids=campaign_id or [],
        timezone=timezone,
    )
    asked = AskedEntityExport(company=company, exported_object=exported_object, parameters=parameters, user=user)
    raise typer.Exit(_save(name, asked, as_json=as_json))


def _save(name: str, asked: "AskedEntityExport", *, as_json: bool) -> int:
    from cdp_pipelines.cli.entity_request import judged
    from cdp_pipelines.cli.refusals import show_refusal
    from cdp_pipelines.cli.services import entity_services
    from cdp_pipelines.domain.admission import Rejected
    from cdp_pipelines.domain.entity_export.templates import TEMPLATE_INVALID, name_problem

    problem = name_problem(name)
    if problem is not None:
        raise Refused(TEMPLATE_INVALID, problem)
    with entity_services() as services:
        document, answer = judged(services, asked)
        if isinstance(answer, Rejected):
            return show_refusal(answer, as_json=as_json)
        template = services.templates.save(
            asked.company,
            name,
            exported_object=document["exported_object"],
            parameters=document["parameters"],
            saved_by=asked.user,
            now=services.now(),
        )
    if as_json:
        output.print_json(template_facts(template))
    else:
        output.print_line(f"Saved {name!r}.")
        output.note(f"Use it with: cdp export request --company {asked.company} --template {name!r}")
    return OK


@app.command("list")
def list_templates(
    company: CompanyOption,
    exported_object: Annotated[str, typer.Option("--object", help="Only for this object.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Show a company's templates by name."""
    from rich.table import Table

    from cdp_pipelines.cli.services import entity_services

    with entity_services() as services:
        found = services.templates.list(company, exported_object=exported_object or None)
    if as_json:
        output.print_json([template_facts(template) for template in found])
        return
    if not found:
        output.note("No templates.")
        return
    table = Table("name", "object", "format", "changed", "by", box=None, pad_edge=False)
    for template in found:
        facts = template_facts(template)
        table.add_row(
            facts["name"],
            facts["exported_object"],
            facts["parameters"]["format"] or "CSV",
            output.instant_text(facts["updated_at"]),
            facts["created_by"],
        )
    output.stdout().print(table)


@app.command()
def show(name: NameArgument, company: CompanyOption, as_json: JsonOption = False) -> None:
    """Show a template; of its filters the names and operators, never a value."""
    from cdp_pipelines.cli.entity_parameters import parameter_lines
    from cdp_pipelines.cli.services import entity_services

    with entity_services() as services:
        template = services.templates.find(company, name)
    if template is None:
        raise _not_found()
    facts = template_facts(template)
    if as_json:
        output.print_json(facts)
        return
    shown = [("name", facts["name"]), ("object", facts["exported_object"]), *parameter_lines(template)]
    shown += [("created by", facts["created_by"]), ("changed", output.instant_text(facts["updated_at"]))]
    for label, value in shown:
        if value:
            output.print_line(f"{label:<16} {value}")


@app.command()
def remove(name: NameArgument, company: CompanyOption, as_json: JsonOption = False) -> None:
    """Remove a template. One that a schedule uses stays: its exports would all be refused."""
    from cdp_pipelines.cli.services import entity_services

    with entity_services() as services:
        users = [schedule["name"] for schedule in services.schedules.list(company) if schedule.get("template") == name]
        if users:
            raise Refused("TEMPLATE_IN_USE", f"Schedules use this template: {', '.join(users)}. Change them first.")
        if not services.templates.remove(company, name):
            raise _not_found()
    if as_json:
        output.print_json({"company_sso_id": company, "name": name, "removed": True})
    else:
        output.print_line(f"Removed {name!r}.")


def template_facts(template: dict[str, Any]) -> dict[str, Any]:
    """What `--json` prints of a template."""
    from cdp_pipelines.cli.entity_parameters import parameter_facts

    names = ("company_sso_id", "name", "exported_object", "created_by", "created_at", "updated_at")
    return {**{name: template.get(name) for name in names}, "parameters": parameter_facts(template)}


def _not_found() -> Refused:
    return Refused(
        "TEMPLATE_NOT_FOUND", "The company has no template of this name. See: cdp export template list --company …"
    )
