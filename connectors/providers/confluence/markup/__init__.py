"""Confluence's storage format and Markdown, each made of the other.

The storage format is XHTML with elements of Confluence's own (``ac:``, ``ri:``):
https://confluence.atlassian.com/doc/confluence-storage-format-790796544.html
What Markdown has no word for stays readable and finds its way back: panels are alerts
(``> [!NOTE] Title``), links within Confluence have schemes of their own, and an unknown macro is
a code block of the language ``storage``.
"""

from connectors.providers.confluence.markup.losses import losses_of
from connectors.providers.confluence.markup.reading import to_markdown
from connectors.providers.confluence.markup.sections import Section, sections_of
from connectors.providers.confluence.markup.writing import to_storage

__all__ = ["Section", "losses_of", "sections_of", "to_markdown", "to_storage"]
