"""Cipher suites, keys and headers of SFrame (RFC 9605 section 4)."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shim.spi.errors import OperationError

SFrameCipherSuite = Literal[
    "AES_128_CTR_HMAC_SHA256_80",
    "AES_128_CTR_HMAC_SHA256_64",
    "AES_128_CTR_HMAC_SHA256_32",
    "AES_128_GCM_SHA256_128",
    "AES_256_GCM_SHA512_128",
]
"""Names of the registry of RFC 9605 section 8.1; the number is the length of the tag in bits."""

SFrameErrorType = Literal["authentication", "keyID", "syntax", "replay", "exhausted"]
NONCE: Final = 12
COUNTER_END: Final = 1 << 64


class SFrameError(OperationError):
    """A frame cannot be encrypted or decrypted.

    :param type: ``"authentication"``: another key, or the frame was changed; ``"keyID"``: no key of this id;
        ``"syntax"``: no SFrame; ``"replay"``: it came before; ``"exhausted"``: the key has encrypted 2^64 frames.
    """

    code = "sframe"

    def __init__(self, message: str, type: SFrameErrorType) -> None:
        super().__init__(message)
        self.type: SFrameErrorType = type


@dataclass(frozen=True, slots=True)
class Suite:
    """Constants of a cipher suite (RFC 9605 table 1).

    :param number: in the registry.
    :param hash: name of the hash function.
    :param key: length of the AEAD's key in bytes.
    :param tag: length of the tag in bytes.
    :param inner: length of the AES key where the AEAD is put together from AES-CTR and HMAC, else 0.
    """

    number: int
    hash: Literal["sha256", "sha512"]
    key: int
    tag: int
    inner: int = 0


SUITES: Final[dict[str, Suite]] = {
    "AES_128_CTR_HMAC_SHA256_80": Suite(1, "sha256", 48, 10, 16),
    "AES_128_CTR_HMAC_SHA256_64": Suite(2, "sha256", 48, 8, 16),
    "AES_128_CTR_HMAC_SHA256_32": Suite(3, "sha256", 48, 4, 16),
    "AES_128_GCM_SHA256_128": Suite(4, "sha256", 16, 16),
    "AES_256_GCM_SHA512_128": Suite(5, "sha512", 32, 16),
}


class Aead(Protocol):
    """Authenticated encryption with one key (RFC 5116). Any thread."""

    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes) -> bytes:
        """Return the ciphertext with its tag."""
        ...

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes) -> bytes:
        """Return the plaintext.

        :raises InvalidTag: another key, or something was changed.
        """
        ...


class CtrHmac:
    """AES-CTR, then HMAC with a short tag (RFC 9605 section 4.5.1)."""

    def __init__(self, key: bytes, suite: Suite) -> None:
        self._cipher_key, self._tag_key = key[: suite.inner], key[suite.inner :]
        self._suite = suite

    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes) -> bytes:
        """Return the ciphertext with its tag."""
        inner = self._crypt(nonce, data)
        return inner + self._tag(nonce, associated_data, inner)

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes) -> bytes:
        """Return the plaintext; InvalidTag if there is none."""
        inner, tag = data[: -self._suite.tag], data[-self._suite.tag :]
        if not hmac.compare_digest(tag, self._tag(nonce, associated_data, inner)):
            raise InvalidTag
        return self._crypt(nonce, inner)

    def _crypt(self, nonce: bytes, data: bytes) -> bytes:
        stream = Cipher(algorithms.AES(self._cipher_key), modes.CTR(nonce + bytes(4))).encryptor()
        return stream.update(data) + stream.finalize()

    def _tag(self, nonce: bytes, associated_data: bytes, inner: bytes) -> bytes:
        lengths = b"".join(n.to_bytes(8, "big") for n in (len(associated_data), len(inner), self._suite.tag))
        whole = hmac.digest(self._tag_key, lengths + nonce + associated_data + inner, self._suite.hash)
        return whole[: self._suite.tag]


def extract(suite: Suite, key: bytes) -> bytes:
    """HKDF-Extract with an empty salt (RFC 5869 section 2.2)."""
    return hmac.digest(bytes(hashlib.new(suite.hash).digest_size), key, suite.hash)


def expand(suite: Suite, secret: bytes, label: bytes, length: int) -> bytes:
    """HKDF-Expand (RFC 5869 section 2.3)."""
    output = block = b""
    while len(output) < length:
        block = hmac.digest(secret, block + label + bytes([len(output) // len(secret) + 1]), suite.hash)
        output += block
    return output[:length]


def ratchet(suite: Suite, base_key: bytes) -> bytes:
    """Return the base key of the next step (RFC 9605 section 5.1)."""
    return expand(suite, extract(suite, base_key), b"SFrame 1.0 Ratchet", hashlib.new(suite.hash).digest_size)


class FrameKey:
    """What is derived from a base key for one key id (RFC 9605 section 4.4.2). Any thread."""

    def __init__(self, suite: Suite, kid: int, base_key: bytes) -> None:
        self.kid = kid
        self.base_key = base_key
        secret = extract(suite, base_key)
        about = kid.to_bytes(8, "big") + suite.number.to_bytes(2, "big")
        self.key = expand(suite, secret, b"SFrame 1.0 Secret key " + about, suite.key)
        self.salt = expand(suite, secret, b"SFrame 1.0 Secret salt " + about, NONCE)
        self._aead: Aead = CtrHmac(self.key, suite) if suite.inner else AESGCM(self.key)

    def seal(self, counter: int, plaintext: bytes, metadata: bytes) -> bytes:
        """Return header, ciphertext and tag (RFC 9605 section 4.4.3)."""
        header = encode_header(self.kid, counter)
        return header + self._aead.encrypt(self.nonce(counter), plaintext, header + metadata)

    def open(self, counter: int, header: bytes, sealed: bytes, metadata: bytes) -> bytes:
        """Return the plaintext (RFC 9605 section 4.4.4).

        :raises InvalidTag: another key, or something was changed.
        """
        return self._aead.decrypt(self.nonce(counter), sealed, header + metadata)

    def nonce(self, counter: int) -> bytes:
        """Return salt xor counter."""
        return (int.from_bytes(self.salt, "big") ^ counter).to_bytes(NONCE, "big")


def encode_header(kid: int, counter: int) -> bytes:
    """Write a header as short as it can be (RFC 9605 section 4.3). Both numbers are 0 to 2^64 - 1."""
    key_field, key_bytes = _field(kid)
    counter_field, counter_bytes = _field(counter)
    return bytes([key_field << 4 | counter_field]) + key_bytes + counter_bytes


def decode_header(data: bytes) -> tuple[int, int, int]:
    """Return key id, counter and the length of the header.

    :raises SFrameError: the header is truncated.
    """
    if not data:
        raise SFrameError("SFrame: the frame is empty", "syntax")
    kid, at = _number(data, data[0] >> 4, 1)
    counter, at = _number(data, data[0] & 0x0F, at)
    return kid, counter, at


def _field(number: int) -> tuple[int, bytes]:
    if number < 8:
        return number, b""
    size = (number.bit_length() + 7) // 8
    return 8 | size - 1, number.to_bytes(size, "big")


def _number(data: bytes, field: int, at: int) -> tuple[int, int]:
    if not field & 8:
        return field, at
    end = at + (field & 7) + 1
    if end > len(data):
        raise SFrameError(f"SFrame: a frame of {len(data)} bytes ends within its header", "syntax")
    return int.from_bytes(data[at:end], "big"), end
