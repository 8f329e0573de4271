"""The ASGI application: tenants' MCP paths go straight to their door, the rest to Django."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portico.settings")

application = get_asgi_application()
