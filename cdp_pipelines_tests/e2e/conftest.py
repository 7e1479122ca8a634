import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pymongo import MongoClient

from cdp_pipelines.local.ports import free_ports
from cdp_pipelines_tests.e2e.dagster_services import daemon, webserver
from cdp_pipelines_tests.e2e.migration_site import DATABASE, Site
from cdp_pipelines_tests.integration.pipelines.harness import Exports
from cdp_pipelines_tests.support.browser import chromium

if TYPE_CHECKING:
    from playwright.sync_api import Page

SEEN_MILLISECONDS = 60_000


@pytest.fixture(scope="session")
def daemon_env(stack_env: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the daemon, its code server and its runs see: the stack, a database and a temporary folder of their own."""
    work = tmp_path_factory.mktemp("e2e-work")
    return {
        **stack_env,
        "CDP_MONGO_DB": DATABASE,
        "CDP_TEMP_DIR": str(work),
        "CDP_EXPORT_RATE_LIMIT": "1000",
    }


@pytest.fixture(scope="session")
def daemon_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("e2e-log") / "daemon.log"


# Not for the session: a daemon, a web server and their code servers take a quarter of a core from whatever comes next.
@pytest.fixture(scope="package")
def running_daemon(daemon_env: dict[str, str], daemon_log: Path) -> Iterator[Path]:
    """A daemon for all these tests; yields its log."""
    with daemon(daemon_env, daemon_log):
        yield daemon_log


@pytest.fixture(scope="package")
def dagster_ui(daemon_env: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of Dagster's UI, started for the first test that looks at it."""
    with webserver(daemon_env, tmp_path_factory.mktemp("e2e-ui") / "webserver.log", free_ports(1)[0]) as url:
        yield url


@pytest.fixture
def live(daemon_env: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Exports]:
    """A company with 120 contacts in the daemon's database; nothing here runs unless the daemon runs it."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"):
        monkeypatch.setenv(name, daemon_env[name])
    client: MongoClient[dict[str, Any]] = MongoClient(daemon_env["CDP_MONGO_URI"], tz_aware=True)
    client[DATABASE]["contacts"].drop()
    exports = Exports(daemon_env, client[DATABASE], tmp_path, contacts=120)
    yield exports
    exports.close()
    client.close()


@pytest.fixture
def page() -> Iterator["Page"]:
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 1500, "height": 1000})
        page.set_default_timeout(SEEN_MILLISECONDS)
        yield page


@pytest.fixture(scope="session")
def screenshots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pictures go: CDP_SCREENSHOTS, to look at them after a run, else a temporary folder."""
    folder = Path(os.environ.get("CDP_SCREENSHOTS") or tmp_path_factory.mktemp("screenshots"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def site(daemon_env: Mapping[str, str]) -> Iterator[Site]:
    made = Site(daemon_env)
    yield made
    made.close()
