"""`cdp export webhook-secret`: what a company's receiver verifies the signatures of webhooks with."""

from typing import Annotated

import typer

from cdp_pipelines.cli import output
from cdp_pipelines.cli.exit_codes import Refused
from cdp_pipelines.cli.options import JsonOption


def webhook_secret(
    company: Annotated[str, typer.Option(help="The company's company_sso_id.")],
    as_json: JsonOption = False,
) -> None:
    """Print the secret with which a company verifies our webhooks. Give it to that company alone."""
    from cdp_pipelines.cli.services import entity_services

    with entity_services() as services:
        if services.companies.find(company) is None:
            raise Refused("company_not_found", "There is no company with this company_sso_id.")
        secret = services.webhooks().secret_of(company)
    output.note(
        f"A secret: whoever has it can forge webhooks to {company}. Give it only to those at {company} who run the "
        "receiver, over a safe channel. No other company has the same; CDP_WEBHOOK_SIGNING_KEY itself goes to nobody."
    )
    if as_json:
        output.print_json({"company_sso_id": company, "secret": secret})
    else:
        output.print_line(secret)
