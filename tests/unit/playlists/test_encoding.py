"""Ids to bytes and back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.errors import ContractError, InputError
from include.playlists.encoding import decoded, encoded
from include.playlists.parameters import Encoding

IDS = st.lists(st.integers(0, 2**31 - 1), unique=True).map(sorted)


@given(ids=IDS, encoding=st.sampled_from(["int32", "int64", "json"]))
def test_what_is_encoded_is_decoded_again(ids: list[int], encoding: Encoding) -> None:
    found = decoded("key", encoded("key", np.asarray(ids, np.int64), encoding), encoding)
    assert found.dtype == np.int64
    assert found.tolist() == ids


def test_the_greatest_id_of_each_encoding_fits_and_the_next_one_is_told() -> None:
    greatest = np.asarray([2**31 - 1])
    assert decoded("key", encoded("key", greatest, "int32"), "int32").tolist() == [2**31 - 1]
    with pytest.raises(InputError, match="key: id 2147483648 does not fit into int32.*PLAYLIST_ENCODING=int64"):
        encoded("key", greatest + 1, "int32")
    for encoding in ("int64", "json"):
        assert decoded("key", encoded("key", np.asarray([2**63 - 1]), encoding), encoding).tolist() == [2**63 - 1]


@pytest.mark.parametrize(
    ("value", "encoding"),
    [(b"123", "int32"), (b"1234", "int64"), (b"[1,", "json"), (b'["a"]', "json"), (b"[1.5]", "json"),
     (b"[[1]]", "json"), (b"[true]", "json"), (b'{"a": 1}', "json"), (b"", "json"), (b"1234", "int16")],
)  # fmt: skip
def test_a_value_in_no_such_encoding_is_refused(value: bytes, encoding: str) -> None:
    with pytest.raises(
        ContractError, match=f"playlist_idx:drp_song does not hold ids as {encoding} .*Run playlist_cache"
    ):
        decoded("playlist_idx:drp_song", value, encoding)
