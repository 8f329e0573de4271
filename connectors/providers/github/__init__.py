"""The GitHub connector: github.com and Enterprise Server over their REST API."""
