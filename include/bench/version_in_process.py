"""The baseline of a served model: the very code and files of its version, in one process, with no server.

A script for the Triton environment: ``version_in_process.py FOLDER PARAMETERS THREADS`` reads a JSON list of texts from
standard input and prints ``{"seconds": …, "cpu_seconds": …, "peak_mb": …}`` of one pass after a warm-up. ``PARAMETERS``
are those of its ``config.pbtxt``, as JSON. Each thread has a graph of its own, as each instance has; the texts of all
are sorted by length together, which a server cannot do that gets them by and by.
"""

import json
import queue
import resource
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np


def main(folder: Path, parameters: dict[str, str], threads: int) -> None:
    """Embed all texts, print what it took."""
    sys.path.insert(0, str(folder))
    from graph import load  # noqa: PLC0415 — beside the graph
    from texts import Texts, batches  # noqa: PLC0415

    texts = json.load(sys.stdin)
    encoders = [Texts(folder, parameters, load(folder, parameters)) for _ in range(threads)]

    def embed(some: list[str]) -> None:
        encodings = encoders[0].tokenizer.encode_batch_fast(some)
        lengths = np.fromiter((len(encoding.ids) for encoding in encodings), np.int64, len(encodings))
        waiting: queue.SimpleQueue[Any] = queue.SimpleQueue()
        for rows in batches(np.argsort(lengths, kind="stable"), lengths, encoders[0].token_budget):
            waiting.put(rows)

        def work(encoder: Any) -> None:
            with suppress(queue.Empty):
                while True:
                    ids, mask = encoder.padded(encodings, waiting.get_nowait(), lengths)
                    encoder.graph.run({"input_ids": ids, "attention_mask": mask})

        list(pool.map(work, encoders))

    with ThreadPoolExecutor(threads) as pool:
        embed(texts[:64])
        began, cpu = time.perf_counter(), time.process_time()
        embed(texts)
        taken = {"seconds": time.perf_counter() - began, "cpu_seconds": time.process_time() - cpu}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    sys.stdout.write(json.dumps(taken | {"peak_mb": round(peak)}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), json.loads(sys.argv[2]), int(sys.argv[3]))
