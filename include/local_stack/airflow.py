"""Airflow on one machine: API server, scheduler, DAG processor and triggerer, over SQLite with LocalExecutor.

They are what ``airflow standalone`` starts, as services of their own: each has its log, is started again when it ends,
and none serves its logs to the network, which ``standalone`` offers no way to turn off. Everything is configured by
the environment.
"""

from __future__ import annotations

import base64
import json
import logging
import secrets
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path

from include.errors import SetupError
from include.local_stack import probe
from include.local_stack.process import last_lines, write_private
from include.local_stack.service import Service
from include.settings import PROJECT_ROOT

logger = logging.getLogger(__name__)

ADDRESS = "127.0.0.1"
USER = "admin"
PARALLELISM = 4
MIGRATION_SECONDS = 600.0

# name of the service → (arguments of `airflow`, its name in the health report)
COMPONENTS = {
    "airflow-api-server": (("api-server",), "metadatabase"),
    "airflow-scheduler": (("scheduler", "--skip-serve-logs"), "scheduler"),
    "airflow-dag-processor": (("dag-processor",), "dag_processor"),
    "airflow-triggerer": (("triggerer", "--skip-serve-logs"), "triggerer"),
}


@dataclass(frozen=True)
class Airflow:
    """One installation: its folder (database, secrets, logs of tasks), its port and the environment it runs in."""

    home: Path
    port: int
    interpreter: Path  # of environment "airflow"
    log_folder: Path
    task_environment: Mapping[str, str]  # what tasks find in their environment: EMBSEARCH_… of this stack
    dags_folder: Path = PROJECT_ROOT / "dags"

    @property
    def url(self) -> str:
        """Of the page and of the API."""
        return f"http://localhost:{self.port}"

    @property
    def password(self) -> str:
        """Of user ``admin``; made at random by :func:`prepare`.

        Raises:
            SetupError: it was not made yet.
        """
        return _read_secrets(self.password_file)[USER]

    @property
    def password_file(self) -> Path:
        """Readable by this user alone."""
        return self.home / "passwords.json"

    def environment(self) -> dict[str, str]:
        """Airflow's whole configuration."""
        secret = _read_secrets(self.home / "secrets.json")
        return {
            **self.task_environment,
            "AIRFLOW_HOME": str(self.home),
            "PATH": f"{self.interpreter.parent}:/usr/local/bin:/usr/bin:/bin",
            "PYTHONPATH": str(PROJECT_ROOT),
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.dags_folder),
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(PROJECT_ROOT / "plugins"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            # Chained DAGs must be on, or nothing follows a trigger. A DAG that runs by the clock says
            # is_paused_upon_creation=True, so that nothing happens before its owner wants it.
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__PARALLELISM": str(PARALLELISM),
            "AIRFLOW__CORE__AUTH_MANAGER": (
                "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager"
            ),
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(self.password_file),
            "AIRFLOW__CORE__FERNET_KEY": secret["fernet_key"],
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://{ADDRESS}:{self.port}/execution/",
            # Several processes write: one waits for another as long as a slow disk takes, not five seconds.
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{self.home / 'airflow.db'}?timeout=60",
            "AIRFLOW__API__HOST": ADDRESS,
            "AIRFLOW__API__PORT": str(self.port),
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__API__SECRET_KEY": secret["api_secret_key"],
            "AIRFLOW__API_AUTH__JWT_SECRET": secret["jwt_secret"],
            "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "30",  # a new DAG file shows after half a minute, not five
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "60",  # a killed task is tried again after one
            "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",  # short tasks free their slot at once
            "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
            "NO_PROXY": f"{ADDRESS},localhost",
            "no_proxy": f"{ADDRESS},localhost",
        }


def prepare(airflow: Airflow) -> None:
    """Make secrets, password and database where they are missing; bring the database to this version.

    Raises:
        SetupError: the database cannot be migrated; the message ends with the last lines of the log.
    """
    airflow.home.mkdir(parents=True, exist_ok=True)
    _make_once(airflow.password_file, {USER: secrets.token_urlsafe(12)})
    _make_once(
        airflow.home / "secrets.json",
        {
            "fernet_key": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            "api_secret_key": secrets.token_hex(64),
            "jwt_secret": secrets.token_hex(64),
        },
    )
    stamp = airflow.home / "database_version"
    if (airflow.home / "airflow.db").exists() and stamp.exists() and stamp.read_text() == version("apache-airflow"):
        return
    _migrate(airflow)
    stamp.write_text(version("apache-airflow"))


def _read_secrets(file: Path) -> dict[str, str]:
    try:
        found: dict[str, str] = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise SetupError(f"{file} is missing: the stack was never started here. `make up` makes it.") from error
    return found


def _make_once(file: Path, content: dict[str, str]) -> None:
    if not file.exists():
        write_private(file, json.dumps(content))


def _migrate(airflow: Airflow) -> None:
    logger.info("Preparing Airflow's database (about 15 s)")
    log = airflow.log_folder / "airflow-migrate.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    with log.open("ab") as output:
        done = subprocess.run(
            [airflow.interpreter.with_name("airflow"), "db", "migrate"],
            env=airflow.environment(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            timeout=MIGRATION_SECONDS,
            check=False,
        )
    if done.returncode != 0:
        raise SetupError(f"`airflow db migrate` failed with status {done.returncode}. {last_lines(log)}")
    logger.info("  database ready after %.0f s", time.monotonic() - began)


def services(airflow: Airflow) -> list[Service]:
    """The four services; the API server first, since the others call it. Call :func:`prepare` before."""
    environment = airflow.environment()
    return [
        Service(
            name=name,
            command=(str(airflow.interpreter.with_name("airflow")), *arguments),
            ready=partial(_healthy, airflow.port, component),
            ports=(airflow.port,) if component == "metadatabase" else (),
            log=airflow.log_folder / f"{name}.log",
            env=environment,
            folder=airflow.home,
            start_seconds=240.0,
            stop_seconds=15.0,
            url=airflow.url if component == "metadatabase" else "",
        )
        for name, (arguments, component) in COMPONENTS.items()
    ]


def _healthy(port: int, component: str) -> bool:
    report = probe.json_at(f"http://{ADDRESS}:{port}/api/v2/monitor/health")
    return isinstance(report, dict) and (report.get(component) or {}).get("status") == "healthy"
