"""Texts to vectors, and to lexical weights where the graph gives them.

Padding and thread switching cost more than Triton itself, so all texts at hand are tokenised in one call, sorted by
length, and cut into small batches of at most ``token_budget`` padded tokens, each run on one thread.
"""

import numpy as np
from tokenizers import Tokenizer

MAX_BYTES = 1_000_000  # of one text, tokenised whole before it is cut at the model's length


class Texts:
    """TEXT, BYTES [N, 1] → EMBEDDING, FP32 [N, D]; of a sparse model also SPARSE_INDICES and SPARSE_WEIGHTS [N, K]."""

    def __init__(self, folder, parameters, graph):
        self.graph = graph
        self.dimension = int(parameters["dimension"])
        self.token_budget = int(parameters["token_budget"])
        self.pad_token_id = int(parameters["pad_token_id"])
        self.sparse = parameters.get("kind") == "text_sparse"
        self.tokenizer = open_tokenizer(folder, int(parameters["max_length"]))

    def warm_up(self):
        """One run of the graph."""
        self.embed([""])

    def read(self, tensor):
        """The texts of one request.

        Raises:
            ValueError: one is not UTF-8, or too long.
        """
        return [decoded(value, row) for row, value in enumerate(tensor("TEXT").reshape(-1))]

    def embed(self, texts):
        """The outputs of ``texts``, in their order."""
        encodings = self.tokenizer.encode_batch_fast(texts)
        lengths = np.fromiter((len(encoding.ids) for encoding in encodings), np.int64, len(encodings))
        order = np.argsort(lengths, kind="stable")
        vectors = np.empty((len(texts), self.dimension), np.float32)
        weights = [None] * len(texts)
        for rows in batches(order, lengths, self.token_budget):
            ids, mask = self.padded(encodings, rows, lengths)
            outputs = self.graph.run({"input_ids": ids, "attention_mask": mask})
            vectors[rows] = outputs["sentence_embedding"]
            if self.sparse:
                for line, row in enumerate(rows):
                    weights[row] = largest(ids[line], outputs["token_weights"][line])
        return {"EMBEDDING": vectors} | (packed(weights) if self.sparse else {})

    def padded(self, encodings, rows, lengths):
        """Token ids and mask ``[rows, longest row]``."""
        width = lengths[rows[-1]]
        ids = np.full((len(rows), width), self.pad_token_id, np.int64)
        mask = np.zeros((len(rows), width), np.int64)
        for line, row in enumerate(rows):
            ids[line, : lengths[row]] = encodings[row].ids
            mask[line, : lengths[row]] = 1
        return ids, mask


def open_tokenizer(folder, max_length):
    """The tokenizer of a version, which cuts at ``max_length`` tokens and does not pad."""
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_length)
    return tokenizer


def decoded(value, row):
    """The text of row ``row``."""
    if len(value) > MAX_BYTES:
        raise ValueError(f"TEXT {row} has {len(value):,} bytes, at most {MAX_BYTES:,} are taken: cut it")
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"TEXT {row} is not UTF-8: {error}") from error


def batches(order, lengths, budget):
    """Cut rows, shortest first, where rows × longest row would pass the budget; every batch has one row at least."""
    start = 0
    for end in range(1, len(order) + 1):
        if end == len(order) or lengths[order[end]] * (end + 1 - start) > budget:
            yield order[start:end]
            start = end


def largest(ids, weights):
    """The token ids of one text that weigh more than 0, ascending, and the largest weight of each.

    The graph gives 0 for padding and for the tokenizer's special tokens.
    """
    there = weights > 0
    tokens, places = np.unique(ids[there], return_inverse=True)
    best = np.zeros(len(tokens), np.float32)
    np.maximum.at(best, places, weights[there])
    return tokens, best


def packed(rows):
    """Token ids ``[N, K]``, padded with -1, and weights ``[N, K]``, padded with 0; K is the longest row, at least 1."""
    width = max(1, *(len(tokens) for tokens, _ in rows))
    indices = np.full((len(rows), width), -1, np.int32)
    weights = np.zeros((len(rows), width), np.float32)
    for row, (tokens, best) in enumerate(rows):
        indices[row, : len(tokens)] = tokens
        weights[row, : len(best)] = best
    return {"SPARSE_INDICES": indices, "SPARSE_WEIGHTS": weights}
