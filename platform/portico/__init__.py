"""The Django project: settings, URLs, the ASGI router and what starts and watches it all."""

__version__ = "0.1.0"
