"""Where things are on disk."""

from __future__ import annotations

from pathlib import Path

from include.settings.values import PROJECT_ROOT, AbsolutePath


class Places:
    """Folders; relative paths are taken from the project's root."""

    local_dir: AbsolutePath = PROJECT_ROOT / ".local"  # environments, services, their data and logs
    environments_dir: AbsolutePath = PROJECT_ROOT / ".local" / "venvs"  # Python environments: airflow, triton, export
    state_dir: AbsolutePath = PROJECT_ROOT / ".local" / "state"  # generations, shards, dead letters: back this up
    log_dir: AbsolutePath = PROJECT_ROOT / "logs"
    cache_dir: AbsolutePath | None = None  # downloads, kept by digest; default: `cache` in local_dir
    model_repository: AbsolutePath = PROJECT_ROOT / "triton_models" / "repository"
    # Where servers have repositories of their own: their folders by commas, in the order of kserve_grpc_url.
    model_repositories: str = ""

    @property
    def cache_folder(self) -> Path:
        """Where downloads are kept."""
        return self.cache_dir or self.local_dir / "cache"

    @property
    def documents_dir(self) -> Path:
        """Where the files of each collection of documents are: the texts of its chunks, and notes."""
        return self.state_dir / "documents"
