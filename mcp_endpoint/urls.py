"""URLs of the MCP endpoints, with or without a slash at the end."""

from django.urls import re_path

from mcp_endpoint.views import mcp

urlpatterns = [
    re_path(r"^t/(?P<slug>[^/]+)/mcp/?\Z", mcp, name="mcp"),
    re_path(r"^t/(?P<slug>[^/]+)/e/(?P<endpoint>[^/]+)/mcp/?\Z", mcp, name="mcp-endpoint"),
    re_path(r"^t/(?P<slug>[^/]+)/(?P<transport>sse|messages)/?\Z", mcp, name="mcp-sse"),
]
