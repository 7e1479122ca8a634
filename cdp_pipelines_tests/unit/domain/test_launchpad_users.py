from typing import Any

import pytest

from cdp_pipelines.domain.errors import ConfigurationError
from cdp_pipelines.domain.launchpad_users import DEFAULT_RULES, is_deactivated, read_rules
from cdp_pipelines.resources.launchpad import LaunchpadResource

DEFAULT = read_rules(DEFAULT_RULES)


@pytest.mark.parametrize(
    "fields",
    [
        {"status": "deactivated"},
        {"status": " Deactivated "},
        {"status": "INACTIVE"},
        {"status": "suspended"},
        {"state": "disabled"},
        {"is_active": False},
        {"is_active": "false"},
        {"is_active": 0},
        {"active": 0.0},
        {"enabled": "No"},
        {"deactivated": True},
        {"is_deactivated": 1},
        {"deactivated_at": "2024-01-01T00:00:00Z"},
        {"deleted_at": 1704067200},
        {"status": "active", "suspended_at": "2024-01-01"},
    ],
)
def test_a_user_who_has_left_is_deactivated_however_the_launchpad_says_so(fields: dict[str, Any]) -> None:
    assert is_deactivated({"email": "a@example.com", "sso_id": "u-1", **fields}, DEFAULT)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"status": "active"},
        {"status": None},
        {"status": ""},
        {"status": 1},
        {"status": "invited"},
        {"status": {"deactivated": True}},
        {"status": ["deactivated"]},
        {"is_active": True},
        {"is_active": None},
        {"active": "1"},
        {"deactivated": False},
        {"deactivated": "false"},
        {"deactivated": 0},
        {"deactivated_at": None},
        {"deactivated_at": ""},
        {"deactivated_by": "somebody"},
    ],
)
def test_whoever_works_on_is_not(fields: dict[str, Any]) -> None:
    assert not is_deactivated({"email": "a@example.com", "sso_id": "u-1", **fields}, DEFAULT)


def test_fields_and_values_are_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAUNCHPAD_DEACTIVATED", "employment = Left | on leave, works=no ,gone")
    rules = LaunchpadResource().rules()

    for fields in ({"employment": "left"}, {"employment": "On leave"}, {"works": False}, {"works": 0}, {"gone": "x"}):
        assert is_deactivated(fields, rules)
    for fields in ({"employment": "here"}, {"works": True}, {"gone": 0}, {"status": "deactivated"}):
        assert not is_deactivated(fields, rules)


@pytest.mark.parametrize("text", [",", "=x", "status=", "status=|", "status=deactivated,,is_active=false"])
def test_a_setting_that_is_no_list_of_rules_is_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("LAUNCHPAD_DEACTIVATED", text)
    monkeypatch.setenv("LAUNCHPAD_API_ROOT_URL", "http://127.0.0.1:1")

    with pytest.raises(ConfigurationError, match="LAUNCHPAD_DEACTIVATED") as caught:
        LaunchpadResource().open("company-1")
    assert caught.value.code == "SETTING_INVALID"
