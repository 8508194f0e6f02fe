"""Files that are compressed: `.vcf.gz`, and `.zip` as phones and services make them."""

import os
import shutil
from codecs import BOM_UTF8
from io import BufferedReader
from typing import BinaryIO

from cardsplit.encodings import SNIFFED, sniff
from cardsplit.errors import InputError

_GZIP, _ZIP = b"\x1f\x8b", b"PK\x03\x04"
_CHUNK = 1 << 20


def is_compressed(file: BinaryIO) -> bool:
    """Whether an open file starts as gzip or ZIP files do. It stays where it is."""
    try:
        if isinstance(file, BufferedReader):  # standard input, which may be a pipe
            start = file.peek(len(_ZIP))
        else:
            start = os.pread(file.fileno(), len(_ZIP), 0)
    except OSError:  # a pipe, or a file that will say why it cannot be read
        return False
    return start.startswith((_GZIP, _ZIP))


def unpack(name: str, path: str, target: BinaryIO) -> None:
    """Write what a compressed file holds to another, which is then at its start.

    Of a ZIP file that is every `.vcf` in it, in order, with a line break between any two, and in
    UTF-8 where there are several.

    Args:
        name: The file as the user gave it.
        path: Where it is.
        target: Where to write.

    Raises:
        InputError: If the file is damaged or encrypted, or holds no `.vcf`.
    """
    import gzip
    import zipfile
    import zlib

    try:
        with open(path, "rb") as file:  # noqa: PTH123 - as the user wrote it
            if file.read(len(_GZIP)) == _GZIP:
                with gzip.open(path) as unpacked:
                    shutil.copyfileobj(unpacked, target, _CHUNK)
            else:
                _unzip(name, path, target)
    except (EOFError, zlib.error, gzip.BadGzipFile, zipfile.BadZipFile) as error:
        raise InputError(
            f"`{name}` cannot be unpacked: it is damaged ({error}); get it again."
        ) from error
    except (RuntimeError, NotImplementedError) as error:
        raise InputError(
            f"`{name}` cannot be unpacked: {error}; unpack it by another program."
        ) from error
    target.seek(0)


def _unzip(name: str, path: str, target: BinaryIO) -> None:
    """Write every vCard file of a ZIP file to another."""
    import zipfile

    with zipfile.ZipFile(path) as archive:
        members = [one for one in archive.namelist() if _is_vcard_file(one)]
        if not members:
            raise InputError(f"`{name}` holds no `.vcf` file; give an archive of vCard files.")
        for number, member in enumerate(members):
            last = b""
            with archive.open(member) as unpacked:
                data = unpacked.read(_CHUNK)
                encoding = sniff(data[:SNIFFED]) if len(members) > 1 else ""
                if encoding:  # one file has one encoding
                    text = (data + unpacked.read()).decode(encoding, "replace")
                    data = text.removeprefix("\ufeff").encode("utf-8", "replace")
                elif number:
                    data = data.removeprefix(BOM_UTF8)
                while data:
                    target.write(data)
                    last = data[-1:]
                    data = unpacked.read(_CHUNK)
            if last not in {b"\r", b"\n"}:
                target.write(b"\r\n")


def _is_vcard_file(member: str) -> bool:
    """Whether a member of an archive is a vCard file, and not what macOS keeps beside one."""
    file = member.rpartition("/")[2].lower()
    return file.endswith((".vcf", ".vcard")) and not file.startswith("._")
