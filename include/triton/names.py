"""The names under which a server knows a model: its own, its candidate's, and those of versions served beside it.

A catalogue's name has no ``-``, so none of these can be a model of the catalogue.
"""

from __future__ import annotations

import re

CANDIDATE = "-candidate"


def candidate_name(model: str) -> str:
    """Of a version that is being checked, and that no user asks for."""
    return model + CANDIDATE


def beside_name(model: str, fingerprint: str) -> str:
    """Of an earlier version, for those whose vectors were made by it.

    The name follows the fingerprint, not the order of deploys, so that what it leads to never changes.
    """
    return f"{model}-{fingerprint[:12]}"


def is_beside(name: str, model: str) -> bool:
    """Whether ``name`` is that of a version of ``model`` served beside it."""
    return re.fullmatch(rf"{re.escape(model)}-[0-9a-f]{{12}}", name) is not None
