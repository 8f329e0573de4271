"""What a refused way to sign in says: whole sentences, without the credential."""

from tests.providers.salesforce.conftest import PASSWORD


async def test_a_refused_password_is_called_a_password_and_not_told(org_with):
    org = await org_with({**PASSWORD, "password": "a-Planted-Secret"})
    found = await org.check()
    assert not found.ok
    assert "Invalid username, password, security token" in found.message
    assert "Look at the user name, the password and the security token" in found.details["hint"]
    assert "Planted" not in f"{found.message}{found.details}"
