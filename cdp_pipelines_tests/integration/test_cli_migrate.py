"""`cdp migrate` against real servers: what it queues is what the sensor takes, and what it shows is what runs left."""

import json
from collections.abc import Callable
from threading import Thread
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cdp_pipelines.cli.main import app
from cdp_pipelines_tests.integration.pipelines.migration_harness import Migrations
from cdp_pipelines_tests.support.waiting import wait_for

pytest_plugins = ("cdp_pipelines_tests.integration.pipelines.conftest",)
