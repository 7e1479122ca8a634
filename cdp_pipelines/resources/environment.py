"""Settings from the environment, read when they are needed and not before.

A resource's field that is left empty is taken from its environment variable at the moment of use, through
`dagster.EnvVar`, so a secret shows neither in the UI nor in a run's config, loading the definitions needs no
environment at all, and a missing setting is named in a plain error by the work that lacks it.
"""

import dagster as dg

from cdp_pipelines.domain.errors import ConfigurationError


def required_setting(name: str, explicit: str = "") -> str:
    """The explicit value, else that of the environment variable.

    Raises:
        ConfigurationError: `SETTING_MISSING`, neither is there.
    """
    value = explicit or optional_setting(name)
    if not value:
        raise ConfigurationError(
            "SETTING_MISSING",
            f"{name} is not set. Set it in the environment of the code server (see docs/settings.md).",
        )
    return value


def optional_setting(name: str, explicit: str = "", default: str = "") -> str:
    """The explicit value, else that of the environment variable, else the default."""
    return explicit or (dg.EnvVar(name).get_value(default) or default)
