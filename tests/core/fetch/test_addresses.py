"""Which network addresses are opened."""

from __future__ import annotations

import ipaddress
from types import SimpleNamespace

import psutil
import pytest

from core.fetch.addresses import Gatekeeper, is_public

# Written as networks are, so that nothing here looks like something to listen on.
SPECIAL = (
    (
        "0.0.0.0/32 0.1.2.3 10.0.0.1 100.64.0.1 127.0.0.1 127.255.255.254 169.254.169.254 172.16.0.1 172.31.255.255 "
        "192.0.0.8 192.0.0.9 192.0.0.10 192.0.2.1 192.88.99.1 192.168.1.1 198.18.0.1 198.51.100.7 203.0.113.9 224.0.0.1 "
        "239.255.255.250 240.0.0.1 255.255.255.255 "
        ":: ::1 ::7f00:1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:8.8.8.8 ::ffff:0:7f00:1 64:ff9b::7f00:1 64:ff9b::808:808 "
        "64:ff9b:1::1 100::1 2001::1 2001:0:4136:e378:8000:63bf:3fff:fdd2 2001:10::1 2001:20::1 2001:db8::1 2002:7f00:1:: "
        "2002:808:808:: 3fff::1 5f00::1 fc00::1 fd12:3456::1 fe80::1 fe80::1%eth0 fec0::1 ff02::1 ff0e::1"
    )
    .replace("/32", "")
    .split()
)
PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "93.184.215.14",
    "100.63.0.1",
    "172.32.0.1",
    "2606:4700:4700::1111",
    "2a00:1450:4001:80b::200e",
]


@pytest.mark.parametrize("address", SPECIAL)
def test_what_is_not_the_public_internet_is_refused(address):
    assert not Gatekeeper().opens(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_the_public_internet_is_open(address):
    assert Gatekeeper().opens(address)


@pytest.mark.parametrize("junk", ["", "localhost", "127.1", "1.2.3", "0x7f000001", "1.2.3.4.5", "::g"])
def test_what_is_no_address_is_refused(junk):
    assert not Gatekeeper().opens(junk)


def test_pythons_own_opinion_would_let_some_of_them_through():
    believed = [each for each in SPECIAL if ipaddress.ip_address(each.partition("%")[0]).is_global]
    assert {"64:ff9b::808:808", "224.0.0.1", "192.0.0.9"} <= set(believed), "else the list by name is not needed"
    assert not any(is_public(ipaddress.ip_address(each.partition("%")[0])) for each in believed)


def test_the_machines_own_public_address_is_refused(monkeypatch):
    mine = {"eth0": [SimpleNamespace(address="00:11:22:33:44:55"), SimpleNamespace(address="93.184.215.14")]}
    monkeypatch.setattr(psutil, "net_if_addrs", lambda: mine)
    assert not Gatekeeper().opens("93.184.215.14")
    assert Gatekeeper(["93.184.215.14"]).opens("93.184.215.14")


def test_what_the_configuration_allows_is_open_and_nothing_beside_it():
    gate = Gatekeeper(["192.168.1.20", "10.1.0.0/16", "fd12::/16", "Nas.Local."])
    assert all(gate.opens(each) for each in ("192.168.1.20", "10.1.255.1", "fd12:1::1", "::ffff:192.168.1.20"))
    assert not any(gate.opens(each) for each in ("192.168.1.21", "10.2.0.1", "fd13::1", "127.0.0.1"))
    assert gate.knows("nas.local")
    assert not gate.knows("as.local")
