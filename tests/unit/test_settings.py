"""Settings from the environment: what cannot be used is told by variable, value and what is allowed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from include.errors import InputError
from include.local_stack.served import served_settings
from include.settings import PROJECT_ROOT, Settings, get_settings

pytestmark = pytest.mark.usefixtures("bare_settings")


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("AIRFLOW_PORT", "80811", "=80811 cannot be used: give a whole number from 1 to 65535."),
        ("ES_HEAP_MB", "1g", "=1g cannot be used: give a whole number from 256 to 31000."),
        ("TRITON_RUNTIME", "cuda", "=cuda cannot be used: give one of auto, "),
        ("KEEP_GENERATIONS", "1", "=1 cannot be used: give a whole number from 2 to 50."),
        ("ES_URL", "https://me:hidden@host", " cannot be used: a login inside a URL would be shown"),
    ],
)
def test_a_value_that_cannot_be_used_is_told_with_what_is_allowed(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    monkeypatch.setenv(f"EMBSEARCH_{name}", value)
    with pytest.raises(InputError) as raised:
        get_settings()
    assert str(raised.value).startswith(f"EMBSEARCH_{name}{said}")
    assert "hidden" not in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("value", ["nonsense", "2", ""])
def test_the_documented_switch_says_true_or_false_or_is_refused_by_its_name(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("USE_INDEX_V2", value)
    with pytest.raises(InputError) as raised:
        get_settings()
    assert str(raised.value) == f"USE_INDEX_V2={value} cannot be used: give true or false."
    with pytest.raises(InputError):
        served_settings(Settings(use_index_v2=True))
    for word, meant in (("True", True), ("y", True), (" on ", True), ("0", False), ("OFF", False), ("n", False)):
        monkeypatch.setenv("USE_INDEX_V2", word)
        assert get_settings().use_index_v2 is meant
        get_settings.cache_clear()


@pytest.mark.parametrize("words", [["--help"], ["stack", "status"], ["link"]])
def test_every_command_says_so_without_a_traceback(monkeypatch: pytest.MonkeyPatch, words: list[str]) -> None:
    monkeypatch.setenv("EMBSEARCH_AIRFLOW_PORT", "many")
    monkeypatch.setenv("EMBSEARCH_ES_SHARDS", "0")
    done = subprocess.run(
        [sys.executable, "-m", "include.cli.main", *words],
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert sorted(done.stderr.splitlines()) == [
        "EMBSEARCH_AIRFLOW_PORT=many cannot be used: give a whole number from 1 to 65535.",
        "EMBSEARCH_ES_SHARDS=0 cannot be used: give a whole number from 1 to 1024.",
    ]


def test_a_stack_in_another_folder_is_found_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "stack.env").write_text("EMBSEARCH_ES_HTTP_PORT='19200'\n")
    monkeypatch.setenv("EMBSEARCH_LOCAL_DIR", str(tmp_path))
    code = "from include.settings import get_settings; print(get_settings().es_http_port)"
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT_ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "19200\n"


def test_a_login_of_the_local_stack_is_offered_to_no_server_that_the_environment_names(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    secrets = tmp_path / "secrets.env"
    secrets.write_text("EMBSEARCH_MYSQL_USER='embsearch'\nEMBSEARCH_MYSQL_PASSWORD='hidden'\n")
    monkeypatch.setitem(Settings.model_config, "env_file", secrets)
    assert get_settings().mysql_user == "embsearch"
    get_settings.cache_clear()
    monkeypatch.setenv("EMBSEARCH_MYSQL_URL", "mysql://elsewhere:3306/music")
    assert (get_settings().mysql_user, get_settings().mysql_password) == (None, None)
    get_settings.cache_clear()
    monkeypatch.setenv("EMBSEARCH_MYSQL_USER", "reader")
    assert get_settings().mysql_user == "reader"
