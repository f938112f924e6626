"""Texts to vectors on a GPU: tokenised in one call, packed into runs of fixed size, never padded to each other."""

import numpy as np
from texts import Texts, largest, packed


class PackedTexts(Texts):
    """TEXT, BYTES [N, 1] → EMBEDDING, FP32 [N, D]; of a sparse model also SPARSE_INDICES and SPARSE_WEIGHTS [N, K]."""

    def embed(self, texts):
        """The outputs of ``texts``, in their order."""
        encodings = self.tokenizer.encode_batch_fast(texts)
        # A tokenizer that adds no tokens of its own makes nothing of an empty text.
        ids = [np.array(encoding.ids or [self.pad_token_id], np.int32) for encoding in encodings]
        vectors, weights = self.graph.embed(ids)
        sparse = packed([largest(*row) for row in zip(ids, weights, strict=True)]) if self.sparse else {}
        return {"EMBEDDING": vectors} | sparse
