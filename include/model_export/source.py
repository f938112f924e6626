"""Where a model's weights are: a Hugging Face repository, a local folder, or an installed package."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError, RevisionNotFoundError

from include.catalog.models import ModelSpec
from include.errors import InputError, ServiceUnavailable
from include.model_export.request import folder_digest, is_folder

PACKAGE = "package:"


@dataclass(frozen=True)
class Source:
    """A local folder with the weights, and the exact revision that it holds."""

    folder: Path
    revision: str


def resolve(spec: ModelSpec) -> Source:
    """Find, or download, the weights of ``spec``.

    Raises:
        InputError: no such package, folder or repository, or a package of another version than the catalogue's.
        ServiceUnavailable: the model hub does not answer.
    """
    if spec.source.startswith(PACKAGE):
        return _from_package(spec, spec.source.removeprefix(PACKAGE))
    if is_folder(spec.source):
        folder = Path(spec.source).expanduser()
        return Source(folder, folder_digest(folder))
    return _from_hub(spec)


def check_pooling(spec: ModelSpec, folder: Path) -> None:
    """A source with no modules of its own does not say how it pools; then the catalogue must, and not by a default.

    Raises:
        InputError: neither says it.
    """
    if spec.kind in ("text", "text_sparse") and not spec.names_pooling and not (folder / "modules.json").is_file():
        msg = (
            f"Model {spec.name}: its source has no modules.json, so nothing says how its tokens are pooled. Give "
            "`pooling: mean` or `pooling: cls` in the catalogue, as the model's authors say."
        )
        raise InputError(msg)


def _from_package(spec: ModelSpec, package: str) -> Source:
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        msg = (
            f"Model {spec.name}: the package {package} is not installed. Add it to requirements/export.in and lock it."
        )
        raise InputError(msg)
    distributions = importlib.metadata.packages_distributions()[package]
    version = importlib.metadata.version(distributions[0])
    if version != spec.revision:
        msg = f"Model {spec.name}: {package} {version} is installed, but the catalogue asks for {spec.revision}."
        raise InputError(msg)
    root = Path(next(iter(found.submodule_search_locations)))
    # The outermost config.json: parts of a model, such as its pooling, have one each below.
    configs = sorted(root.rglob("config.json"), key=lambda path: len(path.parts))
    if not configs:
        msg = f"Model {spec.name}: the package {package} holds no model (no config.json)."
        raise InputError(msg)
    return Source(configs[0].parent, version)


def _from_hub(spec: ModelSpec) -> Source:
    unused = ["*.onnx", "*.onnx_data", "onnx/*", "openvino/*", "*.bin.index.json", "*.h5", "*.msgpack", "*.ot"]
    try:
        folder = Path(snapshot_download(spec.source, revision=spec.revision, ignore_patterns=unused))
    except (RepositoryNotFoundError, RevisionNotFoundError) as error:
        msg = f"Model {spec.name}: {spec.source}@{spec.revision} does not exist or needs a login: {error}"
        raise InputError(msg) from error
    except (HfHubHTTPError, OSError) as error:
        msg = (
            f"Model {spec.name}: cannot download {spec.source}@{spec.revision} ({error}). Try again later, or put the "
            f"weights into a folder and name it as `source` in the catalogue."
        )
        raise ServiceUnavailable(msg) from error
    return Source(folder, folder.name)  # a snapshot's folder is named by its commit
