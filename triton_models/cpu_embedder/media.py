"""Images and sounds to vectors, by the checkpoint's own preprocessing as the manifest tells it."""

import json

import numpy as np
from preprocess import input_features, pixel_values

RUN_ROWS = 4  # images or sounds of one run of the graph: a run of one thread gains nothing by more
MAX_SECONDS = 60  # of one sound, of which the checkpoint hears the first ten


class Media:
    """One input of the graph, with rows of one fixed shape."""

    graph_input: str

    def __init__(self, folder, parameters, graph):
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        self.settings = manifest["preprocess"]
        self.graph = graph
        self.dimension = int(parameters["dimension"])

    def warm_up(self):
        """One run of the graph."""
        self.embed([np.zeros(self.shape(), np.float32)])

    def embed(self, rows):
        """The outputs of prepared ``rows``, in their order."""
        vectors = np.empty((len(rows), self.dimension), np.float32)
        for start in range(0, len(rows), RUN_ROWS):
            part = np.stack(rows[start : start + RUN_ROWS])
            vectors[start : start + len(part)] = self.graph.run({self.graph_input: part})["sentence_embedding"]
        return {"EMBEDDING": vectors}


class Images(Media):
    """IMAGE, BYTES [N, 1]: encoded images → EMBEDDING, FP32 [N, D]."""

    graph_input = "pixel_values"

    def shape(self):
        """Of one prepared image."""
        return (3, *self.settings["crop"])

    def read(self, tensor):
        """The pixels of one request's images.

        Raises:
            ValueError: one is no readable image, or too large.
        """
        return [
            told(row, "IMAGE", pixel_values, value, self.settings)
            for row, value in enumerate(tensor("IMAGE").reshape(-1))
        ]


class Sounds(Media):
    """AUDIO, FP32 [N, S]: mono samples; LENGTH, INT32 [N, 1], where rows are padded → EMBEDDING, FP32 [N, D]."""

    graph_input = "input_features"

    def __init__(self, folder, parameters, graph):
        super().__init__(folder, parameters, graph)
        self.filters = np.load(folder / self.settings["mel_filters"])

    def shape(self):
        """Of one prepared sound."""
        return (1, self.settings["max_samples"] // self.settings["hop"] + 1, self.settings["mels"])

    def read(self, tensor):
        """The log-mel spectra of one request's sounds.

        Raises:
            ValueError: one is empty, too long, or has samples that are not finite.
        """
        sounds, lengths = tensor("AUDIO"), tensor("LENGTH")
        most = MAX_SECONDS * self.settings["sample_rate"]
        if sounds.shape[1] > most:
            raise ValueError(f"AUDIO has rows of {sounds.shape[1]:,} samples, at most {most:,} are taken: cut them")
        lengths = [sounds.shape[1]] * len(sounds) if lengths is None else lengths.reshape(-1).tolist()
        wrong = [length for length in lengths if not 0 < length <= sounds.shape[1]]
        if wrong:
            raise ValueError(f"LENGTH {wrong[0]} is not between 1 and the {sounds.shape[1]:,} samples of AUDIO")
        return [
            told(row, "AUDIO", self.features, sound[:length])
            for row, (sound, length) in enumerate(zip(sounds, lengths, strict=True))
        ]

    def features(self, sound):
        """The log-mel spectrum of one sound."""
        features = input_features(sound, self.settings, self.filters)
        if not np.isfinite(features).all():
            raise ValueError("samples are far outside -1 to 1")
        return features


def told(row, name, prepare, *arguments):
    """``prepare(*arguments)``, whose complaint names the input and its row."""
    try:
        return prepare(*arguments)
    except ValueError as error:
        raise ValueError(f"{name} {row}: {error}") from error
