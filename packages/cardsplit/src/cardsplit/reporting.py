"""What anti-merging and undoing did, as data for another program. Cards are counted from 1."""

from bisect import bisect_right
from typing import Any

from cardsplit.rewriting import Rewriting


def report_of(done: Rewriting, out: str | None) -> dict[str, Any]:
    """What was done.

    Args:
        done: What was done.
        out: Where all files went; `None` if each was replaced where it is.

    Returns:
        `files` has an entry for each file written: `output`, `cards`, `changed`, and `marks` with
        the number of each marked card in that file. Beside it stand `clashes`, `copies`, which are
        groups of equal cards, and `notes`, for all files together.
    """
    firsts = [0] if out is not None else [file.first for file in done.files]
    names = [out] if out is not None else [file.name for file in done.files]
    sizes = [(done.cards, done.changed)]
    if out is None:
        sizes = [(file.cards, file.changed) for file in done.files]
    files: list[dict[str, Any]] = [
        {"output": name, "cards": cards, "changed": changed, "marks": []}
        for name, (cards, changed) in zip(names, sizes, strict=True)
    ]

    def place(number: int) -> tuple[int, int]:
        file = bisect_right(firsts, number) - 1
        return file, number - firsts[file] + 1

    for number, mark in sorted(done.marks.items()):
        file, card = place(number)
        files[file]["marks"].append({"card": card, "mark": mark.text})
    copies = [
        [{"output": names[file], "card": card} for file, card in map(place, same)]
        for same in done.copies
    ]
    if len(files) == 1:  # numbers say enough then
        copies = [[one["card"] for one in same] for same in copies]
        files[0] |= {"clashes": done.clashes, "copies": copies, "notes": done.notes}
        return {"files": files}
    return {"files": files, "clashes": done.clashes, "copies": copies, "notes": done.notes}
