"""A real address book takes the parts: a CardDAV server on loopback gives them all back."""

import http.client
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import vobject

from cardsplit import Limit, antimerge_files, split, split_files, undo_file
from vcard_making import made_cards

CARDS = 60


@pytest.fixture
def server(tmp_path: Path) -> Iterator[http.client.HTTPConnection]:
    """Radicale with an empty address book at `/me/book/`."""
    pytest.importorskip("radicale", reason="the CardDAV server Radicale is not installed")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = [
        *("--server-hosts", f"127.0.0.1:{port}", "--auth-type", "none"),
        *("--storage-filesystem-folder", str(tmp_path / "storage"), "--rights-type", "owner_write"),
        *("--config", ""),
    ]
    with subprocess.Popen(
        [sys.executable, "-m", "radicale", *options], stderr=subprocess.DEVNULL
    ) as process:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
            for _ in range(200):
                try:
                    connection.connect()
                    break
                except ConnectionRefusedError:
                    time.sleep(0.05)
            yield connection
            connection.close()
        finally:
            process.terminate()


def ask(
    server: http.client.HTTPConnection, method: str, path: str, body: bytes = b"", **more: str
) -> bytes:
    """One request as the user `me`; fails unless the server agrees."""
    login = {"Authorization": "Basic bWU6bWU="}  # me:me
    server.request(method, path, body, login | {k.replace("_", "-"): v for k, v in more.items()})
    answer = server.getresponse()
    found = answer.read()
    assert 200 <= answer.status < 300, (method, path, answer.status, found)
    return found


def new_book(server: http.client.HTTPConnection, name: str) -> None:
    """Make an empty address book."""
    kind = (
        '<mkcol xmlns="DAV:"><set><prop><resourcetype><collection/>'
        '<addressbook xmlns="urn:ietf:params:xml:ns:carddav"/></resourcetype></prop></set></mkcol>'
    )
    ask(server, "MKCOL", f"/me/{name}/", kind.encode(), Content_Type="application/xml")


def names_in(data: bytes) -> list[str]:
    """The displayed names of all cards, as vobject reads them."""
    return sorted(one.fn.value for one in vobject.readComponents(data.decode(), allowQP=True))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # vobject's own
def test_the_parts_arrive_and_come_back(server: http.client.HTTPConnection, tmp_path: Path):
    """Anti-merged, split, uploaded card by card, downloaded: all are there, marks and all."""
    source = tmp_path / "all.vcf"
    source.write_bytes(b"".join(made_cards(CARDS, namesakes=1)))
    done = antimerge_files([str(source)], str(tmp_path / "apart.vcf"), with_fn=True)
    assert done.changed > 10
    new_book(server, "book")
    parts = split_files(
        [str(tmp_path / "apart.vcf")], Limit(cards=25), folder=tmp_path / "parts"
    ).parts
    assert len(parts) == 3
    number = 0
    for part in parts:
        for one in split(part.path.read_bytes()):
            number += 1
            uid = f"UID:{number}\r\nEND:VCARD".encode()
            ask(server, "PUT", f"/me/book/{number}.vcf", one.replace(b"END:VCARD", uid),
                Content_Type="text/vcard")  # fmt: skip
    returned = ask(server, "GET", "/me/book/")
    names = names_in(returned)
    assert len(names) == CARDS
    assert names == names_in((tmp_path / "apart.vcf").read_bytes())
    assert len({name.lower() for name in names}) == CARDS

    undo_file(str(tmp_path / "apart.vcf"), str(tmp_path / "back.vcf"))
    assert (tmp_path / "back.vcf").read_bytes() == source.read_bytes()


@pytest.mark.skipif(not shutil.which("vdirsyncer"), reason="vdirsyncer is not installed")
def test_another_client_fetches_what_was_stored(server: http.client.HTTPConnection, tmp_path: Path):
    """The client vdirsyncer brings every card of the address book to a folder."""
    new_book(server, "book")
    for number, one in enumerate(made_cards(10)):
        uid = f"UID:{number}\r\nEND:VCARD".encode()
        ask(server, "PUT", f"/me/book/{number}.vcf", one.replace(b"END:VCARD", uid),
            Content_Type="text/vcard")  # fmt: skip
    (tmp_path / "config").write_text(
        f'[general]\nstatus_path = "{tmp_path}/status"\n'
        '[pair p]\na = "here"\nb = "there"\ncollections = ["book"]\n'
        f'[storage here]\ntype = "filesystem"\npath = "{tmp_path}/vdir"\nfileext = ".vcf"\n'
        f'[storage there]\ntype = "carddav"\nurl = "http://127.0.0.1:{server.port}/"\n'
        'username = "me"\npassword = "me"\n',
        encoding="utf-8",
    )
    client = ["vdirsyncer", "-c", str(tmp_path / "config")]
    subprocess.run([*client, "discover", "--no-list", "p"], input=b"y\ny\n", check=True)
    subprocess.run([*client, "sync"], check=True)
    assert len(list((tmp_path / "vdir/book").glob("*.vcf"))) == 10
