"""Attention among the tokens of each packed text, by the best kernel that there is.

On a GPU: texts of up to 32 tokens by a kernel of our own, where Triton's compiler works; else variable-length flash
attention. On a CPU: text by text. All take ``[T, 3·W]`` to ``[T, W]``: softmax attention within each text, where a
token sees ``window`` tokens to either side (0: the whole text); ``rope`` holds cosines and sines ``[2, L, head / 2]``
of rotary positions, or is None.
"""

import functools
import itertools
import logging
from collections.abc import Callable
from typing import NamedTuple

import torch
from packed_batches import SHORT
from torch.nn import functional

log = logging.getLogger(__name__)


class Spans(NamedTuple):
    """Where the texts of a run lie, and by which kernel they are computed."""

    starts: torch.Tensor  # int32 [N + 1]
    positions: torch.Tensor  # int32 [T]
    longest: int  # tokens: no text of the run is longer
    attend: Callable


def flash(qkv, heads, spans, window, rope):
    """By variable-length flash attention."""
    from torch.nn.attention.varlen import varlen_attn  # noqa: PLC0415 — on a GPU alone

    query, key, value = turned(qkv, heads, spans.positions, rope)
    starts, longest, sides = spans.starts, spans.longest, (window, window) if window else (-1, -1)
    return varlen_attn(query, key, value, starts, starts, longest, longest, window_size=sides).reshape(len(qkv), -1)


def one_by_one(qkv, heads, spans, window, rope):
    """Each text by itself: no mask over all tokens of a run, whose size would be their square."""
    query, key, value = turned(qkv, heads, spans.positions, rope)
    out = torch.zeros_like(query)
    for start, end in itertools.pairwise(spans.starts.tolist()):
        if end > start:
            text = [part[start:end].transpose(0, 1)[None] for part in (query, key, value)]
            mask = near(end - start, window) if window else None
            out[start:end] = functional.scaled_dot_product_attention(*text, attn_mask=mask)[0].transpose(0, 1)
    return out.reshape(len(qkv), -1)


def turned(qkv, heads, positions, rope):
    """Queries, keys and values ``[T, H, head]``, the first two turned to their positions."""
    query, key, value = qkv.view(len(qkv), 3, heads, -1).unbind(1)
    if rope is None:
        return query, key, value
    cosines, sines = rope[:, positions].to(qkv.dtype).unsqueeze(2)
    return rotate(query, cosines, sines), rotate(key, cosines, sines), value


def rotate(heads, cosines, sines):
    """Rotary positions (Su et al., RoFormer, 2021), halves paired as ModernBERT pairs them."""
    first, second = heads.chunk(2, -1)
    return torch.cat((first * cosines - second * sines, second * cosines + first * sines), -1)


def near(length, window):
    """Which tokens see each other, ``[L, L]``."""
    places = torch.arange(length)
    return (places[:, None] - places[None]).abs() <= window


@functools.lru_cache(maxsize=8)
def for_short_texts(width, heads, dtype):
    """The best kernel of this GPU for texts of up to 32 tokens: our own where it runs and gives what flash gives."""
    head = width // heads
    if head < 16 or head & (head - 1):
        return flash
    try:
        from packed_short_kernel import short_attention  # noqa: PLC0415 — needs Triton's compiler

        starts = torch.tensor([0, 1, SHORT + 1, SHORT + 8], dtype=torch.int32, device="cuda")
        qkv = torch.randn(SHORT + 8, 3 * width, dtype=dtype, device="cuda")
        spans = Spans(starts, starts, SHORT, flash)
        expected = flash(qkv, heads, spans, 0, None)
        torch.testing.assert_close(short_attention(qkv, heads, spans, 0, None), expected, atol=1e-2, rtol=1e-2)
    except Exception:  # no compiler, an old GPU, another Triton: all have the same answer
        log.warning("texts are computed by flash attention: the kernel for short ones does not run", exc_info=True)
        return flash
    return short_attention
