"""The baseline of embedding: ONNX Runtime in process, padded batches in input order, all its defaults.

A script for the environment that has ONNX Runtime: ``onnx_in_process.py FOLDER MAX_LENGTH BATCH`` reads a JSON list of
texts from standard input and prints ``{"seconds": …, "cpu_seconds": …}`` of one pass after a warm-up.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
import onnxruntime  # noqa: TID253 — a script of its own, in its own environment
from tokenizers import Tokenizer


def main(folder: Path, max_length: int, batch: int) -> None:
    """Embed all texts, print what it took."""
    texts = json.load(sys.stdin)
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"), providers=["CPUExecutionProvider"])
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(max_length)
    tokenizer.enable_padding()

    def embed(some: list[str]) -> None:
        encodings = tokenizer.encode_batch(some)
        ids = np.array([encoding.ids for encoding in encodings], np.int64)
        mask = np.array([encoding.attention_mask for encoding in encodings], np.int64)
        session.run(None, {"input_ids": ids, "attention_mask": mask})

    embed(texts[:batch])
    began, cpu = time.perf_counter(), time.process_time()
    for start in range(0, len(texts), batch):
        embed(texts[start : start + batch])
    taken = {"seconds": time.perf_counter() - began, "cpu_seconds": time.process_time() - cpu}
    sys.stdout.write(json.dumps(taken))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
