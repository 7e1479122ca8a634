"""How `cdp` ends: the exit codes that scripts can rely on, and the error that stands for "not like this"."""

from typing import Final

from cdp_pipelines.domain.errors import CdpError

OK: Final = 0
FAILED: Final = 1
"""The work failed, or something that is needed is broken."""
REFUSED: Final = 2
"""The request was refused (admission), or the command was used wrongly; nothing was changed."""
INTERRUPTED: Final = 130

HELP: Final = (
    "Exit codes: 0 done, 1 failed or something is broken, 2 refused or used wrongly, 130 interrupted. "
    "With --json, standard output is JSON alone; an error is {error: {code, message, details}}."
)


class Refused(CdpError):
    """The command cannot do what was asked, as it was asked: an unknown job, a file that would be overwritten."""


def exit_code_of(error: CdpError) -> int:
    """The exit code for an expected error."""
    return REFUSED if isinstance(error, Refused) else FAILED
