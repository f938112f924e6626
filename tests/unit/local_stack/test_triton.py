"""Finding the server that comes in the wheel; running it is in tests/integration/triton."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from include.errors import SetupError
from include.local_stack.triton import STUB, Ports, find_installation, service


@pytest.fixture
def facts(tmp_path: Path) -> dict[str, str]:
    """An environment of Python 3.12 with the wheel, as its interpreter would tell of it."""
    tritonserver = tmp_path / "site-packages" / "pytriton" / "tritonserver"
    for version in ("3.11", "3.12"):
        stub = tritonserver / "python_backend_stubs" / version / STUB
        stub.parent.mkdir(parents=True)
        stub.write_text(version)
    backend = tritonserver / "backends" / "python"
    backend.mkdir(parents=True)
    for name in ("libtriton_python.so", "triton_python_backend_utils.py"):
        (backend / name).write_text(name)
    library = tmp_path / "lib" / "x86_64-linux-gnu" / "libpython3.12.so.1.0"
    library.parent.mkdir(parents=True)
    library.touch()
    return {
        "prefix": str(tmp_path / "venv"),
        "version": "3.12",
        "library_folder": str(tmp_path / "lib"),
        "library": library.name,
        "multiarch": "x86_64-linux-gnu",
        "package": str(tmp_path / "site-packages" / "pytriton" / "__init__.py"),
    }


def interpreter(folder: Path, facts: dict[str, str]) -> Path:
    program = folder / "python"
    program.write_text(f"#!/bin/sh\necho '{json.dumps(facts)}'\n")
    program.chmod(0o755)
    return program


def test_the_stub_and_the_library_are_those_of_the_environments_own_python(
    tmp_path: Path, facts: dict[str, str]
) -> None:
    found = service(
        interpreter=interpreter(tmp_path, facts),
        repository=tmp_path / "repository",
        ports=Ports(1, 2, 3),
        run_folder=tmp_path / "run",
        log=tmp_path / "log",
    )

    links = tmp_path / "run" / "backends" / "python"
    assert (links / STUB).read_text() == "3.12"
    assert sorted(path.name for path in links.iterdir()) == [
        "libtriton_python.so",
        "triton_python_backend_stub",
        "triton_python_backend_utils.py",
    ]
    assert found.env["PATH"].startswith(f"{tmp_path}/venv/bin:")
    assert found.env["LD_LIBRARY_PATH"].endswith(f":{tmp_path}/lib/x86_64-linux-gnu")
    assert found.ports == (1, 2, 3)
    assert [option for option in found.command if "address" in option] == [
        "--http-address=127.0.0.1",
        "--grpc-address=127.0.0.1",
        "--metrics-address=127.0.0.1",
    ]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"package": ""}, "has no nvidia-pytriton"),
        ({"version": "3.14"}, r"no Python backend for Python 3\.14 \(it has: 3\.11, 3\.12\)"),
        ({"library": "libpython3.12.a"}, r"no shared library libpython3\.12\.so.*--enable-shared"),
        ({"library_folder": "/nowhere"}, r"no shared library libpython3\.12\.so in /nowhere"),
    ],
)
def test_what_is_missing_is_named_with_the_way_to_mend_it(
    tmp_path: Path, facts: dict[str, str], change: dict[str, str], told: str
) -> None:
    with pytest.raises(SetupError, match=told):
        find_installation(interpreter(tmp_path, {**facts, **change}))


def test_an_interpreter_that_does_not_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=r"nowhere/python does not run"):
        find_installation(tmp_path / "nowhere" / "python")
