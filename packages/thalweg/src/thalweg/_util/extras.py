"""Optional libraries: imported where they are used, with an error that names the extra."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from thalweg.errors import MissingExtraError

if TYPE_CHECKING:
    from types import ModuleType


def import_extra(module: str, *, library: str, extra: str, needed_by: str) -> ModuleType:
    """Import a module of an optional library.

    Args:
        module: The module, such as `sklearn`.
        library: The library's name in the package index, such as `scikit-learn`.
        extra: The extra of thalweg that installs it.
        needed_by: What needs it, for the message.

    Raises:
        MissingExtraError: The library is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise MissingExtraError(library, extra=extra, needed_by=needed_by) from error
