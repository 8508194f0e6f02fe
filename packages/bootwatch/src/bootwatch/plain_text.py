"""Texts of devices, made harmless before they reach a terminal or a log."""

import unicodedata

CONTROLS = {"Cc", "Cf", "Zl", "Zp", "Cs"}  # Unicode's categories of what is not seen


def without_controls(text: str) -> str:
    """Drop what would move a cursor or turn a line around; a new line becomes a space."""
    return "".join(
        " " if letter in "\r\n\t" else letter
        for letter in text
        if letter in "\r\n\t" or unicodedata.category(letter) not in CONTROLS
    )
