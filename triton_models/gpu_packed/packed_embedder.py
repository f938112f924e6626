"""Token ids to sentence vectors: short texts by recorded runs on a GPU, all others run by run."""

import json
import logging

import numpy as np
import torch
from packed_attention import Spans, flash, for_short_texts, one_by_one
from packed_batches import BUDGETS, MEDIUM, SHORT, pack, plan
from packed_encoder import PackedEncoder
from packed_graphs import RecordedRun, compile_layers, graph
from safetensors.torch import load_file

log = logging.getLogger(__name__)

DTYPES = {"fp16": torch.float16, "fp32": torch.float32}


class PackedEmbedder:
    """The exported encoder in ``folder``, on ``device`` (``cpu``, or ``cuda:0`` and so on) in ``precision``."""

    def __init__(self, folder, device, precision):
        shape = json.loads((folder / "packed.json").read_text(encoding="utf-8"))
        if device == "cpu" and precision != "fp32":
            raise ValueError(f"a CPU runs packed texts in fp32, not in {precision}")
        self.device, self.width = torch.device(device), shape["width"]
        self.encoder = PackedEncoder(shape).eval().requires_grad_(False)  # noqa: FBT003 — torch's signature
        self.encoder.load_state_dict(load_file(folder / "packed.safetensors"))
        self.encoder.to(device, DTYPES[precision])
        self.recorded = {}
        if self.device.type == "cuda":
            torch.cuda.set_device(self.device)
            self.recorded = self._record(shape["heads"])
        self.budgets = {longest: tuple(runs) for longest, runs in self.recorded.items()}

    @torch.inference_mode()
    def _record(self, heads):
        def lane(longest, attend):
            return {budget: RecordedRun(self.encoder, budget, longest, attend, graph) for budget in BUDGETS[longest]}

        medium = lane(MEDIUM, flash)
        kernel = for_short_texts(self.width, heads, next(self.encoder.parameters()).dtype)
        try:
            compile_layers(self.encoder)  # takes seconds a budget: for short texts it pays
            short = lane(SHORT, kernel)
        except Exception:  # no C compiler, say: the graphs are right without it, and a third slower
            log.warning("the encoder is not compiled", exc_info=True)
            with torch.compiler.set_stance("force_eager"):
                short = lane(SHORT, kernel)
        return {SHORT: short, MEDIUM: medium}

    @torch.inference_mode()
    def embed(self, texts):
        """Vectors float32 ``[N, W]`` of token ids (1-D arrays, at least one token each), in their order.

        Of an encoder with lexical weights also those of each text's tokens; else an empty list.
        """
        lengths = np.fromiter((len(ids) for ids in texts), np.int64, len(texts))
        vectors = np.empty((len(texts), self.width), np.float32)
        weights = [None] * len(texts) if self.encoder.lexical is not None else []
        for lane, run in plan(lengths, self.budgets):
            chosen = [texts[row] for row in run.rows]
            found, tokens = self.recorded[lane][run.budget].run(chosen) if lane else self.run(chosen)
            vectors[run.rows] = found
            if weights:
                ends = np.cumsum(lengths[run.rows])
                for row, part in zip(run.rows, np.split(tokens[: ends[-1]], ends[:-1]), strict=True):
                    weights[row] = part
        return vectors, weights

    def run(self, texts):
        """Vectors and weights of one run, kernel by kernel."""
        tokens, longest = sum(map(len, texts)), max(map(len, texts))
        packed = pack(texts, tokens, len(texts))
        ids, positions, owners, starts = (
            torch.from_numpy(part).to(self.device)
            for part in (packed.ids, packed.positions, packed.owners, packed.starts)
        )
        spans = Spans(starts, positions, longest, flash if self.device.type == "cuda" else one_by_one)
        with torch.compiler.set_stance("force_eager"):  # every length would be compiled anew
            vectors, weights = self.encoder(ids, owners, spans)
        return vectors.cpu().numpy(), None if weights is None else weights.cpu().numpy()
