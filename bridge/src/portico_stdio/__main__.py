"""``python -m portico_stdio``."""

from portico_stdio.cli import main

main()
