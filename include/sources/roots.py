"""Which paths the parameters of a run may name: who may start a run need not be one who may read every file here."""

from __future__ import annotations

from pathlib import Path

from include.errors import InputError
from include.objects.locations import Allowed, NotAllowed
from include.settings import PROJECT_ROOT, get_settings


def check_input(path: str | Path) -> Path:
    """The absolute path of what a run may read; a relative one starts at the project's root.

    Where ``input_roots`` is set, it lies below one of these folders when all links are followed, or is what the project
    itself wrote to be read by another run: the chunk texts of documents.

    Raises:
        NotAllowed: it does not, whether or not it exists.
        InputError: this user may not enter its folder, so whether it exists cannot be told.
    """
    settings = get_settings()
    found = _below(path, settings.input_roots, "EMBSEARCH_INPUT_ROOTS", besides=(settings.documents_dir,))
    try:
        found.exists()
    except PermissionError as error:
        msg = f"This user may not enter the folder of {found}. Change the folder's rights, or give another path."
        raise InputError(msg) from error
    return found


def check_output(path: str | Path) -> Path:
    """The absolute path of a folder that a run may write to, by ``output_roots`` as :func:`check_input` does.

    Raises:
        NotAllowed: it lies elsewhere.
    """
    return _below(path, get_settings().output_roots, "EMBSEARCH_OUTPUT_ROOTS")


def _below(path: str | Path, roots: str, setting: str, besides: tuple[Path, ...] = ()) -> Path:
    found = PROJECT_ROOT / path
    allowed = Allowed.below(roots).folders
    if allowed and not Allowed((*allowed, *besides), ()).holds(found.resolve()):
        msg = (
            f"{found} is outside of {', '.join(map(str, allowed))} ({setting}). Give a path below, or have the one who "
            "runs this installation add its folder."
        )
        raise NotAllowed(msg)
    return found
