"""A picture of noise, and how a caller sends one."""

from __future__ import annotations

import io
from typing import Any

from fastapi.testclient import TestClient
from PIL import Image


def png(side: int = 30) -> bytes:
    buffer = io.BytesIO()
    Image.effect_noise((side, side), 80).convert("RGB").save(buffer, "PNG")
    return buffer.getvalue()


def upload(client: TestClient, data: bytes, name: str = "x.jpg") -> Any:
    return client.post("/similarity", files={"file": (name, data, "image/jpeg")})
