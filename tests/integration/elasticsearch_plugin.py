"""Small plugins that give a real Elasticsearch for tests what the bare server core lacks, compiled from Java source."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from include.local_stack.artifacts import MavenArtifact, fetch
from include.local_stack.elasticsearch import ELASTICSEARCH, ElasticsearchHome
from include.settings import Settings

JAVA_COMPILER = MavenArtifact(  # runs on a Java that has no compiler of its own
    group="org.eclipse.jdt",
    name="ecj",
    version="3.43.0",
    extension="jar",
    size=3_329_190,
    sha512="06d8974af46d81f7a03c257b54fb5854a9b9ba8ab2733db4946745142e07e7dc"
    "3e69ea864d4b011230ffb8f92243503d7ffb6ac2ddf9b747c1bbc155c55fb583",
)

Parts = Mapping[str, Mapping[str, str]]  # interface of the plugin API → name → class


@dataclass(frozen=True)
class AnalysisPlugin:
    """Parts of an analysis, on Elasticsearch's stable plugin API."""

    name: str
    description: str
    source: Path
    parts: Parts

    def added_to(self, home: ElasticsearchHome, folder: Path, settings: Settings) -> ElasticsearchHome:
        """A copy of the distribution in ``folder`` that has the plugin."""
        distribution = folder / home.distribution.name
        shutil.copytree(home.distribution, distribution)
        plugin = self._folder(distribution)
        plugin.mkdir(mode=0o755)
        self._compile(home.java, sorted((distribution / "lib").glob("*.jar")), folder / "classes", settings)
        with zipfile.ZipFile(plugin / f"{self.name}.jar", "w") as jar:
            for path in sorted((folder / "classes").rglob("*.class")):
                jar.write(path, path.relative_to(folder / "classes"))
        facts = {
            "name": self.name,
            "description": self.description,
            "version": "1.0",
            "elasticsearch.version": ELASTICSEARCH.version,
            "java.version": "21",
        }
        (plugin / "stable-plugin-descriptor.properties").write_text("".join(f"{k}={v}\n" for k, v in facts.items()))
        for path in plugin.iterdir():
            path.chmod(0o644)
        self.register(distribution, self.parts)
        return ElasticsearchHome(distribution, home.java)

    def register(self, distribution: Path, parts: Parts) -> None:
        """Let the node have these parts and no others from its next start on."""
        named = {f"org.elasticsearch.plugin.analysis.{kind}": dict(names) for kind, names in parts.items()}
        listed = self._folder(distribution) / "named_components.json"
        listed.write_text(json.dumps(named))
        listed.chmod(0o644)

    def _folder(self, distribution: Path) -> Path:
        return distribution / "plugins" / self.name

    def _compile(self, java: Path, libraries: list[Path], classes: Path, settings: Settings) -> None:
        subprocess.run(
            [
                *(java / "bin" / "java", "-jar", fetch(JAVA_COMPILER, settings), "-21", "-proc:none"),
                *("-cp", os.pathsep.join(map(str, libraries)), "-d", classes, self.source),
            ],
            check=True,
        )
