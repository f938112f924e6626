"""Sentence encoders on packed texts: ModernBERT, and the BERT family with XLM-RoBERTa.

Weights and shape come from ``packed.safetensors`` and ``packed.json`` of the export, which names the parts as they are
named here (see include/model_export/packed.py).
"""

import torch
from torch import nn
from torch.nn import functional


class ModernBertLayer(nn.Module):
    """Norm before each part, rotary positions, gated feed-forward (Warner et al., ModernBERT, 2024)."""

    def __init__(self, shape, number):
        super().__init__()
        width, inner, biased = shape["width"], shape["inner"], shape["biases"]
        self.heads = shape["heads"]
        # Every n-th layer sees the whole text, the others a window around each token.
        self.local = number % shape["global_every"] > 0
        self.window = shape["window"] if self.local else 0
        norm = {"eps": shape["norm_eps"], "bias": biased["norm"]}
        self.attention_norm = nn.LayerNorm(width, **norm) if number else nn.Identity()
        self.qkv = nn.Linear(width, 3 * width, bias=biased["attention"])
        self.out = nn.Linear(width, width, bias=biased["attention"])
        self.mlp_norm = nn.LayerNorm(width, **norm)
        self.wi = nn.Linear(width, 2 * inner, bias=biased["mlp"])
        self.wo = nn.Linear(inner, width, bias=biased["mlp"])

    def forward(self, x, spans, ropes):
        qkv = self.qkv(self.attention_norm(x))
        x = x + self.out(spans.attend(qkv, self.heads, spans, self.window, ropes[int(self.local)]))
        value, gate = self.wi(self.mlp_norm(x)).chunk(2, -1)
        return x + self.wo(functional.gelu(value) * gate)


class BertLayer(nn.Module):
    """Norm after each part (Devlin et al., BERT, 2018)."""

    def __init__(self, shape, _number):
        super().__init__()
        width, inner = shape["width"], shape["inner"]
        self.heads = shape["heads"]
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.attention_norm = nn.LayerNorm(width, eps=shape["norm_eps"])
        self.wi = nn.Linear(width, inner)
        self.wo = nn.Linear(inner, width)
        self.mlp_norm = nn.LayerNorm(width, eps=shape["norm_eps"])

    def forward(self, x, spans, _ropes):
        x = self.attention_norm(x + self.out(spans.attend(self.qkv(x), self.heads, spans, 0, None)))
        return self.mlp_norm(x + self.wo(functional.gelu(self.wi(x))))


class PackedEncoder(nn.Module):
    """Token ids of packed texts to one vector a text."""

    def __init__(self, shape):
        super().__init__()
        modern = shape["family"] == "modernbert"
        width, eps = shape["width"], shape["norm_eps"]
        biased = shape["biases"]["norm"] if modern else True
        self.pooling, self.normalize = shape["pooling"], shape["normalize"]
        self.tokens = nn.Embedding(shape["vocabulary"], width)
        # Positions with the type of all tokens added, beginning at a text's first token.
        self.places = None if modern else nn.Embedding(shape["positions"], width)
        self.embedding_norm = nn.LayerNorm(width, eps=eps, bias=biased)
        layer = ModernBertLayer if modern else BertLayer
        self.layers = nn.ModuleList(layer(shape, number) for number in range(shape["layers"]))
        self.final_norm = nn.LayerNorm(width, eps=eps, bias=biased) if modern else nn.Identity()
        self.lexical = nn.Linear(width, 1) if "special_ids" in shape else None
        if self.lexical is not None:
            words = torch.ones(shape["vocabulary"])
            words[shape["special_ids"]] = 0  # begin, end and the like are no words
            self.register_buffer("words", words, persistent=False)
        # Cosines and sines stay in float32: position 8,000 has no exact angle in float16.
        tables = [angles(shape, base) for base in shape["rope_bases"]] if modern else []
        self.ropes = tables  # of global and of local layers

    def to(self, device, dtype):
        super().to(device=device, dtype=dtype)
        self.ropes = [table.to(device) for table in self.ropes]
        return self

    def forward(self, ids, owners, spans):
        """``[T]``, ``[T]`` to float32 vectors ``[N, W]``, and lexical weights of the tokens ``[T]`` or None.

        Tokens of owner N are padding and count for nothing.
        """
        x = self.tokens(ids)
        if self.places is not None:
            x = x + self.places(spans.positions)
        x = self.embedding_norm(x)
        for layer in self.layers:
            x = layer(x, spans, self.ropes)
        x = self.final_norm(x).float()
        vectors = mean(x, owners, spans.starts) if self.pooling == "mean" else first(x, spans.starts)
        vectors = functional.normalize(vectors, dim=1) if self.normalize else vectors
        return vectors, None if self.lexical is None else self.lexical_weights(x, ids)

    def lexical_weights(self, x, ids):
        """BGE-M3's weight of each token, at least 0 (Chen et al., 2024)."""
        weight, bias = self.lexical.weight.float(), self.lexical.bias.float()
        return functional.linear(x, weight, bias).squeeze(1).relu() * self.words[ids].float()


def angles(shape, base):
    """Cosines and sines of rotary positions, float32 ``[2, L, head / 2]``."""
    head = shape["width"] // shape["heads"]
    frequencies = base ** -(torch.arange(0, head, 2, dtype=torch.float32) / head)
    turned = torch.outer(torch.arange(shape["positions"], dtype=torch.float32), frequencies)
    return torch.stack((turned.cos(), turned.sin()))


def mean(x, owners, starts):
    """The mean of each text's token vectors, ``[N, W]``."""
    sums = x.new_zeros(len(starts), x.shape[1]).index_add_(0, owners, x)[:-1]
    return sums / (starts[1:] - starts[:-1]).clamp(min=1)[:, None]


def first(x, starts):
    """The vector of each text's first token, ``[N, W]``; of an empty place any."""
    return x[starts[:-1].clamp(max=len(x) - 1)]
