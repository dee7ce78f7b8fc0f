import pytest

from backend_server.service.access.address import check_reachable, is_loopback, listening
from shared.errors import ValueRangeError


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("127.0.0.1", "127.0.0.1", "*"),
        ("0.0.0.0:5555", "0.0.0.0", "5555"),
        ("::1", "::1", "*"),
        ("[::1]", "::1", "*"),
        ("[::1]:5555", "::1", "5555"),
        ("fe80::1%eth0", "fe80::1%eth0", "*"),
        ("[fe80::1%eth0]:80", "fe80::1%eth0", "80"),
        ("eth0:5555", "eth0", "5555"),
    ],
)
def test_addresses_to_listen_on(text, host, port):
    assert listening(text) == (host, port)


@pytest.mark.parametrize(
    "text", ["", "[::1", "::1]:5", "[127.x]:5", "1.2.3.4:0", "1.2.3.4:65536", "a b", "[::1]:x", "a:b:c"]
)
def test_what_is_no_address_is_named(text):
    with pytest.raises(ValueRangeError, match="--bind"):
        listening(text)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "::1", "localhost"])
def test_loopback(host):
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.20", "fd00::20", "eth0"])
def test_what_others_reach(host):
    assert not is_loopback(host)


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:5555", "tcp://gpu.local:1", "tcp://[fd00::20]:65535"])
def test_addresses_for_other_machines(address):
    check_reachable(address)


@pytest.mark.parametrize(
    "address",
    [
        "gpu:5555",
        "tcp://gpu",
        "tcp://gpu:0",
        "tcp://gpu:65536",
        "tcp://0.0.0.0:5",
        "tcp://[::]:5",
        "tcp://::1:5",
        "tcp://[gpu]:5",
        "udp://gpu:5",
        "tcp://gpu:5/x",
        "tcp://*:5",
    ],
)
def test_addresses_that_no_machine_reaches_are_refused(address):
    with pytest.raises(ValueRangeError):
        check_reachable(address)
