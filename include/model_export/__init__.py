"""An encoder of texts, images or sounds becomes one checked ONNX graph with all that a server needs beside it.

``launch``, ``request``, ``manifest``, ``contract``, ``floors`` and ``preprocess`` run everywhere. The rest runs in the
export environment, which has torch: ``source`` → ``processor`` → ``graph`` (``towers``, ``variants``) → ``gate``.
"""
