"""Is `docker/dagster.yaml` the root's `dagster.yaml` with compute logs in S3, and nothing else? For `make lint-docker`.

Not here: whether Dagster takes the settings; the daemon of the e2e tests runs with the root's file.
"""

import sys
from pathlib import Path
from typing import Any

import yaml

DOCKER = Path(__file__).parent
ONLY_IN_CONTAINERS = {"compute_logs", "run_launcher"}


def main() -> int:
    """0 if they agree, else 1 and the sections that do not on standard error."""
    root = _settings(DOCKER.parent / "dagster.yaml")
    ours = _settings(DOCKER / "dagster.yaml")
    expected = set(root) | ONLY_IN_CONTAINERS
    different = {key for key in root if ours.get(key) != root[key]} | (set(ours) ^ expected)
    if different:
        sys.stderr.write(f"docker/dagster.yaml and dagster.yaml disagree in: {', '.join(sorted(different))}\n")
    return 1 if different else 0


def _settings(path: Path) -> dict[str, Any]:
    loaded = yaml.safe_load(path.read_text(encoding="utf-8"))
    return loaded if isinstance(loaded, dict) else {}


if __name__ == "__main__":
    sys.exit(main())
