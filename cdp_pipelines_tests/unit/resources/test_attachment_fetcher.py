"""The settings that say where attachments may come from."""

from io import BytesIO

import dagster as dg
import pytest

from cdp_pipelines.domain.errors import ConfigurationError
from cdp_pipelines.resources.attachment_fetcher import AttachmentFetcherResource, read_allowed_hosts, read_trusted_hosts
from cdp_pipelines.resources.safe_http import FetchBlocked, FetchTooLarge
from cdp_pipelines_tests.integration.resources.http_servers import recording_server


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CDP_ATTACHMENT_HOSTS", "CDP_ATTACHMENT_TRUSTED_HOSTS"):
        monkeypatch.delenv(name, raising=False)


def test_allowed_hosts() -> None:
    assert read_allowed_hosts("") == ()
    assert read_allowed_hosts(" Files.Example.com. ,, *.CDN.example , bücher.example,1.2.3.4,[2606:2800:0220::1]") == (
        "files.example.com",
        "*.cdn.example",
        "xn--bcher-kva.example",
        "1.2.3.4",
        "2606:2800:220::1",
    )


def test_trusted_hosts() -> None:
    assert read_trusted_hosts("") == frozenset()
    assert read_trusted_hosts("LocalHost:8080, 127.0.0.1:80,[::1]:9000") == {
        ("localhost", 8080),
        ("127.0.0.1", 80),
        ("::1", 9000),
    }


@pytest.mark.parametrize(
    "text",
    ["*", "*.", "*.com", "a.*.example", "https://a.example", "a.example:443", "a.example/x", "a b", "user@a", "127.1"],
)
def test_allowed_hosts_that_are_none(text: str) -> None:
    with pytest.raises(ConfigurationError, match="CDP_ATTACHMENT_HOSTS") as caught:
        AttachmentFetcherResource(hosts=f"good.example,{text}").open()
    assert caught.value.code == "SETTING_INVALID"


@pytest.mark.parametrize(
    "text",
    ["a.example", "a.example:", "a.example:0", "a.example:65536", "a:x", ":80", "::1:80", "[::1]", "*.a.example:80",
     "http://a:80", "user@a:80", "127.1:80"],
)  # fmt: skip
def test_trusted_hosts_that_are_none(text: str) -> None:
    with pytest.raises(ConfigurationError, match="CDP_ATTACHMENT_TRUSTED_HOSTS") as caught:
        AttachmentFetcherResource(trusted_hosts=f"a.example:80,{text}").open()
    assert caught.value.code == "SETTING_INVALID"


def test_without_any_host_the_setting_is_named() -> None:
    with pytest.raises(ConfigurationError, match="CDP_ATTACHMENT_HOSTS") as caught:
        AttachmentFetcherResource().open()
    assert caught.value.code == "SETTING_MISSING"


def test_a_trusted_host_alone_is_enough_and_all_others_are_blocked(monkeypatch: pytest.MonkeyPatch) -> None:
    with recording_server([(200, {}, b"content")]) as server:
        monkeypatch.setenv("CDP_ATTACHMENT_TRUSTED_HOSTS", server.url.removeprefix("http://"))
        fetcher = AttachmentFetcherResource(largest_bytes=7).open()
        assert fetcher.fetch(server.url, BytesIO()).size_bytes == 7
        with pytest.raises(FetchBlocked):
            fetcher.fetch("https://a.example/", BytesIO())
        fetcher.close()
        smaller = AttachmentFetcherResource(largest_bytes=6).open()
        with pytest.raises(FetchTooLarge):
            smaller.fetch(server.url, BytesIO())
        smaller.close()


def test_the_allow_list_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CDP_ATTACHMENT_HOSTS", "1.2.3.4")
    fetcher = AttachmentFetcherResource().open()
    with pytest.raises(FetchBlocked, match=r"5\.6\.7\.8 is not on the list"):
        fetcher.fetch("https://5.6.7.8/", BytesIO())
    fetcher.close()


def test_one_fetcher_a_process_until_the_run_is_over() -> None:
    resource = AttachmentFetcherResource(hosts="a.example")
    first = resource.open()
    assert resource.open() is first
    resource.teardown_after_execution(dg.build_init_resource_context())
    assert resource.open() is not first
