"""Which network addresses are opened: those of the public internet, and what the configuration allows besides."""

from __future__ import annotations

import ipaddress
import time
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterable

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

OWN_S = 60.0  # how long the machine's own addresses are believed

# Denied by name: for some of these `ipaddress.is_global` says yes, and what it says changes with Python's version.
SPECIAL_4 = tuple(
    ipaddress.IPv4Network(text)
    for text in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",  # shared by the customers of a provider
        "127.0.0.0/8",
        "169.254.0.0/16",  # link-local; clouds tell secrets at 169.254.169.254
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",  # relays to IPv6
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/3",  # multicast, reserved, broadcast
    )
)
GLOBAL_6 = ipaddress.IPv6Network("2000::/3")  # all that is given out; mapped, translated and site addresses lie outside
SPECIAL_6 = tuple(
    ipaddress.IPv6Network(text)
    for text in (
        "2001::/23",  # protocols, Teredo among them, which holds an address of version 4
        "2001:db8::/32",
        "2002::/16",  # 6to4, which holds an address of version 4
        "2620:4f:8000::/48",
        "3fff::/20",
    )
)


def is_public(address: Address) -> bool:
    """Whether an address belongs to the public internet; one that holds another inside does not."""
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in SPECIAL_4)
    return address in GLOBAL_6 and not any(address in network for network in SPECIAL_6)


class Gatekeeper:
    """Decides whether an address may be connected to."""

    def __init__(self, allow: Iterable[str] = ()) -> None:
        """Begin with hosts, addresses and networks that may be private."""
        self._networks: list[Network] = []
        self._names: set[str] = set()
        self._own: frozenset[Address] = frozenset()
        self._own_until = float("-inf")
        for place in allow:
            try:
                self._networks.append(ipaddress.ip_network(place.strip("[]"), strict=False))
            except ValueError:
                self._names.add(plain_host(place))

    def knows(self, host: str) -> bool:
        """Whether a host is allowed by its name, wherever it is."""
        return plain_host(host) in self._names

    def opens(self, text: str) -> bool:
        """Whether an address, as a socket names it, may be connected to."""
        try:
            address = ipaddress.ip_address(text.partition("%")[0])  # without the zone of a link-local one
        except ValueError:
            return False
        inner = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
        if any(each in network for each in (address, inner) if each for network in self._networks):
            return True
        return is_public(address) and address not in self._addresses_of_this_machine()

    def _addresses_of_this_machine(self) -> frozenset[Address]:
        """Also the public ones: what listens there may be meant for this machine alone."""
        now = time.monotonic()
        if now >= self._own_until:
            self._own = frozenset(_own_addresses())
            self._own_until = now + OWN_S
        return self._own


def plain_host(host: str) -> str:
    """A host's name as it is compared."""
    return host.strip("[]").rstrip(".").casefold()


def _own_addresses() -> Iterable[Address]:
    for addresses in psutil.net_if_addrs().values():
        for each in addresses:
            try:
                yield ipaddress.ip_address(each.address.partition("%")[0])
            except ValueError:
                continue  # an Ethernet address
