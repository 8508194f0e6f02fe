"""The columns of the CSV files that Google Contacts writes and reads, and what its labels mean.

Google publishes no reference of them. They are the columns of files that it exported in 2024 to
2026, which many public repositories hold, read in November 2026. Names of the layout before 2024
(`Given Name`, `E-mail 1 - Type`) are read as well.
"""

import re

#: Columns of which a contact has one.
FIXED = (
    "First Name", "Middle Name", "Last Name",
    "Phonetic First Name", "Phonetic Middle Name", "Phonetic Last Name",
    "Name Prefix", "Name Suffix", "Nickname", "File As",
    "Organization Name", "Organization Title", "Organization Department",
    "Birthday", "Notes", "Photo", "Labels",
)  # fmt: skip
#: Columns that are numbered: `E-mail 1 - Label`, `E-mail 1 - Value`, `E-mail 2 - Label`, …
REPEATED = {
    "E-mail": ("Label", "Value"),
    "Phone": ("Label", "Value"),
    "Address": ("Label", "Formatted", "Street", "City", "PO Box", "Region", "Postal Code",
                "Country", "Extended Address"),
    "Relation": ("Label", "Value"),
    "Website": ("Label", "Value"),
    "Event": ("Label", "Value"),
    "Custom Field": ("Label", "Value"),
}  # fmt: skip
#: The parts of an address in the order in which ADR has them.
ADDRESS = ("PO Box", "Extended Address", "Street", "City", "Region", "Postal Code", "Country")
#: The parts of a name in the order in which N has them.
NAME = ("Last Name", "First Name", "Middle Name", "Name Prefix", "Name Suffix")
PHONETIC = {f"X-PHONETIC-{word.upper()}-NAME": f"Phonetic {word} Name"
            for word in ("First", "Middle", "Last")}  # fmt: skip
SEPARATOR = " ::: "  # between values of one cell
PREFERRED = "* "  # before the label of what is preferred

_EARLIER_NAMES = {
    "Given Name": "First Name", "Additional Name": "Middle Name", "Family Name": "Last Name",
    "Given Name Yomi": "Phonetic First Name", "Additional Name Yomi": "Phonetic Middle Name",
    "Family Name Yomi": "Phonetic Last Name", "Group Membership": "Labels", "Name": "File As",
    "Organization 1 - Name": "Organization Name", "Organization 1 - Title": "Organization Title",
    "Organization 1 - Department": "Organization Department",
}  # fmt: skip
_NUMBERED = re.compile(rf"({'|'.join(REPEATED)}) (\d+) - (.+)")

_LABELS = {
    "HOME": "Home", "WORK": "Work", "CELL": "Mobile", "MAIN": "Main", "PAGER": "Pager",
    "OTHER": "Other", "HOME FAX": "Home Fax", "WORK FAX": "Work Fax", "FAX": "Other Fax",
    "WORK CELL": "Work Mobile", "WORK PAGER": "Work Pager",
}  # fmt: skip
_TYPES_OF = {label.lower(): types.split() for types, label in _LABELS.items()}
_LABEL_OF = {frozenset(types.split()): label for types, label in _LABELS.items()}
#: Types that say nothing which a CSV file does not say by its column.
_NEEDLESS = frozenset({"INTERNET", "VOICE", "PREF"})


def column_of(head: str) -> str:
    """The column of today that a heading of any layout names; an unknown heading as it is."""
    name = " ".join(head.split())
    if name in _EARLIER_NAMES:
        return _EARLIER_NAMES[name]
    numbered = _NUMBERED.fullmatch(name)
    return (
        f"{numbered[1]} {int(numbered[2])} - Label" if numbered and numbered[3] == "Type" else name
    )


def is_known(column: str) -> bool:
    """Whether Google Contacts has a column of this name."""
    numbered = _NUMBERED.fullmatch(column)
    return column in FIXED or bool(numbered and numbered[3] in REPEATED[numbered[1]])


def number_of(column: str) -> tuple[str, int, str] | None:
    """What, which and which part, as `("E-mail", 1, "Label")`; `None` for a fixed column."""
    numbered = _NUMBERED.fullmatch(column)
    return (numbered[1], int(numbered[2]), numbered[3]) if numbered else None


def columns_for(counts: dict[str, int]) -> list[str]:
    """All columns of a file, in Google's order, with so many of each that is numbered."""
    numbered = [
        f"{what} {number} - {part}"
        for what, parts in REPEATED.items()
        for number in range(1, counts.get(what, 0) + 1)
        for part in parts
    ]
    return [*FIXED, *numbered]


def label_of(types: list[str]) -> tuple[str, bool]:
    """The label for the types of an address or a number.

    Args:
        types: The values of `TYPE`, in letters of any case.

    Returns:
        The label, with `* ` before it for what is preferred, and whether it says all that they say.
    """
    named = {one.upper(): one for one in types}
    mark = PREFERRED if "PREF" in named else ""
    kinds = frozenset(named) - _NEEDLESS
    if not kinds:
        return mark.rstrip(), True
    if kinds in _LABEL_OF:
        return mark + _LABEL_OF[kinds], True
    if len(kinds) == 1:
        return mark + named[next(iter(kinds))], True
    best = max((k for k in _LABEL_OF if k <= kinds), key=len, default=frozenset())
    return mark + _LABEL_OF.get(best, named[min(kinds)]), False


def types_of(label: str) -> tuple[list[str], str]:
    """The types that a label stands for, and what is left of it as text, or `""`."""
    types = ["PREF"] if label.startswith("*") else []
    text = label.removeprefix("*").strip()
    known = _TYPES_OF.get(text.lower())
    return ([*known, *types], "") if known else (types, text)
