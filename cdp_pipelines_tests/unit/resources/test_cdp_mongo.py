from datetime import UTC, datetime

import bson
import pytest
from bson import DatetimeMS

from cdp_pipelines.domain.errors import ConfigurationError
from cdp_pipelines.resources.cdp_mongo import CdpMongoResource, connect


def test_dates_are_utc_and_one_beyond_the_calendar_does_not_fail_the_read() -> None:
    with connect("mongodb://127.0.0.1:1/") as client:
        options = client.codec_options
    stored = bson.encode({"now": datetime(2024, 5, 1, tzinfo=UTC), "beyond": DatetimeMS(2**52)})
    read = bson.decode(stored, options)
    assert read == {"now": datetime(2024, 5, 1, tzinfo=UTC), "beyond": DatetimeMS(2**52)}


@pytest.mark.parametrize("uri", ["http://user:secret@host/", "mongodb://user:secret@host:port/"])
def test_a_wrong_uri_is_named_without_its_password(uri: str) -> None:
    with pytest.raises(ConfigurationError, match="CDP_MONGO_URI") as raised:
        connect(uri)
    assert "secret" not in str(raised.value)


def test_a_missing_setting_is_named_when_it_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CDP_MONGO_URI", raising=False)
    resource = CdpMongoResource()
    with pytest.raises(ConfigurationError, match="CDP_MONGO_URI is not set"):
        resource.database()
