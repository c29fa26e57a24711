"""End-to-end encryption of encoded frames: SFrame (RFC 9605). See docs/media.md."""

from __future__ import annotations

import hashlib
import threading
from typing import Final, get_args

from cryptography.exceptions import InvalidTag

from shim.api.sframe_cipher import (
    COUNTER_END,
    SUITES,
    FrameKey,
    SFrameCipherSuite,
    SFrameError,
    decode_header,
    ratchet,
)
from shim.api.sframe_parts import seal, unseal
from shim.spi.engines import EncodedFrameInfo
from shim.spi.errors import InvalidAccessError, InvalidStateError

KEY_BYTES: Final = 16
RATCHET_BITS: Final = 8


class SFrame:
    """Encrypts what senders send and decrypts what receivers receive; the parties in between see ciphertext.

    Give it to `RTCRtpSender.transform` and `RTCRtpReceiver.transform`; one may serve any number of them. How keys
    reach the parties is the application's matter. Any thread.

    :param cipherSuite: one of RFC 9605 section 4.5, the same at both ends.
    :param ratchetBits: R of RFC 9605 section 5.1, 0 to 8: so many low bits of a key id count ratchet steps, and a
        receiver follows a sender that ratchets. The same at both ends.
    :param replayWindow: refuse a frame that came before, and one older than so many frames of its key, 1 to 65536;
        `None` leaves that to SRTP, which refuses replayed packets by itself.
    :raises ValueError: a figure is out of range, or there is no such suite.
    """

    def __init__(
        self,
        cipherSuite: SFrameCipherSuite = "AES_128_GCM_SHA256_128",
        *,
        ratchetBits: int = 0,
        replayWindow: int | None = None,
    ) -> None:
        if cipherSuite not in SUITES:
            names = ", ".join(get_args(SFrameCipherSuite))
            raise ValueError(f"SFrame: there is no cipher suite {cipherSuite!r}; choose one of {names}")
        if not 0 <= ratchetBits <= RATCHET_BITS:
            raise ValueError(f"SFrame: ratchetBits {ratchetBits} is not in 0-{RATCHET_BITS}")
        if replayWindow is not None and not 1 <= replayWindow <= 65536:
            raise ValueError(f"SFrame: replayWindow {replayWindow} is not in 1-65536 frames")
        self.cipherSuite: SFrameCipherSuite = cipherSuite
        self.ratchetBits = ratchetBits
        self.replayWindow = replayWindow
        self._suite = SUITES[cipherSuite]
        self._lock = threading.Lock()
        self._sending: FrameKey | None = None
        self._counters: dict[bytes, int] = {}
        self._receiving: dict[int, FrameKey] = {}
        self._seen: dict[int, tuple[int, int]] = {}

    # --- keys ---

    def setEncryptionKey(self, key: bytes, keyID: int = 0) -> None:
        """Encrypt with this key from now on.

        :param key: at least 16 bytes, of full entropy. No two senders may have the same key: give each its own.
        :param keyID: 0 to 2^64 - 1; a small one makes frames shorter.
        :raises ValueError: the key is too short, or its id out of range.
        :raises InvalidAccessError: it is a key for decryption (RFC 9605 section 4.4.1: never both).
        """
        made = self._key(key, keyID)
        with self._lock:
            if any(known.base_key == made.base_key for known in self._receiving.values()):
                raise InvalidAccessError(
                    "SFrame.setEncryptionKey: this key is here for decryption. Let each sender have a key of its own."
                )
            self._sending = made
            self._counters.setdefault(_trace(made), 0)

    def addDecryptionKey(self, key: bytes, keyID: int = 0) -> None:
        """Decrypt frames of this key id with this key; replaces an earlier one of the same id.

        :raises ValueError: the key is too short, or its id out of range.
        :raises InvalidAccessError: it is the key for encryption.
        """
        made = self._key(key, keyID)
        with self._lock:
            if self._sending is not None and self._sending.base_key == made.base_key:
                raise InvalidAccessError(
                    "SFrame.addDecryptionKey: this key is here for encryption. Let each sender have a key of its own."
                )
            self._receiving[keyID] = made
            self._seen.pop(keyID, None)

    def removeDecryptionKey(self, keyID: int) -> None:
        """Forget a key: its frames cannot be decrypted any more. Does nothing if there is none."""
        with self._lock:
            self._receiving.pop(keyID, None)
            self._seen.pop(keyID, None)

    def ratchetEncryptionKey(self) -> int:
        """Go one step on, so that those who join later cannot decrypt what was sent before (RFC 9605 section 5.1).

        :returns: the new key id. Receivers with the same `ratchetBits` follow by themselves.
        :raises InvalidStateError: there is no key yet, or `ratchetBits` is 0.
        """
        with self._lock:
            if self._sending is None or not self.ratchetBits:
                raise InvalidStateError(
                    "SFrame.ratchetEncryptionKey: set a key first, and ratchetBits of 1 or more at both ends"
                )
            self._sending = self._step(self._sending)
            self._counters.setdefault(_trace(self._sending), 0)
            return self._sending.kid

    # --- frames ---

    def encrypt(self, plaintext: bytes, metadata: bytes = b"") -> bytes:
        """Return an SFrame ciphertext.

        :param metadata: is authenticated, but not sent.
        :raises InvalidStateError: there is no key.
        :raises SFrameError: the key has encrypted 2^64 frames.
        """
        with self._lock:
            key = self._sending
            if key is None:
                raise InvalidStateError("SFrame.encrypt: there is no key; call setEncryptionKey first")
            counter = self._counters[_trace(key)]
            if counter >= COUNTER_END:
                raise SFrameError("SFrame.encrypt: this key is used up; set another one", "exhausted")
            self._counters[_trace(key)] = counter + 1
        return key.seal(counter, plaintext, metadata)

    def decrypt(self, ciphertext: bytes, metadata: bytes = b"") -> bytes:
        """Return the plaintext of an SFrame ciphertext.

        :raises SFrameError: it cannot be; `type` tells why.
        """
        kid, counter, length = decode_header(ciphertext)
        header, sealed = ciphertext[:length], ciphertext[length:]
        if len(sealed) < self._suite.tag:
            raise SFrameError(f"SFrame.decrypt: {len(ciphertext)} bytes hold no header and tag", "syntax")
        with self._lock:
            candidate = self._candidate(kid)
            self._check_fresh(kid, counter)
            try:
                plaintext = candidate.open(counter, header, sealed, metadata)
            except InvalidTag as exc:
                raise SFrameError(
                    f"SFrame.decrypt: the frame was encrypted with another key than that of key id {kid}, or changed",
                    "authentication",
                ) from exc
            # Only now: what was not authenticated changes nothing.
            if kid not in self._receiving:
                self._advance(candidate)
            self._note(kid, counter)
        return plaintext

    def encryptFrame(self, data: bytes, info: EncodedFrameInfo) -> bytes:
        """Encrypt an encoded frame, except for what RTP reads of it: what `RTCRtpSender.transform` does."""
        return seal(data, info, self.encrypt)

    def decryptFrame(self, data: bytes, info: EncodedFrameInfo) -> bytes:
        """Undo `encryptFrame`: what `RTCRtpReceiver.transform` does."""
        return unseal(data, info, self.decrypt)

    # --- inside ---

    def _key(self, key: bytes, kid: int) -> FrameKey:
        if len(key) < KEY_BYTES:
            raise ValueError(f"SFrame: a key of {len(key)} bytes is too short; give {KEY_BYTES} or more random bytes")
        if not 0 <= kid < COUNTER_END:
            raise ValueError(f"SFrame: key id {kid} is not in 0 to 2^64 - 1")
        return FrameKey(self._suite, kid, bytes(key))

    def _step(self, key: FrameKey) -> FrameKey:
        steps = 1 << self.ratchetBits
        kid = key.kid // steps * steps + (key.kid + 1) % steps
        return FrameKey(self._suite, kid, ratchet(self._suite, key.base_key))

    def _candidate(self, kid: int) -> FrameKey:
        """Return the key of this id, or what a key of the same generation is to become."""
        known = self._receiving.get(kid)
        if known is not None:
            return known
        generation = [key for key in self._receiving.values() if key.kid >> self.ratchetBits == kid >> self.ratchetBits]
        if not generation:
            raise SFrameError(f"SFrame.decrypt: there is no key with id {kid}; call addDecryptionKey", "keyID")
        ahead = [((kid - key.kid) % (1 << self.ratchetBits), key) for key in generation]
        steps, key = min(ahead, key=lambda pair: pair[0])
        for _ in range(steps):
            key = self._step(key)
        return key

    def _advance(self, key: FrameKey) -> None:
        """Keep the key of a ratchet step, and of those before as many as leave its id room to come round again."""
        generation = [kid for kid in self._receiving if kid >> self.ratchetBits == key.kid >> self.ratchetBits]
        for kid in generation[: len(generation) + 1 - (1 << self.ratchetBits - 1)]:
            del self._receiving[kid]
            self._seen.pop(kid, None)
        self._receiving[key.kid] = key

    def _check_fresh(self, kid: int, counter: int) -> None:
        """Refuse what came before (RFC 3711 section 3.3.2)."""
        if self.replayWindow is None or kid not in self._seen:
            return
        highest, window = self._seen[kid]
        behind = highest - counter
        if behind >= self.replayWindow or (behind >= 0 and window >> behind & 1):
            raise SFrameError(f"SFrame.decrypt: frame {counter} of key id {kid} came before, or is too old", "replay")

    def _note(self, kid: int, counter: int) -> None:
        if self.replayWindow is None:
            return
        highest, window = self._seen.get(kid, (counter, 0))
        if counter > highest:
            shift = min(counter - highest, self.replayWindow)
            highest, window = counter, window << shift
        window |= 1 << highest - counter
        self._seen[kid] = highest, window & (1 << self.replayWindow) - 1


def _trace(key: FrameKey) -> bytes:
    """Return what a key is known by after it is gone."""
    return hashlib.sha256(key.key + key.kid.to_bytes(8, "big")).digest()
