# ruff: noqa: INP001 - installed as a module of its own
"""Functions for recipes of devices whose login is more than a form.

Install them beside bootwatch: `pip install ./packages/bootwatch/examples/logins`. The recipes
`tplink.toml` and `huawei.toml` in this folder use them.

Sources: RFC 8017, section 7.2.1 (RSAES-PKCS1-v1_5); the scripts of both makers' login pages, as the
public programs `tplinkrouterc6u` and `huawei-lte-api` have rewritten them.
"""

import hashlib
import hmac
import secrets

SMALLEST_PADDING = 8  # bytes, by RFC 8017
FRAME = 3  # bytes around the padding
MOST_ITERATIONS = 1_000_000  # some seconds; a device that asks for more is not served


def tplink_rsa(text: str, modulus: str, exponent: str) -> str:
    """Encrypt a password as the login page of a TP-Link Archer does.

    The public key is the device's own, 512 or 1024 bits. Libraries refuse keys so short, so that
    the few lines of the standard stand here.

    Args:
        text: The password.
        modulus: Of the public key, in hexadecimal digits.
        exponent: The same.

    Returns:
        Hexadecimal digits, as many as the modulus has.

    Raises:
        ValueError: The key is none, or too short for the password.
    """
    n, e, data = int(modulus, 16), int(exponent, 16), text.encode()
    size = (n.bit_length() + 7) // 8
    room = size - len(data) - FRAME
    if room < SMALLEST_PADDING:
        raise ValueError("the key is too short")
    padding = bytes(secrets.randbelow(255) + 1 for _ in range(room))  # none of them is zero
    block = b"\0\2" + padding + b"\0" + data
    return f"{pow(int.from_bytes(block), e, n):0{2 * size}x}"


def huawei_proof(
    password: str, salt: str, iterations: str, first_nonce: str, server_nonce: str
) -> str:
    """Prove to a Huawei HiLink router that the password is known, without sending it.

    It is SCRAM with SHA-256, but key and message of HMAC stand the other way round than in
    RFC 5802, as they do in the maker's script.

    Args:
        password: The password.
        salt: As the challenge gave it, in hexadecimal digits.
        iterations: As the challenge gave it.
        first_nonce: What was sent to ask for the challenge.
        server_nonce: As the challenge gave it; it begins with `first_nonce`.

    Returns:
        64 hexadecimal digits.

    Raises:
        ValueError: The challenge is none, or is not the answer to `first_nonce`.
    """
    rounds = int(iterations)
    if not 0 < rounds <= MOST_ITERATIONS or not server_nonce.startswith(first_nonce):
        raise ValueError("not a challenge")
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), bytes.fromhex(salt), rounds)
    client_key = hmac.digest(b"Client Key", salted, "sha256")
    stored_key = hashlib.sha256(client_key).digest()
    message = f"{first_nonce},{server_nonce},{server_nonce}".encode()
    signature = hmac.digest(message, stored_key, "sha256")
    return bytes(a ^ b for a, b in zip(client_key, signature, strict=True)).hex()
