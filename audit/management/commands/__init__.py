"""``verify_audit`` and ``export_audit``."""
