"""The packed encoder of one version's folder. torch comes from the server's Python, or from EMBSEARCH_TORCH_PATH."""

import os
import sys


def load(folder, parameters):
    """The encoder on the device of this instance, ``gpu:0`` and so on; on ``cpu:0`` in float32, to try it out."""
    # Behind the server's own packages: its numpy stays below 2, with which the stub reads tensors.
    sys.path += [path for path in os.environ.get("EMBSEARCH_TORCH_PATH", "").split(":") if path]
    try:
        from packed_embedder import PackedEmbedder  # noqa: PLC0415 — after the path is set
    except ModuleNotFoundError as error:
        raise RuntimeError(
            f"runtime packed needs torch ({error}): in the server's Python, or at EMBSEARCH_TORCH_PATH; the local "
            "server takes the export environment's, which an export on this machine installs"
        ) from error
    return PackedEmbedder(folder, parameters["device"].replace("gpu", "cuda"), parameters["precision"])
