"""Attention of texts of up to 32 tokens, with rotary positions, as one kernel in Triton's language.

Flash attention works in tiles of 128 rows; on texts of 15 tokens most of each is empty. Here one program does one head
of one text. On an H200 it made the whole encoder 18–24 % faster.
"""

import torch
import triton
import triton.language as tl
from packed_batches import SHORT


@triton.jit
def _kernel(  # noqa: PLR0917 — a kernel's arguments
    qkv, starts, rope, out, scale, rope_length,
    WIDTH: tl.constexpr, HEAD: tl.constexpr, ROPE: tl.constexpr, WINDOW: tl.constexpr, BLOCK: tl.constexpr,  # noqa: N803
):  # fmt: skip
    text, head = tl.program_id(0), tl.program_id(1)
    start = tl.load(starts + text)
    length = tl.load(starts + text + 1) - start
    if length > 0:
        row, half, full = tl.arange(0, BLOCK), tl.arange(0, HEAD // 2), tl.arange(0, HEAD)
        there = row < length
        mask = there[:, None]
        line = qkv + (start + row)[:, None] * (3 * WIDTH) + head * HEAD
        q1 = tl.load(line + half[None], mask=mask, other=0.0)
        q2 = tl.load(line + HEAD // 2 + half[None], mask=mask, other=0.0)
        k1 = tl.load(line + WIDTH + half[None], mask=mask, other=0.0)
        k2 = tl.load(line + WIDTH + HEAD // 2 + half[None], mask=mask, other=0.0)
        value = tl.load(line + 2 * WIDTH + full[None], mask=mask, other=0.0)
        if ROPE:
            place = row[:, None] * (HEAD // 2) + half[None]
            cos = tl.load(rope + place, mask=mask, other=1.0)
            sin = tl.load(rope + rope_length * (HEAD // 2) + place, mask=mask, other=0.0)
            a1, a2, b1, b2 = q1.to(tl.float32), q2.to(tl.float32), k1.to(tl.float32), k2.to(tl.float32)
            q1, q2 = (a1 * cos - a2 * sin).to(value.dtype), (a2 * cos + a1 * sin).to(value.dtype)
            k1, k2 = (b1 * cos - b2 * sin).to(value.dtype), (b2 * cos + b1 * sin).to(value.dtype)
        scores = (tl.dot(q1, tl.trans(k1)) + tl.dot(q2, tl.trans(k2))) * scale
        seen = there[None]
        if WINDOW > 0:
            seen = seen & (tl.abs(row[:, None] - row[None]) <= WINDOW)
        scores = tl.where(seen, scores, -1e30)
        scores = tl.exp(scores - tl.max(scores, 1)[:, None])
        shares = scores / tl.sum(scores, 1)[:, None]
        result = tl.dot(shares.to(value.dtype), value)
        target = out + (start + row)[:, None] * WIDTH + head * HEAD + full[None]
        tl.store(target, result.to(value.dtype), mask=mask)


def short_attention(qkv, heads, spans, window, rope):
    """As every kernel of ``packed_attention``, for texts of up to 32 tokens; what is padding stays unwritten."""
    tokens, triple = qkv.shape
    width = triple // 3
    out = torch.empty(tokens, width, device=qkv.device, dtype=qkv.dtype)
    table, length = (qkv, 0) if rope is None else (rope, rope.shape[1])
    _kernel[len(spans.starts) - 1, heads](
        qkv, spans.starts, table, out, (width // heads) ** -0.5, length,
        WIDTH=width, HEAD=width // heads, ROPE=rope is not None, WINDOW=window, BLOCK=SHORT, num_warps=2,
    )  # fmt: skip
    return out
