"""Split vCard files and keep address books from merging namesakes, without losing a byte.

    from cardsplit import antimerge, split, undo

    cards = list(split(data))            # b"".join(cards) == data
    marked = antimerge(cards)        # N:Miller /ABC-Corp/;Peter
    assert undo(marked) == cards

Files of any size are handled by `split_files`, `antimerge_files`, `antimerge_in_place`,
`undo_files`, `undo_in_place`, `count_file` and `find_clashes`, which is what the command
`cardsplit` calls.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cardsplit.antimerging import (
        antimerge,
        antimerge_files,
        undo,
        undo_file,
        undo_files,
    )
    from cardsplit.apps import APPS, App
    from cardsplit.cards import Card, split
    from cardsplit.census import Census, count_file
    from cardsplit.clashing import Clash, find_clashes
    from cardsplit.converting import Converted, convert
    from cardsplit.deduplicating import dedupe_files
    from cardsplit.errors import CardsplitError, InputError, OutputError, UsageError
    from cardsplit.exporting import export_csv
    from cardsplit.importing import import_csv
    from cardsplit.in_place import antimerge_in_place, undo_in_place
    from cardsplit.joining import join_files
    from cardsplit.limits import PRESETS, Limit
    from cardsplit.rewriting import Rewriting
    from cardsplit.rules import Detail, Rule
    from cardsplit.single_files import split_by
    from cardsplit.splitting import Part, Splitting, split_files
    from cardsplit.stripping import strip_files

    __version__: str

# A name is imported from its module when it is asked for, as a command needs few of them and
# starting is most of the time that a small file takes.
_HOMES = {
    "antimerging": (
        "antimerge",
        "antimerge_files",
        "undo",
        "undo_file",
        "undo_files",
    ),
    "apps": ("APPS", "App"),
    "cards": ("Card", "split"),
    "converting": ("Converted", "convert"),
    "deduplicating": ("dedupe_files",),
    "exporting": ("export_csv",),
    "importing": ("import_csv",),
    "joining": ("join_files",),
    "single_files": ("split_by",),
    "stripping": ("strip_files",),
    "census": ("Census", "count_file"),
    "clashing": ("Clash", "find_clashes"),
    "in_place": ("antimerge_in_place", "undo_in_place"),
    "rewriting": ("Rewriting",),
    "errors": ("CardsplitError", "InputError", "OutputError", "UsageError"),
    "rules": ("Detail", "Rule"),
    "limits": ("PRESETS", "Limit"),
    "splitting": ("Part", "Splitting", "split_files"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "APPS",
    "PRESETS",
    "App",
    "Card",
    "CardsplitError",
    "Census",
    "Clash",
    "Converted",
    "Detail",
    "InputError",
    "Limit",
    "OutputError",
    "Part",
    "Rewriting",
    "Rule",
    "Splitting",
    "UsageError",
    "__version__",
    "antimerge",
    "antimerge_files",
    "antimerge_in_place",
    "convert",
    "count_file",
    "dedupe_files",
    "export_csv",
    "find_clashes",
    "import_csv",
    "join_files",
    "split",
    "split_by",
    "split_files",
    "strip_files",
    "undo",
    "undo_file",
    "undo_files",
    "undo_in_place",
]


def __getattr__(name: str) -> Any:
    """Import a public name, or look up the version, when it is asked for first."""
    if name == "__version__":
        from importlib.metadata import version

        value: Any = version("cardsplit")
    elif name in _HOME_OF:
        value = getattr(import_module(f"cardsplit.{_HOME_OF[name]}"), name)
    else:
        raise AttributeError(f"module `cardsplit` has no attribute `{name}`")
    globals()[name] = value
    return value
