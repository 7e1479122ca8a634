"""Templates: selections for an entity export that a company saves under a name and uses again (SPEC 4).

Belongs here: what a name may be, and how a template and a request become one set of parameters. Not here: whether
parameters are right (`request.py`, which judges the merged ones), keeping templates (`stores/export_templates.py`).
"""

from collections.abc import Mapping
from typing import Any, Final

from cdp_pipelines.domain.errors import PermanentFailure

TEMPLATE_INVALID: Final = "invalid_export_template"
LONGEST_NAME: Final = 100


def name_problem(name: object) -> str | None:
    """What is wrong with the name of a template or schedule, as text for people; None if nothing is."""
    if not isinstance(name, str) or not name.strip():
        return "The name must be a text."
    if len(name) > LONGEST_NAME:
        return f"The name must have at most {LONGEST_NAME} characters."
    if name != name.strip() or not name.isprintable():
        return "The name must be one line without spaces around it."
    return None


def merged(
    template: Mapping[str, Any], parameters: Mapping[str, Any] | None, *, exported_object: str | None = None
) -> dict[str, Any]:
    """The parameters of an export: the template's, and over them, key by key, what the request gives.

    A key whose value is null is not given; an empty one (`filters: {}`) is, and wins. `exported_object` is the
    request's; None where it names only the template.

    Raises:
        PermanentFailure: `invalid_export_template`, the template is for another object, or holds no parameters.
    """
    of, name = template.get("exported_object"), template.get("name")
    if exported_object is not None and of != exported_object:
        raise PermanentFailure(
            TEMPLATE_INVALID,
            f"The template is for {of}, and the export for {exported_object}. Use a template for {exported_object}.",
            details={"template": name, "template_object": of, "exported_object": exported_object},
        )
    saved = template.get("parameters")
    if not isinstance(saved, Mapping):
        raise PermanentFailure(
            TEMPLATE_INVALID, "The template holds no parameters. Save it again.", details={"template": name}
        )
    given = {key: value for key, value in (parameters or {}).items() if value is not None}
    return {**saved, **given}
