"""RTP, both transport modes and the MLS reader, byte by byte."""

from __future__ import annotations

import random
import ssl
from typing import TYPE_CHECKING

import nacl.secret
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from loopback.voice import rtp
from loopback.voice.mls import MlsError, Reader, vector
from loopback.voice.transport import MODES, Transport, TransportError

if TYPE_CHECKING:
    from loopback.voice.certificates import Certificates

KEY = bytes(range(32))
PACKET = rtp.RtpPacket(rtp.OPUS_PAYLOAD_TYPE, False, 65_535, 0xFFFFFFFF, 42, b"opus frame")


@pytest.fixture(params=sorted(MODES))
def transport(request: pytest.FixtureRequest) -> Transport:
    return MODES[request.param](KEY)


@pytest.mark.parametrize("padding", [0, 1, 255])
@pytest.mark.parametrize("extension", [b"", b"\x10\xff\x90\x00", b"\x10\xff\x90\x00" * 3])
def test_a_packet_comes_back_as_it_was(transport: Transport, padding: int, extension: bytes) -> None:
    datagram = transport.seal(*rtp.header_and_body(PACKET, padding=padding, extension=extension))
    assert rtp.open_packet(datagram, transport) == PACKET


def test_the_extension_body_is_encrypted_and_its_preamble_is_not(transport: Transport) -> None:
    datagram = transport.seal(*rtp.header_and_body(PACKET, extension=b"\x10\xff\x90\x00"))
    assert datagram[12:16] == b"\xbe\xde\x00\x01"
    assert b"\x10\xff\x90\x00" not in datagram


def test_every_changed_byte_is_noticed(transport: Transport) -> None:
    datagram = transport.seal(*rtp.header_and_body(PACKET, padding=3, extension=b"\x10\xff\x90\x00"))
    for position in range(len(datagram)):
        damaged = bytearray(datagram)
        damaged[position] ^= 0x01
        with pytest.raises((rtp.RtpError, TransportError)):
            rtp.open_packet(bytes(damaged), transport)


def test_every_cut_is_noticed(transport: Transport) -> None:
    datagram = transport.seal(*rtp.header_and_body(PACKET, extension=b"\x10\xff\x90\x00"))
    for size in range(len(datagram)):
        with pytest.raises((rtp.RtpError, TransportError)):
            rtp.open_packet(datagram[:size], transport)


def test_random_datagrams_raise_nothing_else(transport: Transport) -> None:
    dice = random.Random(5)
    for _ in range(5_000):
        datagram = dice.randbytes(dice.randint(0, 120))
        with pytest.raises((rtp.RtpError, TransportError)):
            rtp.open_packet(datagram, transport)


def test_padding_longer_than_the_packet_is_refused(transport: Transport) -> None:
    header, body = rtp.header_and_body(PACKET, padding=2)
    for count in (0, len(body) + 1):
        with pytest.raises(rtp.RtpError):
            rtp.open_packet(transport.seal(header, body[:-1] + bytes([count])), transport)


def test_each_packet_has_a_nonce_of_its_own(transport: Transport) -> None:
    nonces = {transport.seal(b"\x80" * 12, b"x")[-4:] for _ in range(300)}
    assert len(nonces) == 300


def test_the_modes_are_the_ciphers_they_are_named_after() -> None:
    header, body = rtp.header_and_body(PACKET)
    aes = MODES["aead_aes256_gcm_rtpsize"](KEY).seal(header, body)
    assert AESGCM(KEY).decrypt(aes[-4:] + bytes(8), aes[12:-4], header) == body
    xchacha = MODES["aead_xchacha20_poly1305_rtpsize"](KEY).seal(header, body)
    assert nacl.secret.Aead(KEY).decrypt(xchacha[12:-4], header, xchacha[-4:] + bytes(20)) == body


@pytest.mark.parametrize("size", [0, 63, 64, 16_383, 16_384, 70_000])
def test_a_vector_of_any_size_is_read_back(size: int) -> None:
    reader = Reader(vector(bytes(size)))
    assert reader.vector() == bytes(size)
    assert reader.exhausted


def test_a_short_vector_and_an_invalid_length_are_refused() -> None:
    with pytest.raises(MlsError):
        Reader(vector(b"abc")[:-1]).vector()
    with pytest.raises(MlsError):
        Reader(b"\xc0" + bytes(20)).vector()


def test_the_certificates_stand_up_to_strict_verification(certificates: Certificates) -> None:
    client = certificates.client_context()
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    outgoing, incoming = ssl.MemoryBIO(), ssl.MemoryBIO()
    near = client.wrap_bio(incoming, outgoing, server_hostname="127.0.0.1")
    far = certificates.server_context().wrap_bio(outgoing, incoming, server_side=True)
    for side in (near, far, near, far):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
    assert near.version() == "TLSv1.3"
