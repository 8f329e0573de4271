"""What happened: events, their chain, verification, retention and export."""
