"""Dates, coordinates and telephone numbers, which versions write in different forms.

Sources: RFC 2426, 3.1.5, 3.3.1 and 3.4.2; RFC 6350, 4.3, 6.2.5, 6.4.1 and 6.5.2; RFC 3966 for
`tel:`, RFC 5870 for `geo:`.
"""

import re
from typing import NamedTuple

from cardsplit.parameters import Parameter

DATES = frozenset({"BDAY", "ANNIVERSARY", "REV"})

_EXTENDED_DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)(?:T(\d\d):?(\d\d):?(\d\d)(?:[.,]\d+)?(.*))?")
_BASIC_DATE = re.compile(r"(\d{4})(\d\d)(\d\d)(T.*)?")
_DATE_OF_40 = re.compile(r"[\d-]+(?:T[\d:Z+-]*)?|T[\d:Z+-]+")
_WHOLE_DATE = re.compile(r"\d{4}-?\d\d-?\d\d(?:T.*)?")
_NUMBER = r"\s*([+-]?\d+(?:\.\d+)?)\s*"
_COORDINATES = re.compile(f"{_NUMBER};{_NUMBER}")
_GEO_URI = re.compile(f"geo:{_NUMBER},{_NUMBER}", re.IGNORECASE)
_TEL_URI = re.compile(r"tel:([^;]*)(?:;ext=([^;]*))?", re.IGNORECASE)


class Form(NamedTuple):
    """A value and parameters as a version writes them.

    Attributes:
        value: The value.
        parameters: The parameters.
        is_kept: Whether the version has a form for the value; else it was left as it is.
        doubt: What a person should know of it, or `""`; starts behind the property's name.
    """

    value: str
    parameters: list[Parameter]
    is_kept: bool = True
    doubt: str = ""


def form_of(name: str, value: str, parameters: list[Parameter], version: str) -> Form:
    """How a version writes a value.

    Args:
        name: The property, in capitals.
        value: The value, escaped as in 3.0 and 4.0.
        parameters: Its parameters.
        version: `"3.0"` or `"4.0"`.

    Returns:
        The value and its parameters, unchanged for most properties.
    """
    if name in DATES:
        return _date(value, parameters, version)
    if name == "GEO":
        return _coordinates(value, parameters, version)
    if name == "TEL" and version == "3.0" and (uri := _TEL_URI.fullmatch(value)):
        extension = f" x{uri[2]}" if uri[2] else ""
        return Form(uri[1] + extension, _without_value(parameters))
    return Form(value, parameters)


def is_date(text: str) -> bool:
    """Whether a text is a date such as `1970-01-31`, or `--01-31` of an unknown year."""
    return re.fullmatch(r"(?:\d{4}|-)-\d\d-\d\d", text, re.ASCII) is not None


def _date(value: str, parameters: list[Parameter], version: str) -> Form:
    """A date; as text where it can be none."""
    is_text = any(p.name == "VALUE" and p.text.lower() == "text" for p in parameters)
    if version == "3.0":
        doubt = "" if _WHOLE_DATE.fullmatch(value) else "is no whole date, which 3.0 asks for"
        if not is_text and (basic := _BASIC_DATE.fullmatch(value)):
            year, month, day, time = basic.groups("")
            value = f"{year}-{month}-{day}{time}"
        return Form(value, parameters, doubt=doubt)
    if is_text:
        return Form(value, parameters)
    others = _without_value(parameters)
    if extended := _EXTENDED_DATE.fullmatch(value):
        year, month, day, *time = extended.groups("")
        clock = f"T{''.join(time)}" if time[0] else ""
        return Form(f"{year}{month}{day}{clock.replace(':', '')}", others)
    if _DATE_OF_40.fullmatch(value) or not value:
        return Form(value, others)
    text = Parameter("VALUE", "text")
    return Form(value, [*others, text], doubt="is no date and was kept as text")


def _coordinates(value: str, parameters: list[Parameter], version: str) -> Form:
    """`GEO:48.2;16.3` of 3.0 is `GEO:geo:48.2,16.3` in 4.0.

    2.1 separates them by a comma, in an order on which programs do not agree.
    """
    old, uri = _COORDINATES.fullmatch(value.replace("\\;", ";")), _GEO_URI.match(value)
    if not old and not uri:
        return Form(value, parameters, is_kept=False)
    if version == "4.0":
        new = value if uri else "geo:{},{}".format(*old.groups())  # type: ignore[union-attr]  # one of both matches
    else:
        new = "{};{}".format(*uri.groups()) if uri else ";".join(old.groups())  # type: ignore[union-attr]  # likewise
    return Form(new, _without_value(parameters))


def _without_value(parameters: list[Parameter]) -> list[Parameter]:
    return [parameter for parameter in parameters if parameter.name != "VALUE"]
