"""Runs of fixed size, recorded once as CUDA graphs and replayed."""

import torch
from packed_attention import Spans
from packed_batches import TOKENS_PER_TEXT, pack, slots

WARM_UPS = 3  # the compiler and the libraries choose their kernels before the recording


class RecordedRun:
    """The encoder on ``budget`` tokens of texts up to ``longest``, with input and output memory of its own.

    ``record`` takes the work and returns how to repeat it, and the tensors that each repetition fills.
    """

    def __init__(self, encoder, budget, longest, attend, record):
        self.budget, self.room = budget, slots(budget)
        size = 3 * budget + self.room + 1
        device = next(encoder.parameters()).device
        pinned = device.type == "cuda"
        # One buffer, so that a run needs one copy to the GPU.
        self.staging = torch.zeros(size, dtype=torch.int32, pin_memory=pinned)
        self.inputs = torch.zeros(size, dtype=torch.int32, device=device)
        ids, positions, owners, starts = self.inputs.split([budget, budget, budget, self.room + 1])
        spans = Spans(starts, positions, longest, attend)
        self.load([torch.zeros(TOKENS_PER_TEXT, dtype=torch.int32).numpy()] * self.room)
        self.replay, (self.vectors, self.weights) = record(lambda: encoder(ids, owners, spans))
        self.answer = torch.empty(self.vectors.shape, dtype=torch.float32, pin_memory=pinned)

    def load(self, texts):
        """Bring the token ids of ``texts`` into the input memory."""
        packed = pack(texts, self.budget, self.room)
        staging, start = self.staging.numpy(), 0
        for part in (packed.ids, packed.positions, packed.owners, packed.starts):
            staging[start : start + len(part)] = part
            start += len(part)
        self.inputs.copy_(self.staging, non_blocking=True)

    def run(self, texts):
        """Vectors float32 ``[N, W]`` of texts that fit the budget, valid until the next run; weights or None."""
        self.load(texts)
        self.replay()
        self.answer[: len(texts)].copy_(self.vectors[: len(texts)], non_blocking=True)
        weights = None if self.weights is None else self.weights.cpu().numpy()
        if self.inputs.is_cuda:
            torch.cuda.current_stream().synchronize()
        return self.answer[: len(texts)].numpy(), weights


def graph(work):
    """Record what ``work`` does on the GPU."""
    aside = torch.cuda.Stream()
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        for _ in range(WARM_UPS):
            work()
    torch.cuda.current_stream().wait_stream(aside)
    torch.cuda.synchronize()
    recorded = torch.cuda.CUDAGraph()
    with torch.cuda.graph(recorded):
        results = work()
    return recorded.replay, results


def compile_layers(encoder):
    """Let torch fuse what lies between the multiplications; layer by layer takes seconds, the whole takes minutes."""
    torch._dynamo.config.recompile_limit = 64  # noqa: SLF001 — one compilation for each budget and kind of layer
    for layer in encoder.layers:
        layer.compile(dynamic=False)
