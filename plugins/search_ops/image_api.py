"""The image search behind Airflow's login: who may see plugins searches; who may start the DAG rebuilds, registers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from airflow.api_fastapi.auth.managers.base_auth_manager import COOKIE_NAME_JWT_TOKEN
from airflow.api_fastapi.auth.managers.models.resource_details import AccessView, DagAccessEntity
from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_dag, requires_access_view
from airflow.configuration import conf
from fastapi import Depends, FastAPI, Request

from include.images.api.access import Access, Caller
from include.images.api.app import create_app
from include.images.api.rebuilds import DAG, with_rights_of_the_caller
from include.images.api.serving import Serving
from search_ops.connections import settings_with_connections

EXECUTION = "/execution"


def make() -> FastAPI:
    """The application for Airflow to mount."""
    access = Access(
        search=_who(requires_access_view(AccessView.PLUGINS)),
        write=_who(requires_access_dag("POST", DagAccessEntity.RUN, DAG)),
        watch=_who(requires_access_dag("GET", DagAccessEntity.RUN, DAG)),
    )
    return create_app(Serving(settings_with_connections()), access, with_rights_of_the_caller(airflow_url()))


def airflow_url() -> str:
    """Where Airflow's API is for its own processes; never what a request says of its host: the login goes there."""
    execution = conf.get("core", "execution_api_server_url", fallback="") or ""
    found = execution.rstrip("/").removesuffix(EXECUTION) or conf.get("api", "base_url", fallback="") or ""
    return found.rstrip("/") or f"http://127.0.0.1:{conf.getint('api', 'port', fallback=8080)}"


def _who(needed: Callable[..., Any]) -> Callable[..., Any]:
    """A dependency that lets those pass whom ``needed`` lets pass, and remembers who it is."""

    def check(request: Request, user: GetUserDep, _passed: None = Depends(needed)) -> None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        given = token.strip() if scheme.lower() == "bearer" else request.cookies.get(COOKIE_NAME_JWT_TOKEN)
        request.state.caller = Caller(user.get_name(), given)

    return check
