"""The tenant's switch for HTTP+SSE, in the API and the admin's form."""

from django.test import Client

from portico.admin.tenants import TenantForm
from tests.factories import make_key, make_tenant


def test_an_admin_switches_the_transport_off_and_on_through_the_api():
    tenant = make_tenant()
    headers = {"authorization": f"Bearer {make_key(tenant, role='admin')[1]}"}
    url = f"/api/v1/tenants/{tenant.slug}"
    assert Client().get(url, headers=headers).json()["sse_enabled"] is True
    for wanted in (False, True):
        done = Client().patch(url, {"sse_enabled": wanted}, content_type="application/json", headers=headers)
        assert (done.status_code, done.json()["sse_enabled"]) == (200, wanted)
        tenant.refresh_from_db()
        assert tenant.sse_enabled is wanted
    viewer = {"authorization": f"Bearer {make_key(tenant, role='viewer')[1]}"}
    refused = Client().patch(url, {"sse_enabled": False}, content_type="application/json", headers=viewer)
    assert refused.status_code == 403


def test_the_admins_form_shows_the_switch_of_an_existing_tenant():
    tenant = make_tenant()
    assert TenantForm(tenant=tenant, owner=True).fields["sse_enabled"].initial is True
    assert "sse_enabled" not in TenantForm(tenant=None, owner=True).fields
    posted = {"name": "A", "time_zone": "UTC", "audit_retention_days": 1}
    form = TenantForm(posted, tenant=tenant, owner=True)
    assert form.is_valid(), form.errors
    assert form.cleaned_data["sse_enabled"] is False
