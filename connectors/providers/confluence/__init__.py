"""Confluence: pages, their tree, comments, labels, versions and attachments, read and written as Markdown."""
