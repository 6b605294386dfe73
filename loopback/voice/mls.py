"""The MLS bytes a DAVE delivery service reads and writes (RFC 9420), and nothing more of MLS.

Ciphersuite 2 (DHKEMP256_AES128GCM_SHA256_P256); the group id is the channel id as 8 big-endian bytes. Layouts
follow RFC 9420 sections 6, 7, 10 and 12 and the DAVE protocol whitepaper (daveprotocol.com).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

_MLS10 = b"\x00\x01"
_CIPHERSUITE = 2
_PUBLIC_MESSAGE = b"\x00\x01"
_ADD, _REMOVE = b"\x00\x01", b"\x00\x03"
_BASIC_CREDENTIAL = 1
_SENDER_MEMBER, _SENDER_EXTERNAL = 1, 2
_CONTENT_PROPOSAL, _CONTENT_COMMIT = 2, 3
_BY_REFERENCE = 2
_LEAF_FROM_KEY_PACKAGE, _LEAF_FROM_COMMIT = 1, 3
_ECDSA = ec.ECDSA(hashes.SHA256())


class MlsError(ValueError):
    """A client sent MLS bytes that are cut short, malformed or not signed by their owner."""


def vector(data: bytes) -> bytes:
    """`data` behind its variable-size length (RFC 9420, 2.1.2): 1, 2 or 4 bytes, told apart by the top two bits."""
    size = len(data)
    if size < 0x40:
        return bytes([size]) + data
    if size < 0x4000:
        return struct.pack(">H", 0x4000 | size) + data
    return struct.pack(">I", 0x80000000 | size) + data


class Reader:
    """Walks an MLS structure from front to back; raises `MlsError` on short input."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.position = 0

    @property
    def exhausted(self) -> bool:
        """Whether nothing is left."""
        return self.position >= len(self.data)

    def take(self, size: int) -> bytes:
        """The next `size` bytes."""
        end = self.position + size
        if end > len(self.data):
            raise MlsError("MLS structure is cut short")
        part = self.data[self.position : end]
        self.position = end
        return part

    def uint(self, size: int) -> int:
        """The next big-endian integer of `size` bytes."""
        return int.from_bytes(self.take(size), "big")

    def vector(self) -> bytes:
        """The contents of the next variable-size vector."""
        first = self.uint(1)
        extra = (1 << (first >> 6)) - 1
        if extra > 3:
            raise MlsError("MLS vector length is invalid")
        size = first & 0x3F
        for _ in range(extra):
            size = size << 8 | self.uint(1)
        return self.take(size)


@dataclass(frozen=True, slots=True)
class KeyPackage:
    """A member's invitation to be added: its user id and the bytes to quote in an Add proposal."""

    user_id: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Commit:
    """What the server must know about an op 28: by whom, for which epoch, which proposals."""

    epoch: int
    committer: int
    """Leaf index."""
    references: tuple[bytes, ...]
    message: bytes
    """Goes out in op 29."""
    welcome: bytes | None
    """Goes out in op 30; absent when nobody was added."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """One signed proposal: the MLSMessage for op 27 and the reference by which commits name it."""

    message: bytes
    reference: bytes


@dataclass(frozen=True, slots=True)
class _Leaf:
    user_id: int
    signature_key: bytes
    signed: bytes
    signature: bytes


def _read_leaf(reader: Reader) -> _Leaf:
    start = reader.position
    reader.vector()  # encryption key
    signature_key = reader.vector()
    if reader.uint(2) != _BASIC_CREDENTIAL:
        raise MlsError("only basic credentials are used")
    user_id = int.from_bytes(reader.vector(), "big")
    for _ in range(5):  # capabilities: versions, ciphersuites, extensions, proposals, credentials
        reader.vector()
    source = reader.uint(1)
    if source == _LEAF_FROM_KEY_PACKAGE:
        reader.take(16)  # lifetime
    elif source == _LEAF_FROM_COMMIT:
        reader.vector()  # parent hash
    reader.vector()  # extensions
    return _Leaf(user_id, signature_key, reader.data[start : reader.position], reader.vector())


def read_key_package(data: bytes) -> KeyPackage:
    """Reads op 26, a bare KeyPackage, and verifies both of its signatures.

    Raises:
        MlsError: it is malformed, of another ciphersuite, or not signed by the key it carries.
    """
    reader = Reader(data)
    if (reader.uint(2), reader.uint(2)) != (1, _CIPHERSUITE):
        raise MlsError("expected mls10 and ciphersuite 2")
    reader.vector()  # init key
    leaf = _read_leaf(reader)
    reader.vector()  # extensions
    signed = data[: reader.position]
    signature = reader.vector()
    try:
        key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), leaf.signature_key)
        key.verify(signature, vector(b"MLS 1.0 KeyPackageTBS") + vector(signed), _ECDSA)
        key.verify(leaf.signature, vector(b"MLS 1.0 LeafNodeTBS") + vector(leaf.signed), _ECDSA)
    except (InvalidSignature, ValueError) as error:
        raise MlsError("key package is not signed by its owner") from error
    return KeyPackage(leaf.user_id, data)


def read_commit(data: bytes, group_id: bytes) -> Commit:
    """Reads op 28: a commit MLSMessage followed by a bare Welcome (none for remove-only commits).

    Raises:
        MlsError: it is no commit of a member of this group, or carries proposals by value.
    """
    reader = Reader(data)
    if reader.take(4) != _MLS10 + _PUBLIC_MESSAGE:
        raise MlsError("expected an mls10 PublicMessage")
    if reader.vector() != group_id:
        raise MlsError("the commit is for another group")
    epoch = reader.uint(8)
    if reader.uint(1) != _SENDER_MEMBER:
        raise MlsError("a commit comes from a member")
    committer = reader.uint(4)
    reader.vector()  # authenticated data
    if reader.uint(1) != _CONTENT_COMMIT:
        raise MlsError("expected a commit")
    proposals = Reader(reader.vector())
    references: list[bytes] = []
    while not proposals.exhausted:
        if proposals.uint(1) != _BY_REFERENCE:
            raise MlsError("DAVE commits name proposals by reference only")
        references.append(proposals.vector())
    if reader.uint(1):  # update path
        _read_leaf(reader)
        reader.vector()
    for _ in range(3):  # signature, confirmation tag, membership tag
        reader.vector()
    return Commit(epoch, committer, tuple(references), data[: reader.position], data[reader.position :] or None)


class ExternalSender:
    """The voice server's identity in one channel's group: signs its Add and Remove proposals."""

    def __init__(self, channel_id: int, identity: bytes = b"\x00") -> None:
        self.group_id = struct.pack(">Q", channel_id)
        self._identity = identity
        self._key = ec.generate_private_key(ec.SECP256R1())

    def package(self) -> bytes:
        """The payload of op 25."""
        public = self._key.public_key().public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
        )
        return vector(public) + struct.pack(">H", _BASIC_CREDENTIAL) + vector(self._identity)

    def add(self, epoch: int, package: KeyPackage) -> Proposal:
        """Proposes that the key package's owner joins."""
        return self._propose(epoch, _ADD + package.data)

    def remove(self, epoch: int, leaf_index: int) -> Proposal:
        """Proposes that a leaf is blanked."""
        return self._propose(epoch, _REMOVE + struct.pack(">I", leaf_index))

    def _propose(self, epoch: int, proposal: bytes) -> Proposal:
        content = (
            vector(self.group_id)
            + struct.pack(">QBI", epoch, _SENDER_EXTERNAL, 0)
            + vector(b"")
            + bytes([_CONTENT_PROPOSAL])
            + proposal
        )
        signed = vector(b"MLS 1.0 FramedContentTBS") + vector(_MLS10 + _PUBLIC_MESSAGE + content)
        signature = vector(self._key.sign(signed, _ECDSA))
        digest = hashes.Hash(hashes.SHA256())
        digest.update(vector(b"MLS 1.0 Proposal Reference") + vector(_PUBLIC_MESSAGE + content + signature))
        return Proposal(_MLS10 + _PUBLIC_MESSAGE + content + signature, digest.finalize())
