"""A sentence encoder becomes one checked ONNX graph with tokenizer and manifest.

``export``, ``graph``, ``source`` and ``gate`` run in the export environment, which has torch; ``manifest``, ``request``
and ``launch`` run everywhere.
"""
