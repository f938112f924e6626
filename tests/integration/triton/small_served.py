"""Small models of every kind, exported for real and served on the shared server."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from include.generations.locks import locked
from include.local_stack.environments import ensure
from include.model_export.manifest import Manifest
from include.settings import PROJECT_ROOT, Settings
from include.triton.config_pbtxt import Runtime
from include.triton.deploy import DeployResult, deploy
from tests.integration.export_cache import cache_folder
from tests.integration.triton_server import TritonServer

SCRIPT = Path(__file__).with_name("small_exports.py")
MAKERS = [SCRIPT.parents[1] / "model_export" / name for name in ("small_models.py", "export_cases.py")]


def exported() -> Path:
    """A folder with ``exports.json`` and pictures; made once, and again when what makes them has changed."""
    folder = cache_folder("small", SCRIPT, *MAKERS)
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / ".lock", purpose="making small models", wait_seconds=580):
        if not (folder / "exports.json").exists():
            answer = subprocess.run(
                [ensure(Settings(), "export"), SCRIPT, folder],
                env={**os.environ, "PYTHONPATH": str(PROJECT_ROOT)},
                capture_output=True,
                text=True,
                check=False,
                timeout=580,
            )
            assert answer.returncode == 0, answer.stderr
    return folder


@dataclass
class SmallModels:
    """Deploys a small model when a test first needs it."""

    server: TritonServer
    folder: Path
    deployed: dict[str, DeployResult] = field(default_factory=dict)

    def export(self, name: str) -> Path:
        """The folder of its export."""
        return Path(json.loads((self.folder / "exports.json").read_text())[name])

    def manifest(self, name: str) -> Manifest:
        """The manifest of its export."""
        return Manifest.read(self.export(name))

    def serve(self, name: str, *, runtime: Runtime = "onnxruntime") -> str:
        """The name under which it is served."""
        if name not in self.deployed:
            settings = self.server.settings.model_copy(update={"triton_instances": 1})
            self.deployed[name] = deploy(self.export(name), settings, runtime=runtime)
        return self.deployed[name].model
