"""The root command's behaviour: every error becomes one sentence with its code, and an exit code."""

import sys
from collections.abc import Sequence
from typing import Any

import typer
from typer.core import TyperGroup

from cdp_pipelines.cli import output
from cdp_pipelines.cli.exit_codes import FAILED, INTERRUPTED, REFUSED, exit_code_of
from cdp_pipelines.domain.errors import CdpError

DEBUG_FLAG = "--debug"
JSON_FLAG = "--json"


class CdpGroup(TyperGroup):
    """Runs commands so that no person meets a traceback they did not ask for."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,  # noqa: FBT001 - Typer's signature
        windows_expand_args: bool = True,  # noqa: FBT001 - Typer's signature
        **extra: Any,
    ) -> Any:
        """Run one command line; always leaves through `sys.exit`, unless not in standalone mode."""
        given = list(sys.argv[1:] if args is None else args)
        try:
            code = super().main(given, prog_name or "cdp", complete_var, False, windows_expand_args, **extra)
        except (typer.Abort, KeyboardInterrupt):
            code = INTERRUPTED
        except (typer.TyperException, CdpError) as exc:
            if DEBUG_FLAG in given and isinstance(exc, CdpError):
                raise
            code = _report(exc, as_json=JSON_FLAG in given)
        except Exception as exc:
            # A person who runs a command can do nothing with a traceback; `--debug` shows it to those who can.
            if DEBUG_FLAG in given:
                raise
            code = _report(_unexpected(exc), as_json=JSON_FLAG in given)
        code = code if isinstance(code, int) else 0
        if code == INTERRUPTED:
            output.note("Interrupted.")
        if standalone_mode:
            sys.exit(code)
        return code


def _unexpected(error: Exception) -> CdpError:
    # Only the kind of error: its text may hold a document's values or an address with a password.
    return CdpError(
        "UNEXPECTED", f"cdp met an error it does not know ({type(error).__name__}). Run `cdp --debug …` to see where."
    )


def _report(error: typer.TyperException | CdpError, *, as_json: bool) -> int:
    code, message, details, exit_code = _parts(error)
    if not message:
        return exit_code
    if as_json:
        output.print_json({"error": {"code": code, "message": message, "details": details}})
    console = output.stderr()
    console.print(f"✘ {code}: {message}", style="bold red", soft_wrap=True)
    context = getattr(error, "ctx", None)
    if context is not None:
        console.print(f"See `{context.command_path} --help`.", style="dim", soft_wrap=True)
    return exit_code


def _parts(error: typer.TyperException | CdpError) -> tuple[str, str, dict[str, Any], int]:
    if isinstance(error, CdpError):
        return error.code, error.message, error.details, exit_code_of(error)
    # Typer's own errors are all about how the command was used; help shown for want of arguments has no message.
    return "USAGE", error.format_message().strip(), {}, REFUSED if error.exit_code != FAILED else error.exit_code
