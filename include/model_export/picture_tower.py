"""Histograms of colour and texture as a graph: what :mod:`include.model_export.picture_reference` defines, for ONNX."""

from __future__ import annotations

import math

import torch
from torch.nn.functional import avg_pool2d, conv2d, normalize

from include.errors import InputError
from include.model_export.picture_reference import GREY, TINY, FeatureShape

SOBEL = ((-1.0, 0.0, 1.0), (-2.0, 0.0, 2.0), (-1.0, 0.0, 1.0))


class PictureFeatures(torch.nn.Module):  # type: ignore[misc]  # torch is not in every environment
    """``pixel_values [N, 3, S, S]`` from 0 to 1 → ``[N, D]`` of length 1."""

    def __init__(self, shape: FeatureShape, *, half: bool) -> None:
        super().__init__()
        if half:
            msg = "Histograms are sums of small differences, which float16 loses: export this model in fp32."
            raise InputError(msg)
        self.shape = shape
        across = torch.tensor(SOBEL)
        angles = [number * math.pi / shape.orientations for number in range(shape.orientations)]
        directions = [across * math.cos(angle) + across.T * math.sin(angle) for angle in angles]
        self.register_buffer("directions", torch.stack(directions)[:, None])
        self.register_buffer("grey", torch.tensor(GREY).reshape(1, 3, 1, 1))
        self.register_buffer("levels", torch.arange(float(shape.colour_levels)).reshape(1, 1, -1, 1))

    def forward(self, pixel_values: torch.Tensor) -> torch.Tensor:
        """The graph."""
        shape = self.shape
        grey = conv2d(pixel_values, self.grey)
        patches = [self.edges(avg_pool2d(grey, scale), shape.patch // scale) for scale in shape.scales]
        away = [each - each.mean(2, keepdim=True) for each in patches]
        parts = {
            "colour": self.colours(avg_pool2d(pixel_values, shape.colour_pool)).sqrt(),
            "texture": torch.cat([each.mean(2) for each in patches], 1),
            "spread": torch.cat([each.abs().mean(2) for each in away], 1),
            "peak": torch.cat([each.amax(2) for each in away], 1),
            "spots": self.spots(torch.cat([pixel_values, grey], 1)),
        }
        weighted = [shape.weights[name] * normalize(part, dim=1, eps=TINY) for name, part in parts.items()]
        return normalize(torch.cat(weighted, 1), dim=1, eps=TINY)

    def colours(self, pooled: torch.Tensor) -> torch.Tensor:
        """``[N, levels³]`` the joint histogram."""
        levels = self.shape.colour_levels
        flat = pooled.flatten(2).unsqueeze(2)  # [N, 3, 1, P]
        shares = torch.relu(1 - (flat * (levels - 1) - self.levels).abs())  # [N, 3, levels, P]
        red, green, blue = shares[:, 0], shares[:, 1], shares[:, 2]
        pairs = (red.unsqueeze(2) * green.unsqueeze(1)).flatten(1, 2)  # [N, levels², P]
        joint = torch.matmul(pairs, blue.transpose(1, 2)) / pairs.shape[2]  # [N, levels², levels]
        return joint.flatten(1)

    def edges(self, grey: torch.Tensor, patch: int) -> torch.Tensor:
        """``[N, orientations, P]`` strength of edges in each patch."""
        return avg_pool2d(conv2d(grey, self.directions).abs(), patch).flatten(2)

    def spots(self, channels: torch.Tensor) -> torch.Tensor:
        """``[N, 8]`` for R, G, B and grey: highest patch above the mean, lowest patch below it."""
        patches = avg_pool2d(channels, self.shape.patch).flatten(2)
        away = patches - patches.mean(2, keepdim=True)
        return torch.cat([away.amax(2), -away.amin(2)], 1)
