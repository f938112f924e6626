"""One search from beginning to end: the picture is embedded by the model of the index, then looked up."""

from __future__ import annotations

from include.errors import InputError, ServiceUnavailable
from include.images.embedding import ImageEmbedder
from include.images.index import ImageIndex, OtherModelNow, SimilarImage
from include.images.parameters import ALL, TOP_K, Edition
from include.settings import Settings
from include.triton.client import TritonClient

TRIES = 3


def search_image(
    image: bytes, settings: Settings, *, image_type: str = "defect", edition: Edition = "v2", top_k: int = TOP_K
) -> list[SimilarImage]:
    """The nearest images of an encoded one, the nearest first.

    Raises:
        InputError: there is no such index yet, or the bytes are no image.
        ServiceUnavailable: Triton does not answer, or the index changes its model again and again.
    """
    if image_type == ALL:
        msg = "A search is over one index: name defect or normal."
        raise InputError(msg)
    index = ImageIndex.open(image_type, settings, edition=edition)
    with TritonClient(settings.kserve_url) as client:
        for _ in range(TRIES):
            model = index.model
            (vector,) = ImageEmbedder.of(client, model, settings).embed([image])
            try:
                return index.search(vector, top_k, fingerprint=model.fingerprint)
            except OtherModelNow:
                continue
    msg = f"The index of {image_type} images changed its model {TRIES} times during one search. Try again."
    raise ServiceUnavailable(msg)
