"""Reads addresses: IPv4, IPv6 and names, with and without a port."""

from __future__ import annotations

import ipaddress
import re

from shared.errors import ValueRangeError

_BRACKETS = re.compile(r"\[([^\[\]\s]+)\](?::(\d{1,5}))?")
_PLAIN = re.compile(r"([^\[\]:/\s]+)(?::(\d{1,5}|\*))?")
_TCP = re.compile(r"tcp://(\[[^\[\]\s/]+\]|[^\[\]:/\s*]+):(\d{1,5})")
_HIGHEST_PORT = 65_535


def listening(text: str) -> tuple[str, str]:
    """Host and port of an address to listen on; the port is "*" when none is given.

    Raises:
        ValueRangeError: it is no such address.
    """
    if _ip(text) is not None:
        return text, "*"
    match = _BRACKETS.fullmatch(text) or _PLAIN.fullmatch(text)
    if match is None or (text.startswith("[") and _ip(match[1]) is None) or not _is_port(match[2] or "*"):
        raise ValueRangeError(
            f"cannot listen on {text!r:.80}; give --bind an IP address of this machine, with a port if you like, "
            "such as 127.0.0.1, 192.168.1.20:5555 or [::1]:5555"
        )
    return match[1], match[2] or "*"


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address."""
    address = _ip(host)
    return host in ("localhost", "lo") if address is None else address.is_loopback


def bracketed(host: str) -> str:
    """The host as it stands before a port."""
    return f"[{host}]" if ":" in host else host


def check_reachable(address: str) -> None:
    """Checks an address that a client on another machine shall connect to.

    Raises:
        ValueRangeError: it is none.
    """
    match = _TCP.fullmatch(address)
    if match is None or not _is_port(match[2]):
        raise ValueRangeError(
            f"{address!r:.80} is no address of a backend; write tcp://host:port, such as tcp://192.168.1.20:5555 "
            "or tcp://[fd00::20]:5555"
        )
    ip = _ip(match[1].strip("[]"))
    if match[1].startswith("[") and (ip is None or ip.version != 6):
        raise ValueRangeError(f"{match[1]} is no IPv6 address; write tcp://host:port without brackets")
    if ip is not None and ip.is_unspecified:
        raise ValueRangeError(
            f"{match[1]} means every address of this machine; give the one by which the other machine reaches it"
        )


def _ip(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _is_port(text: str) -> bool:
    return text == "*" or 0 < int(text) <= _HIGHEST_PORT
