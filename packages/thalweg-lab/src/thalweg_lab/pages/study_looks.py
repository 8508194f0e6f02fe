"""How the methods of a study look: colours and markers by their order in the study.

A study's labels are its own, and there may be more of them than the eight colours: then a colour
comes again with another marker. A label looks the same on the whole page.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from thalweg.report.looks import MARKERS, SLOTS, Look

if TYPE_CHECKING:
    from collections.abc import Iterable


class Looks:
    """From a label to its look.

    Args:
        labels: The study's methods in their order; others get the looks after theirs when they
            are first asked for.
    """

    def __init__(self, labels: Iterable[str]) -> None:
        self._places = {label: place for place, label in enumerate(dict.fromkeys(labels))}

    def __call__(self, label: str) -> Look:
        """The look of a label."""
        place = self._places.setdefault(label, len(self._places))
        round_, slot = divmod(place, SLOTS)
        return Look(label, label, f"m{slot}", MARKERS[(slot + round_) % SLOTS])
