"""Files that are compressed: `.vcf.gz`, and `.zip` as phones and services make them."""

import os
import shutil
from typing import BinaryIO

from cardsplit.errors import InputError

_GZIP, _ZIP = b"\x1f\x8b", b"PK\x03\x04"
_CHUNK = 1 << 20


def is_compressed(file: BinaryIO) -> bool:
    """Whether an open file starts as gzip or ZIP files do. It stays at its start."""
    try:
        start = os.pread(file.fileno(), len(_ZIP), 0)
    except OSError:  # a pipe, or a file that tells later why it cannot be read
        return False
    return start.startswith((_GZIP, _ZIP))


def unpack(name: str, target: BinaryIO) -> None:
    """Write what a compressed file holds to another, which is then at its start.

    Of a ZIP file that is every `.vcf` in it, in order, with a line break between any two.

    Raises:
        InputError: If the file is damaged or encrypted, or holds no `.vcf`.
    """
    import gzip
    import zipfile
    import zlib

    try:
        with open(name, "rb") as file:  # noqa: PTH123 - `name` is kept as the user wrote it
            if file.read(len(_GZIP)) == _GZIP:
                with gzip.open(name) as unpacked:
                    shutil.copyfileobj(unpacked, target, _CHUNK)
            else:
                _unzip(name, target)
    except (EOFError, zlib.error, gzip.BadGzipFile, zipfile.BadZipFile) as error:
        raise InputError(
            f"`{name}` cannot be unpacked: it is damaged ({error}); get it again."
        ) from error
    except (RuntimeError, NotImplementedError) as error:
        raise InputError(
            f"`{name}` cannot be unpacked: {error}; unpack it by another program."
        ) from error
    target.seek(0)


def _unzip(name: str, target: BinaryIO) -> None:
    """Write every vCard file of a ZIP file to another."""
    import zipfile

    with zipfile.ZipFile(name) as archive:
        members = [one for one in archive.namelist() if one.lower().endswith((".vcf", ".vcard"))]
        if not members:
            raise InputError(f"`{name}` holds no `.vcf` file; give an archive of vCard files.")
        for member in members:
            last = b""
            with archive.open(member) as unpacked:
                while data := unpacked.read(_CHUNK):
                    target.write(data)
                    last = data[-1:]
            if last not in {b"\r", b"\n"}:
                target.write(b"\r\n")
