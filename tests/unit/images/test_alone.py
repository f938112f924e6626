"""The server of its own starts over what was saved, whatever keeps it from building anew."""

from __future__ import annotations

import pytest

from include.errors import ServiceUnavailable
from include.images.api.alone import _rebuilt
from include.images.parameters import ImageType


@pytest.mark.parametrize("fault", [ServiceUnavailable("MySQL is away."), MemoryError("no room"), RuntimeError("faiss")])
def test_a_build_that_fails_in_any_way_is_told_and_keeps_no_server_from_starting(
    fault: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    tried: list[ImageType] = []

    def rebuild(image_type: ImageType) -> None:
        tried.append(image_type)
        raise fault

    _rebuilt(rebuild)

    assert tried == ["normal", "defect"]
    assert caplog.text.count(f"{type(fault).__name__}: {fault}") >= 2
    assert ("Traceback" in caplog.text) == (not isinstance(fault, ServiceUnavailable))
