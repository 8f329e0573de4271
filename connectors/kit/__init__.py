"""What connectors of all vendors need between an answer and a result: trimming, tables, cursors, files."""
