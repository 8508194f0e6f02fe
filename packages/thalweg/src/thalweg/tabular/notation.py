"""How a column of text writes its values: decimal mark, order of dates, words for a missing value.

    1234.5   1,234.5   1 234.5   1'234.5   $1,234.50   (1,234.50)   12.5 %    decimal point
    1234,5   1.234,5   1 234,5   1'234,5   1.234,50 €  -1.234,50              decimal comma
    2024-03-31   2024/03/31   31.03.2024   and 3/31/2024 or 31/3/2024, as the column writes all
    Mar 31 2024   March 31, 2024   31 Mar 2024   31-Mar-24   and months alone: 2024-03, Mar 2024

Currency and per cent signs are dropped: `12 %` is 12. One column has one currency.
"""

from __future__ import annotations

import dataclasses
import re
from typing import Literal

import polars as pl

Decimal = Literal[".", ","]

# Missing in any column, in any case ...
MISSING = ("", "na", "n/a", "#n/a", "nan", "null", "none", "?")
# ... and where all else is a number, a date, or true and false. Elsewhere they may be categories.
PLACEHOLDERS = (
    *("-", "--", "---", "–", "—", ".", "..", "...", "*", "/", "x"),
    *("n.a.", "n.a", "n/d", "n.d.", "nd"),
    *("unknown", "unk", "missing", "not available", "not applicable", "no data", "nil", "tbd"),
    *("undefined", "<na>", "#na", "#value!", "#ref!", "#div/0!", "#num!", "#name?", "#null!"),
    *("-nan", "void", "empty", "not known", "unspecified", "none given", "k.a.", "keine angabe"),
)  # fmt: skip
DATE_FORMATS = (
    "%Y-%m-%d",
    "%Y/%m/%d",
    "%d.%m.%Y",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%d %H:%M:%S%.f",
    "%Y-%m-%dT%H:%M",
    "%Y-%m-%dT%H:%M:%S%.f",
    "%Y-%m-%dT%H:%M:%S%.fZ",
)
# By the shape of the text, as %Y takes any number of digits. A month alone is its first day.
_DAY_AND_MONTH = r"(?:\p{L}+ \d{1,2},? |\d{1,2}\.? \p{L}+ |\d{1,2}-\p{L}+-)"
NAMED_DATES = (
    (rf"^{_DAY_AND_MONTH}\d{{4}}$", ("%b %d %Y", "%b %d, %Y", "%d %b %Y", "%d. %b %Y", "%d-%b-%Y")),
    (r"^\d{1,2}-\p{L}+-\d{2}$", ("%d-%b-%y",)),
)
MONTHS = (
    (r"^\d{4}-\d{2}$", ("%d %Y-%m",)),
    (r"^\p{L}+(?:,? |-)\d{4}$", ("%d %b %Y", "%d %b, %Y", "%d %b-%Y")),
    (r"^\p{L}+-\d{2}$", ("%d %b-%y",)),
)
SLASHED_TIMES = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p")
_CODES = "USD|EUR|GBP|CHF|JPY|CAD|AUD|NZD|INR|CNY|SEK|NOK|DKK|PLN|CZK|BRL|MXN|ZAR|KRW"
_CURRENCY = rf"(?:[A-Z]{{0,2}}\p{{Sc}}|{_CODES})"
_SPACES = "[   ]"


@dataclasses.dataclass(frozen=True)
class Notation:
    """How a column writes its values.

    Attributes:
        decimal: The decimal mark.
        day_first: Whether `3/4/2024` is the 3rd of April.
        missing: Texts in lower case that mean a missing value, other than the usual ones.
    """

    decimal: Decimal = "."
    day_first: bool = False
    missing: tuple[str, ...] = ()

    @classmethod
    def from_json(cls, entry: dict[str, object] | None) -> Notation:
        """The notation from the JSON of its `dataclasses.asdict`; the usual one for None."""
        if entry is None:
            return cls()
        return cls(**{**entry, "missing": tuple(entry["missing"])})  # pyright: ignore[reportArgumentType] - as written


USUAL = Notation()


def numbers(text: pl.Series, decimal: Decimal) -> pl.Series:
    """Text as Float64; null where it is null or not a number in this notation."""
    if decimal == ".":
        plain = text.cast(pl.Float64, strict=False)
        if plain.null_count() == text.null_count():
            return plain
        return plain.fill_null(_tidied(text, ".").cast(pl.Float64, strict=False))
    return _tidied(text, ",").cast(pl.Float64, strict=False)


def _tidied(text: pl.Series, decimal: Decimal) -> pl.Series:
    """Numbers without signs of currency, per cent and thousands; null for all else."""
    bare = (
        text.str.replace_all(_SPACES, " ")
        .str.replace_all("−", "-", literal=True)
        .str.replace(r"^\((.*)\)$", "-$1")
        .str.replace(rf"^([-+]?)\s*{_CURRENCY}\s*([-+]?)", "$1$2")
        .str.replace(rf"\s*(?:{_CURRENCY}|%)$", "")
        .str.strip_chars()
    )
    group = "," if decimal == "." else r"\."
    grouped = rf"\d{{1,3}}(?:{group}\d{{2,3}})*{group}\d{{3}}"
    whole = rf"(?:{grouped}|\d{{1,3}}(?: \d{{3}})+|\d{{1,3}}(?:['’]\d{{3}})+|\d*)"
    shape = rf"^[-+]?{whole}(?:{re.escape(decimal)}\d*)?(?:[eE][-+]?\d+)?$"
    fits = bare.str.contains(shape) & bare.str.contains(r"\d")
    marks = rf"[ '’{'' if decimal == ',' else ','}{'.' if decimal == ',' else ''}]"
    digits = bare.str.replace_all(marks, "").str.replace(decimal, ".", literal=True)
    return digits.set(~fits.fill_null(value=False), None)


def currencies(text: pl.Series) -> list[str]:
    """The different signs and codes of currency in a column, sorted."""
    return text.str.extract(f"({_CURRENCY})").drop_nulls().unique().sort().to_list()


def dates(text: pl.Series, *, day_first: bool) -> pl.Series:
    """Text as Datetime; null where it is null or not a date in this notation."""
    found = _first_fit(text, DATE_FORMATS)
    if found.null_count() == text.null_count():
        return found
    for before, kind in (("", NAMED_DATES), ("1 ", MONTHS)):
        for shape, forms in kind:
            named = before + text.set(~text.str.contains(shape), None)
            whole = tuple(form.replace("%b", "%B") for form in forms)  # March, not Mar
            found = found.fill_null(_first_fit(named, forms + whole))
    days = "%d/%m" if day_first else "%m/%d"
    for year, digits in (("%Y", 4), ("%y", 2)):
        slashed = text.set(~text.str.contains(rf"^\d{{1,2}}/\d{{1,2}}/\d{{{digits}}}(?: |$)"), None)
        forms = [f"{days}/{year}{time}" for time in SLASHED_TIMES]
        found = found.fill_null(_first_fit(slashed, forms))
    return found


def _first_fit(text: pl.Series, forms: tuple[str, ...] | list[str]) -> pl.Series:
    attempts = (
        text.str.to_datetime(form, strict=False, exact=True, time_unit="us") for form in forms
    )
    first, *rest = attempts
    for attempt in rest:
        first = first.fill_null(attempt)
    return first


def odd_texts(text: pl.Series, parsed: pl.Series) -> dict[str, int]:
    """The texts that were not parsed, in lower case, the most frequent first, with their counts."""
    odd = text.filter(parsed.is_null() & text.is_not_null()).str.to_lowercase()
    counts = odd.value_counts(sort=True)
    return dict(zip(counts[odd.name].to_list(), counts["count"].to_list(), strict=True))
