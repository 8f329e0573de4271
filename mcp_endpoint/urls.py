"""URLs of the MCP endpoints; ``/mcp`` and ``/mcp/`` are one."""

from django.urls import re_path

from mcp_endpoint.views import mcp

urlpatterns = [re_path(r"^t/(?P<slug>[^/]+)/mcp/?\Z", mcp, name="mcp")]
