"""The official conformance suite against a real Portico: its fixtures, and how both are run."""

# For PORTICO_CONNECTORS: they are installed nowhere else.
ENTRIES = [
    "fixtures=tests.conformance.connector:Fixtures",
    "dynamic=tests.conformance.connector:Dynamic",
]
