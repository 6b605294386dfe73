"""Opens the transport encryption of received packets; both modes that Discord has in force.

The layout is `RTP header, extension preamble | ciphertext | 16-byte tag | 4-byte nonce`; everything before the ciphertext
is authenticated. https://discord.com/developers/docs/topics/voice-connections#transport-encryption-modes
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from nacl.bindings import crypto_aead_xchacha20poly1305_ietf_decrypt
from nacl.exceptions import CryptoError

if TYPE_CHECKING:
    from collections.abc import Callable

AES256_GCM = "aead_aes256_gcm_rtpsize"
XCHACHA20_POLY1305 = "aead_xchacha20_poly1305_rtpsize"
MODES = (AES256_GCM, XCHACHA20_POLY1305)  # in the order of preference: AES is done in hardware

OVERHEAD = 20  # tag and nonce
FORGED = (InvalidTag, CryptoError)  # what an opener raises for a packet that is not authentic

AES_NONCE_REST = bytes(8)
_XCHACHA_NONCE_REST = bytes(20)


def opener(mode: str, key: bytes) -> Callable[[bytes, int], bytes]:
    """A function that gives the decrypted body of `(datagram, size of its clear part)` or raises one of `FORGED`.

    Raises:
        ValueError: The mode is not known or the key has no 32 bytes.
    """
    if len(key) != 32:
        raise ValueError(f"a transport key has 32 bytes, not {len(key)}")
    if mode == AES256_GCM:
        decrypt = AESGCM(key).decrypt

        def open_aes(datagram: bytes, clear: int) -> bytes:
            return decrypt(datagram[-4:] + AES_NONCE_REST, datagram[clear:-4], datagram[:clear])

        return open_aes
    if mode == XCHACHA20_POLY1305:

        def open_xchacha(datagram: bytes, clear: int) -> bytes:
            nonce = datagram[-4:] + _XCHACHA_NONCE_REST
            return crypto_aead_xchacha20poly1305_ietf_decrypt(datagram[clear:-4], datagram[:clear], nonce, key)

        return open_xchacha
    raise ValueError(f"unknown transport mode {mode!r}")
