"""The image search inside Airflow: behind its login, with its rights, and with rebuilds that are its runs."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx
import jwt
import pytest

from include.images.api.access import Caller
from include.images.api.rebuilds import DAG, RebuildOf, UnknownRun, by_settings, with_rights_of_the_caller
from include.local_stack import stack
from tests.integration.running_stack import RunningStack

PREFIX = "/image-search"
READS = ["/docs", "/openapi.json", "/health", "/index/rebuild/some_run"]


@pytest.fixture(scope="module")
def airflow(running_stack: RunningStack) -> Iterator[httpx.Client]:
    """A caller without a login."""
    with httpx.Client(base_url=stack.local_airflow(running_stack.settings).url, timeout=120, trust_env=False) as client:
        yield client


@pytest.fixture(scope="module")
def admin(running_stack: RunningStack, airflow: httpx.Client) -> str:
    """The administrator's token."""
    login = {"username": "admin", "password": stack.local_airflow(running_stack.settings).password}
    return str(airflow.post("/auth/token", json=login).json()["access_token"])


@pytest.fixture(scope="module")
def viewer(running_stack: RunningStack, admin: str) -> str:
    """A token of somebody who may only look, signed as Airflow signs its own."""
    home = stack.local_airflow(running_stack.settings).home
    secret = json.loads((home / "secrets.json").read_text())["jwt_secret"]
    claims = jwt.decode(admin, options={"verify_signature": False})
    header = jwt.get_unverified_header(admin)
    return jwt.encode(claims | {"sub": "visitor", "role": "VIEWER"}, secret, header["alg"], header)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.mark.parametrize("path", READS)
def test_without_a_login_nothing_is_shown(airflow: httpx.Client, path: str) -> None:
    answer = airflow.get(PREFIX + path)
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "unauthorized"


def test_with_a_login_all_is_shown(airflow: httpx.Client, admin: str) -> None:
    assert "swagger-ui" in airflow.get(f"{PREFIX}/docs", headers=bearer(admin)).text
    described = airflow.get(f"{PREFIX}/openapi.json", headers=bearer(admin)).json()
    assert described["servers"] == [{"url": PREFIX}]
    assert airflow.get(f"{PREFIX}/docs/assets/swagger-ui.css").status_code == 200
    assert airflow.get(f"{PREFIX}/health", headers=bearer(admin)).json()["database"]["status"] == "ok"


def test_who_may_only_look_searches_but_writes_nothing(airflow: httpx.Client, viewer: str) -> None:
    assert airflow.get(f"{PREFIX}/health", headers=bearer(viewer)).json()["database"]["status"] == "ok"
    searched = airflow.post(f"{PREFIX}/similarity", headers=bearer(viewer), json={"path": "/etc/passwd"})
    assert searched.status_code == 403
    assert searched.json()["error"]["code"] == "not_allowed"
    register = {"storage_url": "s3://images/x", "product_code": "x"}
    for path, body in (("/index/rebuild", {}), ("/api/worker/image/register", register)):
        answer = airflow.post(PREFIX + path, headers=bearer(viewer), json=body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden")


def test_a_page_of_another_site_cannot_use_the_login_in_the_cookie(airflow: httpx.Client, admin: str) -> None:
    cookie = {"Cookie": f"_token={admin}"}
    assert airflow.get(f"{PREFIX}/openapi.json", headers=cookie).status_code == 200
    for site in ("same-site", "cross-site"):
        answer = airflow.post(f"{PREFIX}/index/rebuild", headers=cookie | {"Sec-Fetch-Site": site}, json={})
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "other_site")


def test_a_rebuild_is_a_run_of_the_caller(running_stack: RunningStack, airflow: httpx.Client, admin: str) -> None:
    running_stack.api.set_paused(DAG, paused=False)
    started = airflow.post(f"{PREFIX}/index/rebuild", headers=bearer(admin), json={"index_type": "normal"})
    assert started.status_code == 202, started.text
    run_id = started.json()["task_id"]
    run = running_stack.api.run(DAG, run_id)
    conf = {"type": "normal", "edition": "v2", "allow_empty": False}
    assert (run["conf"], run["triggering_user_name"]) == (conf, "admin")
    state = airflow.get(f"{PREFIX}/index/rebuild/{run_id}", headers=bearer(admin)).json()
    assert state["task_id"] == run_id
    assert state["status"] in {"queued", "running", "success", "failed"}
    assert airflow.get(f"{PREFIX}/index/rebuild/unknown", headers=bearer(admin)).status_code == 404
    running_stack.api.wait(DAG, run_id)


def test_a_rebuild_of_a_paused_dag_is_refused_instead_of_waiting_for_ever(
    running_stack: RunningStack, airflow: httpx.Client, admin: str
) -> None:
    running_stack.api.set_paused(DAG, paused=True)
    try:
        answer = airflow.post(f"{PREFIX}/index/rebuild", headers=bearer(admin), json={})
        assert answer.status_code == 400
        assert "is paused" in answer.json()["error"]["message"]
    finally:
        running_stack.api.set_paused(DAG, paused=False)


def test_a_server_of_its_own_starts_rebuilds_by_its_own_login(running_stack: RunningStack) -> None:
    rebuilder = by_settings(running_stack.settings)
    run_id = rebuilder.start(RebuildOf("defect", "v2"), Caller("token"))
    assert rebuilder.state(run_id, Caller("token")).task_id == run_id
    with pytest.raises(UnknownRun):
        rebuilder.state("unknown", Caller("token"))
    running_stack.api.wait(DAG, run_id)


def test_the_caller_s_right_counts_not_the_server_s(running_stack: RunningStack, viewer: str) -> None:
    from include.errors import AccessDenied

    running_stack.api.set_paused(DAG, paused=False)
    url = stack.local_airflow(running_stack.settings).url
    with pytest.raises(AccessDenied):
        with_rights_of_the_caller(url).start(RebuildOf("all", "v2"), Caller("visitor", viewer))


def test_the_plugin_is_loaded_without_a_fault(running_stack: RunningStack) -> None:
    assert running_stack.get("plugins/importErrors")["import_errors"] == []
    (plugin,) = [found for found in running_stack.get("plugins?limit=100")["plugins"] if found["name"] == "search"]
    assert [app["url_prefix"] for app in plugin["fastapi_apps"]] == [PREFIX]
