import numpy as np
import pyarrow as pa

from include.generations.vectors import from_column, to_column


def test_vectors_survive_a_column_even_a_sliced_and_chunked_one() -> None:
    vectors = np.arange(12, dtype=np.float32).reshape(4, 3)
    column = to_column(vectors)
    assert np.array_equal(from_column(column), vectors)
    assert np.array_equal(from_column(pa.chunked_array([column[1:3], column[3:]])), vectors[1:])
