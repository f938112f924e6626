"""``python edge_build.py FOLDER PARENT``: build the graph of an edge shard, print ``{"indexed": …}``.

A process of its own, because the engine holds the interpreter's lock for the whole build: inside an Airflow task no
heartbeat would be sent for minutes. It imports nothing of this project, so it starts at once, and dies with its parent.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main(folder: str, parent: int) -> None:
    """Optimise, flush, tell how many points are in the graph."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the signal was set
        sys.exit(1)
    import qdrant_edge as engine

    shard = engine.EdgeShard.load(folder)
    shard.optimize()
    shard.flush()
    indexed = shard.info().indexed_vectors_count
    shard.close()
    sys.stdout.write(json.dumps({"indexed": indexed}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
