"""How the systems behind connections are: probed, judged, remembered."""
