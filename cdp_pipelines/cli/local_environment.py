"""Uses the settings of the local servers when the shell has none, so that `cdp local up` is all the set-up needed.

What the environment says wins. Settings are taken over by system, never mixed within one: an own bucket is not asked
with the local store's keys.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from cdp_pipelines.cli import output
from cdp_pipelines.cli.options import DEFAULT_ROOT

ANCHOR: Final = "CDP_MONGO_URI"
"""A shell that names its own database works on that system, and takes nothing from a local one."""
_SYSTEMS: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    ("CDP_S3_BUCKET", ("CDP_S3_", "AWS_", "CDP_FILES_")),
    ("CDP_SMTP_HOST", ("CDP_SMTP_", "CDP_EMAIL_FROM")),
    ("NOTIFICATION_API_ROOT_URL", ("NOTIFICATION_API_",)),
    ("EXPORT_HISTORY_API_ROOT_URL", ("EXPORT_HISTORY_API_",)),
    ("LAUNCHPAD_API_ROOT_URL", ("LAUNCHPAD_API_",)),
    ("CRM_API_ROOT_URL", ("CRM_API_",)),
    ("CDP_ATTACHMENT_HOSTS", ("CDP_ATTACHMENT_",)),
    ("CDP_WEBHOOK_SIGNING_KEY", ("CDP_WEBHOOK_",)),
)
SETTING_PREFIXES: Final = (
    "CDP_",
    "CRM_",
    "AWS_",
    "DAGSTER_HOME",
    "DAGSTER_PG_",
    "NOTIFICATION_API_",
    "EXPORT_HISTORY_API_",
    "LAUNCHPAD_API_",
)
_KEPT: Final = ("CDP_MONGOD", "CDP_LOCAL_ROOT", "CDP_TEMP_DIR")


def local_root() -> Path:
    """The folder of the local servers: `CDP_LOCAL_ROOT`, else `.local` here."""
    return Path(os.environ.get("CDP_LOCAL_ROOT") or DEFAULT_ROOT)


def adopt_local_environment(root: Path | None = None) -> bool:
    """Take over the settings of running local servers if this shell names no database; True when it did."""
    root = root or local_root()
    if os.environ.get(ANCHOR) or not root.is_dir():
        return False
    from cdp_pipelines.local.stack import LocalStack

    stack = LocalStack(root)
    if any(server.condition != "running" for server in stack.status()):
        output.note(f"{ANCHOR} is not set, and the local servers of {root} do not all run. Start them: cdp local up")
        return False
    added = missing_settings(os.environ, stack.env())
    os.environ.update(added)
    output.note(f"Using the local servers of {root} ({ANCHOR} is not set).")
    return True


def missing_settings(present: Mapping[str, str], local: Mapping[str, str]) -> dict[str, str]:
    """The local settings to add to those present, leaving out every system that is set up already."""
    taken = tuple(prefix for anchor, prefixes in _SYSTEMS if present.get(anchor) for prefix in prefixes)
    added = {name: value for name, value in local.items() if not present.get(name) and not name.startswith(taken)}
    if any(name == "CDP_S3_BUCKET" for name in added):
        # The local store's keys must come with it, whatever other account this shell is logged in to.
        added |= {name: value for name, value in local.items() if name.startswith("AWS_")}
    return added


def only_local(local: Mapping[str, str]) -> None:
    """Replace every setting of this process by the local ones, so that nothing outside can be reached by mistake."""
    for name in [name for name in os.environ if name.startswith(SETTING_PREFIXES) and name not in _KEPT]:
        del os.environ[name]
    os.environ.update(local)
