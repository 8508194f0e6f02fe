"""The parameters of a property: `TEL;WORK;FAX` of 2.1 and `TEL;TYPE="work,fax";PREF=1` of 4.0."""

import re
from typing import NamedTuple

_PARAMETER = re.compile(r';[ \t]*((?:[^";]|"[^"]*"|")*)')
_VALUE = re.compile(r'(?:"[^"]*"|[^",])+|"')
_WORDS = re.compile(r"[\w -]+(?:,[\w -]+)*")
_SPECIAL = re.compile(r"[:;,]")
_ENCODINGS = frozenset({"QUOTED-PRINTABLE", "BASE64", "8BIT", "7BIT", "B", "Q"})
_VALUES = frozenset({"INLINE", "URL", "URI", "CID", "CONTENT-ID"})


class Parameter(NamedTuple):
    """One parameter.

    Attributes:
        name: In capitals. Words that stand alone in 2.1 get the name that they have in 3.0.
        value: As it stands there, quotes included.
    """

    name: str
    value: str

    @property
    def text(self) -> str:
        """The value without quotes."""
        return self.value.replace('"', "")

    @property
    def values(self) -> list[str]:
        """The values between commas, without quotes and blanks around them.

        A comma in quotes separates too if all that is quoted are words, as `"work,voice"` of 4.0.
        """
        parts = [part.strip() for part in _VALUE.findall(self.value)]
        found: list[str] = []
        for part in filter(None, parts):
            bare = part.strip('"')
            found += bare.split(",") if _WORDS.fullmatch(bare) else [bare]
        return [one.strip() for one in found if one.strip()]

    @classmethod
    def quoted(cls, name: str, text: str) -> "Parameter":
        """A parameter of this text, in quotes where it needs them."""
        return cls(name, f'"{text}"' if _SPECIAL.search(text) else text)


def parameters_of(head: bytes) -> list[Parameter]:
    """The parameters of a property.

    Args:
        head: Its name and parameters, unfolded, up to and with the colon.

    Returns:
        One entry each, in order. A name that occurs twice is there twice.

    Example:
        >>> parameters_of(b"TEL;WORK;ENCODING=8BIT:")
        [Parameter(name='TYPE', value='WORK'), Parameter(name='ENCODING', value='8BIT')]
    """
    text = head.decode("utf-8", "replace").removesuffix(":")
    found = []
    for match in _PARAMETER.finditer(text):
        name, equals, value = (part.strip() for part in match[1].partition("="))
        if equals:
            found.append(Parameter(name.upper(), value))
        elif name:
            word = name.upper()
            kind = "ENCODING" if word in _ENCODINGS else "VALUE" if word in _VALUES else "TYPE"
            found.append(Parameter(kind, name))
    return found
