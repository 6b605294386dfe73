"""The two transport encryption modes of Discord's voice UDP, one object per client and direction.

Both end a packet with a 4-byte nonce counter and authenticate the RTP header plus, when there is an extension, its
4-byte preamble ("rtpsize"). https://discord.com/developers/docs/topics/voice-connections#transport-encryption-modes
"""

from __future__ import annotations

import struct
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from nacl.bindings import (
    crypto_aead_xchacha20poly1305_ietf_decrypt,
    crypto_aead_xchacha20poly1305_ietf_encrypt,
)
from nacl.exceptions import CryptoError

KEY_SIZE = 32
TAG_SIZE = 16
NONCE_SIZE = 4
_NONCE = struct.Struct(">I")


class TransportError(ValueError):
    """A packet that is not authentic."""


class Transport(Protocol):
    """Seals and opens packets under one key. `header` is sent in the clear and authenticated."""

    def seal(self, header: bytes, body: bytes) -> bytes:
        """The datagram: header, ciphertext, tag, nonce. Counts its own nonce up."""
        ...

    def open(self, header: bytes, sealed: bytes) -> bytes:
        """The body of `sealed` (ciphertext, tag, nonce). Raises `TransportError` when not authentic."""
        ...

    def skip(self, nonces: int) -> None:
        """Leaves nonces to somebody else who seals under the same key."""
        ...


class Aes256Gcm:
    """`aead_aes256_gcm_rtpsize`."""

    def __init__(self, key: bytes) -> None:
        cipher = AESGCM(key)
        self._encrypt = cipher.encrypt
        self._decrypt = cipher.decrypt
        self._counter = 0

    def seal(self, header: bytes, body: bytes) -> bytes:
        """See `Transport`."""
        nonce = _NONCE.pack(self._counter)
        self._counter = self._counter + 1 & 0xFFFFFFFF
        return header + self._encrypt(nonce + b"\0\0\0\0\0\0\0\0", body, header) + nonce

    def open(self, header: bytes, sealed: bytes) -> bytes:
        """See `Transport`."""
        if len(sealed) < TAG_SIZE + NONCE_SIZE:
            raise TransportError("packet is too short")
        try:
            return self._decrypt(sealed[-NONCE_SIZE:] + b"\0\0\0\0\0\0\0\0", sealed[:-NONCE_SIZE], header)
        except InvalidTag:
            raise TransportError("packet is not authentic") from None

    def skip(self, nonces: int) -> None:
        """See `Transport`."""
        self._counter = self._counter + nonces & 0xFFFFFFFF


class XChaCha20Poly1305:
    """`aead_xchacha20_poly1305_rtpsize`."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._counter = 0

    def seal(self, header: bytes, body: bytes) -> bytes:
        """See `Transport`."""
        nonce = _NONCE.pack(self._counter)
        self._counter = self._counter + 1 & 0xFFFFFFFF
        sealed = crypto_aead_xchacha20poly1305_ietf_encrypt(body, header, nonce + bytes(20), self._key)
        return header + sealed + nonce

    def open(self, header: bytes, sealed: bytes) -> bytes:
        """See `Transport`."""
        if len(sealed) < TAG_SIZE + NONCE_SIZE:
            raise TransportError("packet is too short")
        nonce = sealed[-NONCE_SIZE:] + bytes(20)
        try:
            return crypto_aead_xchacha20poly1305_ietf_decrypt(sealed[:-NONCE_SIZE], header, nonce, self._key)
        except CryptoError:
            raise TransportError("packet is not authentic") from None

    def skip(self, nonces: int) -> None:
        """See `Transport`."""
        self._counter = self._counter + nonces & 0xFFFFFFFF


MODES: dict[str, type[Aes256Gcm | XChaCha20Poly1305]] = {
    "aead_aes256_gcm_rtpsize": Aes256Gcm,
    "aead_xchacha20_poly1305_rtpsize": XChaCha20Poly1305,
}
