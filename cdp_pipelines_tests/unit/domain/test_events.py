import json

import pytest

from cdp_pipelines.domain.events import EVENT_PROPERTIES, event_line


def test_an_event_is_one_json_line() -> None:
    line = event_line("cdp_export_email_sent", request_id="r", company_sso_id="c", variant="failed")
    assert json.loads(line) == {
        "event": "cdp_export_email_sent", "request_id": "r", "company_sso_id": "c", "variant": "failed",
    }  # fmt: skip
    assert "\n" not in line


@pytest.mark.parametrize("properties", [{}, {"variant": "x", "email": "a@b.example"}, {"kind": "x"}])
def test_only_the_catalogues_properties_get_out(properties: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="takes"):
        event_line("cdp_export_email_sent", request_id="r", company_sso_id="c", **properties)


def test_unknown_events_are_refused() -> None:
    with pytest.raises(ValueError, match="unknown event"):
        event_line("made_up", request_id="r", company_sso_id="c")


def test_the_catalogue_has_the_contract_names() -> None:
    assert EVENT_PROPERTIES["cdp_export_customer_completed"] == {"rows", "seconds", "bytes"}
