"""cardsplit as it was installed: the library, the command and its manual page."""

import subprocess
import sys
from pathlib import Path

import cardsplit

NAMESAKES = "".join(
    f"BEGIN:VCARD\nVERSION:3.0\nN:Miller;Peter\nFN:Peter Miller\nORG:{company}\nEND:VCARD\n"
    for company in ("ABC-Corp", "XYZ-Corp")
).encode()

assert cardsplit.__version__ == sys.argv[1]
cards = list(cardsplit.split(NAMESAKES))
assert cardsplit.undo(cardsplit.antimerge(cards)) == cards

Path("contacts.vcf").write_bytes(NAMESAKES)
command = Path(sys.prefix, "bin/cardsplit")
subprocess.run([command, "antimerge", "contacts.vcf", "-o", "marked.vcf"], check=True)
assert b"N:Miller /ABC-Corp/;Peter" in Path("marked.vcf").read_bytes()
done = subprocess.run([command, "undo", "marked.vcf"], check=True, capture_output=True)
assert done.stdout == NAMESAKES
assert Path(sys.prefix, "share/man/man1/cardsplit.1").is_file()
