import pytest

from backend_server.identities.store import IdentityStore


@pytest.fixture
def store(tmp_path):
    return IdentityStore(tmp_path / "data" / "identities")
