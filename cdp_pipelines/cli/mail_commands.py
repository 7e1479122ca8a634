"""`cdp mail …`: what the local mail server received. It delivers nothing, so every mail of the demo is here."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cdp_pipelines.cli import output
from cdp_pipelines.cli.options import DEFAULT_ROOT, JsonOption, RootOption

if TYPE_CHECKING:
    from cdp_pipelines.cli.mail_view import NumberedMail

app = typer.Typer(help="Read the mails that the local mail server received, newest first.")

ToOption = Annotated[str, typer.Option("--to", help="Only mails to this address.")]
NumberArgument = Annotated[int, typer.Argument(metavar="N", help="The mail's number in the list; 1 is the newest.")]


@app.callback(invoke_without_command=True)
def mail(
    context: typer.Context, to: ToOption = "", root: RootOption = DEFAULT_ROOT, as_json: JsonOption = False
) -> None:
    """Read the mails that the local mail server received, newest first."""
    if context.invoked_subcommand is None:
        list_mails(to=to, root=root, as_json=as_json)


@app.command("list")
def list_mails(to: ToOption = "", root: RootOption = DEFAULT_ROOT, as_json: JsonOption = False) -> None:
    """List them: number, recipient, variant, subject, attachments."""
    from cdp_pipelines.cli.mail_view import mails_table

    found = _mails(root, to)
    if as_json:
        output.print_json([entry.facts() for entry in found])
    elif found:
        output.stdout().print(mails_table(found))
    else:
        output.note("No mails. They come when an export ends: cdp demo, or cdp export request … --wait")


@app.command()
def show(
    number: NumberArgument, to: ToOption = "", root: RootOption = DEFAULT_ROOT, as_json: JsonOption = False
) -> None:
    """Show one: its headers and text part."""
    from cdp_pipelines.cli.mail_view import pick

    found = pick(_mails(root, to), number)
    if as_json:
        output.print_json({**found.facts(), "text": found.mail.text(), "html": found.mail.html()})
        return
    facts = found.facts()
    attachments = ", ".join(f"{part['name']} ({output.size_text(part['size_bytes'])})" for part in facts["attachments"])
    for name, value in (
        ("To", ", ".join(facts["to"])),
        ("Subject", found.mail.subject),
        ("Received", output.instant_text(found.mail.received_at)),
        ("Variant", found.variant),
        ("Export", found.request_id),
        ("Attached", attachments),
    ):
        if value:
            output.print_line(f"{name + ':':<10} {value}")
    output.print_line("")
    output.print_line(found.mail.text().rstrip())


@app.command()
def save(
    number: NumberArgument,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where to; made if it is not there.")],
    to: ToOption = "",
    root: RootOption = DEFAULT_ROOT,
    as_json: JsonOption = False,
) -> None:
    """Save one: mail.eml, text.txt, page.html and the attachments."""
    from cdp_pipelines.cli.mail_view import pick
    from cdp_pipelines.cli.mail_view import save as save_mail

    paths = save_mail(pick(_mails(root, to), number), folder)
    if as_json:
        output.print_json([str(path) for path in paths])
    else:
        for path in paths:
            output.print_line(str(path))


def _mails(root: Path, to: str) -> list["NumberedMail"]:
    from cdp_pipelines.cli.mail_view import numbered
    from cdp_pipelines.local.mailbox_reader import read_mailbox
    from cdp_pipelines.local.stack import LocalStack

    return numbered(read_mailbox(Path(LocalStack(root).env()["CDP_MAILDIR"]), to=to or None))
