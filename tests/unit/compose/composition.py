"""``docker-compose.yaml`` read as an engine reads it, without one."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from include.settings import PROJECT_ROOT, Settings

COMPOSE = PROJECT_ROOT / "docker-compose.yaml"
CODE = Path("/opt/airflow")  # the project's root in the containers
VARIABLE = re.compile(r"\$(?:\$|\{(?P<name>[A-Z0-9_]+)(?:(?P<how>:-|:\?)(?P<word>[^}]*))?\}|(?P<wrong>.?))")
SECRET = re.compile(r"PASSWORD|SECRET|API_KEY|FERNET_KEY|TOKEN")


def interpolated(value: Any, variables: Mapping[str, str]) -> Any:
    """``value`` with its variables put in by the rules of the Compose Specification."""
    if isinstance(value, dict):
        return {key: interpolated(inner, variables) for key, inner in value.items()}
    if isinstance(value, list):
        return [interpolated(inner, variables) for inner in value]
    return VARIABLE.sub(lambda match: put_in(match, variables), value) if isinstance(value, str) else value


def put_in(match: re.Match[str], variables: Mapping[str, str]) -> str:
    if match["name"] is None:
        assert match["wrong"] is None, f"write $$ or ${{NAME}}: {match.string!r}"
        return "$"
    given = variables.get(match["name"], "")
    assert given or match["how"] == ":-", f"{match['name']} is not set: {match['word']}"
    return given or match["word"]


def dotenv(path: Path) -> dict[str, str]:
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def locked(name: str) -> dict[str, str]:
    """Package → version of a lock in ``requirements/``, or of ``requirements.txt``."""
    text = (PROJECT_ROOT / name).read_text(encoding="utf-8")
    return dict(re.findall(r"^([a-z0-9][\w.-]*)==([^\s;\\]+)", text, re.MULTILINE | re.IGNORECASE))


def new_env(target: Path) -> subprocess.CompletedProcess[str]:
    script = PROJECT_ROOT / "docker" / "new_env.py"
    return subprocess.run([sys.executable, str(script), str(target)], capture_output=True, text=True, check=False)


def one_shots(services: Mapping[str, dict[str, Any]]) -> set[str]:
    """Services that others wait for to end."""
    waits = [wait for service in services.values() for wait in service.get("depends_on", {}).items()]
    return {name for name, wait in waits if wait["condition"] == "service_completed_successfully"}


def long_running(services: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {name: service for name, service in services.items() if name not in one_shots(services)}


def environments(services: Mapping[str, dict[str, Any]]) -> Iterator[tuple[str, str, str]]:
    for name, service in services.items():
        for key, value in service.get("environment", {}).items():
            yield name, key, str(value)


def embsearch(service: Mapping[str, Any]) -> dict[str, str]:
    """The project's settings in a service's environment, by the fields' names."""
    prefix = "EMBSEARCH_"
    return {key.removeprefix(prefix).lower(): v for key, v in service["environment"].items() if key.startswith(prefix)}


def runs_our_code(services: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Services that stay up and have this project's library mounted."""
    found = {name for name, source, _, _ in volumes(services) if source == "./include"}
    return {name: service for name, service in long_running(services).items() if name in found}


def settings_of(service: Mapping[str, Any]) -> Settings:
    """The settings that the service's process has; call it with ``bare_settings``."""
    return Settings(**embsearch(service))  # type: ignore[arg-type]


def mounted(service: Mapping[str, Any]) -> dict[Path, tuple[str, str]]:
    """Folder in the container → what is mounted there, and whether it may be written."""
    return {Path(target): (source, mode) for _, source, target, mode in volumes({"": dict(service)})}


def inside(path: Path | str) -> Path:
    """Where a path of this project is in the containers."""
    return CODE / (PROJECT_ROOT / path).relative_to(PROJECT_ROOT)


def volumes(services: Mapping[str, dict[str, Any]]) -> Iterator[tuple[str, str, str, str]]:
    """(service, source, target, mode) of every mount."""
    for name, service in services.items():
        for mount in service.get("volumes", []):
            source, target, mode = (*mount.split(":"), "rw")[:3]
            yield name, source, target, mode
