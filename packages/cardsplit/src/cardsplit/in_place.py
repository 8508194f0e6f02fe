"""Anti-merging and undoing files where they are: each is replaced as a whole, all or none.

All files are read and all results written beside them before the first is replaced. If one cannot
be replaced then, those that were get their old content back.
"""

import contextlib
import os
from collections.abc import Mapping

from cardsplit.antimerging import planned, unmarked
from cardsplit.card_store import CardStore
from cardsplit.cards import Card
from cardsplit.errors import OutputError, UsageError
from cardsplit.output import Replacements
from cardsplit.packed import is_compressed
from cardsplit.rewriting import OnRead, Rewriting, rewrite, stored
from cardsplit.rules import Rule
from cardsplit.sources import STANDARD_INPUT, check_inputs

BACKUP_SUFFIX = ".bak"


def antimerge_in_place(
    names: str | list[str],
    *,
    rule: Rule = Rule.DISPLAY,
    with_fn: bool = False,
    backup: bool = False,
    on_read: OnRead = lambda _: None,
) -> Rewriting:
    """Anti-merge files and put the results in their places, where they differ.

    Args:
        names: One path or several. Cards of different files are distinguished too.
        rule: How the address book recognises a person.
        with_fn: Whether to mark FN as well as N. The rule `fn` always does.
        backup: Whether to keep each file that changes as it was, with `.bak` behind its name.
        on_read: Called with how many more bytes have been read; all are read twice.

    Returns:
        What was done.

    Raises:
        CardsplitError: If a file cannot be read, holds no card or cannot be replaced, or has a
            backup already. Then all files are as they were.
    """
    with stored(_checked(names), on_read) as store:
        done, changed = planned(store, rule, with_fn=with_fn or rule is Rule.FN)
        _replace(store, changed, done, backup=backup, on_read=on_read)
    return done


def undo_in_place(
    names: str | list[str], *, backup: bool = False, on_read: OnRead = lambda _: None
) -> Rewriting:
    """Take the marks off files that were anti-merged together.

    Args:
        names: One path or several: all files that were anti-merged together.
        backup: See `antimerge_in_place`.
        on_read: Called with how many more bytes have been read; all are read twice or more often.

    Returns:
        What was done.

    Raises:
        CardsplitError: See `antimerge_in_place`.
    """
    with stored(_checked(names), on_read) as store:
        done, before = unmarked(store)
        _replace(store, before, done, backup=backup, on_read=on_read)
    return done


def _checked(names: str | list[str]) -> list[str]:
    """The names as a list of different files."""
    found = [names] if isinstance(names, str) else names
    if STANDARD_INPUT in found:
        raise UsageError("`-` has no place where it could be replaced; give files.")
    check_inputs(found)
    for name in found:
        with contextlib.suppress(OSError), open(name, "rb", buffering=0) as file:  # noqa: PTH123 - `name` is kept as the user wrote it
            if is_compressed(file):
                raise UsageError(f"`{name}` is compressed and cannot be replaced; give `-o`.")
    return found


def _replace(
    store: CardStore,
    changed: Mapping[int, Card],
    done: Rewriting,
    *,
    backup: bool,
    on_read: OnRead,
) -> None:
    """Replace the files of a store that change."""
    suffix = BACKUP_SUFFIX if backup else ""
    files = [number for number, file in enumerate(done.files) if file.changed]
    for kept in (f"{done.files[number].name}{suffix}" for number in files if suffix):
        if os.path.lexists(kept):
            raise OutputError(f"`{kept}` is there already; move it away first.")
    with Replacements(suffix) as replacements:
        for number in files:
            with replacements.new_file(done.files[number].name) as sink:
                rewrite(store, changed, number, sink, on_read)
