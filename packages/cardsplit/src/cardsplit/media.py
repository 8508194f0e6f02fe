"""Pictures, sounds and keys: base64 in a line of 2.1 and 3.0, a `data:` URI in 4.0."""

import re
from base64 import b64encode
from urllib.parse import unquote_to_bytes

from cardsplit.content import Property
from cardsplit.parameters import Parameter

_DATA_URI = re.compile(r"data:([^;,]*)((?:;[^;,]*)*),(.*)", re.IGNORECASE | re.DOTALL)
_WHITE = str.maketrans("", "", " \t\r\n")
_MAIN_TYPES = {"PHOTO": "image", "LOGO": "image", "SOUND": "audio"}
_OTHER_NAMES = {"JPG": "jpeg", "WAVE": "wav", "X509": "pkix-cert", "PGP": "pgp-keys"}


def binary_value(
    line: Property, parameters: list[Parameter], version: str
) -> tuple[str, list[Parameter]]:
    """The value and parameters of a line that holds binary data, in another version.

    Args:
        line: A property in base64, or with a `data:` URI.
        parameters: Its parameters, without `ENCODING`.
        version: `"3.0"` or `"4.0"`.
    """
    text = line.flat.data.decode("ascii", "replace").translate(_WHITE)
    types = [p.text for p in parameters if p.name == "TYPE"]
    others = [p for p in parameters if p.name not in {"TYPE", "VALUE", "MEDIATYPE"}]
    uri = _DATA_URI.match(text)
    media = uri[1] if uri else _media_type(line.name, types)
    data = _base64_of(uri) if uri else text
    if version == "4.0":
        is_use = {"HOME", "WORK", "PREF"}
        kept = [Parameter("TYPE", one) for one in types if one.upper() in is_use]
        return f"data:{media};base64,{data}", [*kept, *others]
    if uri and media:
        types = [media.rpartition("/")[2].upper()]
    named = [Parameter("TYPE", one) for one in types]
    return data, [Parameter("ENCODING", "b"), *named, *others]


def _base64_of(uri: re.Match[str]) -> str:
    """The data of a `data:` URI in base64; without that word it is percent-encoded."""
    if ";base64" in uri[2].lower():
        return uri[3]
    return b64encode(unquote_to_bytes(uri[3])).decode("ascii")


def _media_type(name: str, types: list[str]) -> str:
    """What media a line holds, as its `TYPE` says."""
    word = next((one for one in types if one.upper() not in {"HOME", "WORK", "PREF"}), "")
    if "/" in word:
        return word.lower()
    kind = _OTHER_NAMES.get(word.upper(), word.lower())
    return f"{_MAIN_TYPES.get(name, 'application')}/{kind or 'octet-stream'}"
