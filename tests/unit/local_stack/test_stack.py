"""What the stack tells later processes."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import SecretStr

from include.errors import SetupError
from include.local_stack.served import (
    env_file,
    is_ours,
    port_needs,
    secrets_file,
    served_settings,
    task_environment,
    with_logins,
)
from include.local_stack.stack import up
from include.settings import PROJECT_ROOT, Settings, get_settings

pytestmark = pytest.mark.usefixtures("bare_settings")


def read_back(text: str, folder: Path) -> Settings:
    file = folder / "stack.env"
    file.write_text(text)
    return Settings(_env_file=file)


@pytest.mark.parametrize("name", ["plain", "with space", "it's", 'say "hi"', "back\\slash", "price $HOME #1"])
def test_settings_read_what_the_stack_wrote(tmp_path: Path, name: str) -> None:
    served = served_settings(Settings(state_dir=tmp_path / name, airflow_port=12345))
    read = read_back(env_file(served), tmp_path)
    assert read.qdrant_url == f"edge:{tmp_path / name}/qdrant"
    assert read.airflow_port == 12345
    assert read.kserve_url == "http://127.0.0.1:8080"
    assert read.es_url == "http://127.0.0.1:9200"
    assert read.model == "minilm"


def test_a_changed_port_changes_the_address_that_an_earlier_start_wrote(tmp_path: Path) -> None:
    earlier = read_back(env_file(served_settings(Settings())), tmp_path)
    later = served_settings(earlier.model_copy(update={"es_http_port": 19200}))
    assert later.es_url == "http://127.0.0.1:19200"


def test_a_qdrant_server_and_a_model_that_the_user_chose_stay(tmp_path: Path) -> None:
    served = served_settings(Settings(qdrant_url="http://qdrant:6333", model="bge_m3"))
    assert (served.qdrant_url, served.model) == ("http://qdrant:6333", "bge_m3")
    again = served_settings(read_back(env_file(served), tmp_path))
    assert (again.qdrant_url, again.model) == ("http://qdrant:6333", "bge_m3")


def test_a_server_that_the_environment_names_is_used_and_none_is_started_beside_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("EMBSEARCH_ES_URL", "https://search:9200")
    monkeypatch.setenv("EMBSEARCH_ES_USER", "writer")
    served = served_settings(Settings())
    assert (served.es_url, served.es_user) == ("https://search:9200", "writer")
    assert not is_ours(served, "es_url")
    assert is_ours(served, "kserve_url")
    assert "EMBSEARCH_ES_URL='https://search:9200'" in env_file(served)

    monkeypatch.delenv("EMBSEARCH_ES_URL")
    again = served_settings(read_back(env_file(served), tmp_path))
    assert again.es_url == "http://127.0.0.1:9200", "it is no longer named"
    assert again.es_user is None, "a login goes with its server"


def test_tasks_see_the_same_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(es_password=SecretStr("pass"), keywords="a b.txt")
    for name, value in task_environment(settings).items():
        monkeypatch.setenv(name, value)
    assert Settings() == settings


def test_no_secret_is_in_the_file() -> None:
    settings = Settings(es_password=SecretStr("s3cret"), es_api_key=SecretStr("s3cret"))
    assert "s3cret" not in env_file(settings)
    assert "s3cret" in task_environment(settings)["EMBSEARCH_ES_PASSWORD"]


def test_logins_of_own_servers_are_in_a_file_of_their_own_which_settings_read(tmp_path: Path) -> None:
    served = with_logins(served_settings(Settings(local_dir=tmp_path)))
    (tmp_path / "stack.env").write_text(env_file(served))
    (tmp_path / "secrets.env").write_text(secrets_file(served))
    read = Settings(_env_file=(tmp_path / "stack.env", tmp_path / "secrets.env"), local_dir=tmp_path)
    for name in ("mysql", "mysql_owner", "backup_mysql", "images_mysql", "images_mysql_owner", "redis"):
        password = getattr(served, f"{name}_password").get_secret_value()
        assert len(password) >= 32
        assert password == getattr(read, f"{name}_password").get_secret_value()
        assert password not in env_file(served)
    assert (read.mysql_user, read.mysql_owner_user) == ("embsearch", "embsearch_owner")
    assert with_logins(served_settings(read)) == served, "passwords are made once"
    assert {file.stat().st_mode & 0o777 for file in tmp_path.glob("*/passwords.json")} == {0o600}


def test_tasks_do_not_learn_the_login_that_may_change_tables(tmp_path: Path) -> None:
    served = with_logins(served_settings(Settings(local_dir=tmp_path)))
    (tmp_path / "secrets.env").write_text(secrets_file(served))
    told = task_environment(served)
    assert "EMBSEARCH_MYSQL_PASSWORD" in told
    assert [name for name in told if "OWNER" in name] == []
    code = "from include.settings import get_settings as read; print(read().mysql_user, read().mysql_owner_user)"
    for variables, logins in (
        (told, "embsearch None"),
        ({"EMBSEARCH_LOCAL_DIR": str(tmp_path)}, "embsearch embsearch_owner"),
    ):
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=PROJECT_ROOT,
            env=os.environ | variables,
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.strip() == logins


def test_a_mysql_elsewhere_keeps_its_login_and_needs_no_port_here(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("MYSQL", "BACKUP_MYSQL", "IMAGES_MYSQL"):
        monkeypatch.setenv(f"EMBSEARCH_{name}_URL", "mysql://db:3306/tunes")
    monkeypatch.setenv("EMBSEARCH_MYSQL_USER", "reader")
    served = with_logins(served_settings(Settings(local_dir=tmp_path)))
    assert (served.mysql_url, served.mysql_user, served.mysql_password) == ("mysql://db:3306/tunes", "reader", None)
    assert "MYSQL" not in secrets_file(served)
    needed = {need.setting for need in port_needs(served)}
    assert "EMBSEARCH_REDIS_PORT" in needed
    assert "EMBSEARCH_MARIADB_PORT" not in needed


def test_every_port_setting_is_checked() -> None:
    names = {need.setting for need in port_needs(served_settings(Settings()))}
    assert {"EMBSEARCH_TRITON_HTTP_PORT", "EMBSEARCH_ES_HTTP_PORT", "EMBSEARCH_AIRFLOW_PORT"} <= names


def test_a_disk_that_is_nearly_full_is_told_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage("/")._replace(free=300_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage)
    with pytest.raises(
        SetupError, match=rf"{tmp_path}/local has 0\.3 GB free, and the stack needs 1 GB or more\. Free"
    ):
        up(Settings(local_dir=tmp_path / "local"))
    assert not (tmp_path / "local" / "stack.env").exists()


def test_another_kind_of_machine_is_told_what_to_use_instead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "arm64")
    with pytest.raises(SetupError, match="this is Linux arm64. Use docker-compose.yaml"):
        up(Settings(local_dir=tmp_path / "local"))


def test_the_stack_answers_with_images_of_the_database_unless_the_documented_switch_says_otherwise(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("USE_INDEX_V2", raising=False)
    assert not Settings().use_index_v2
    served = served_settings(Settings())
    assert served.use_index_v2

    monkeypatch.setenv("USE_INDEX_V2", "false")
    assert not served_settings(Settings()).use_index_v2
    monkeypatch.setattr(Settings, "model_config", Settings.model_config | {"env_file": tmp_path / "stack.env"})
    (tmp_path / "stack.env").write_text(env_file(served))
    get_settings.cache_clear()
    assert not get_settings().use_index_v2, "the environment comes before what an earlier start wrote"
    get_settings.cache_clear()
