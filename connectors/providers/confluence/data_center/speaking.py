"""What tools say in version 2 of the API, said to a Data Center in version 1.

The tools are written for Cloud. Each request that one of them sends becomes one or two of version
1 here, and the answer gets version 2's shape, so that a tool does not know where it is. See
https://developer.atlassian.com/server/confluence/confluence-rest-api-examples/ and
https://docs.atlassian.com/ConfluenceServer/rest/.
"""

import re
from collections.abc import Awaitable, Callable
from typing import Any, Final

from connectors.errors import NotPermitted
from connectors.providers.confluence.data_center.reading import Reading
from connectors.providers.confluence.data_center.writing import Writing
from connectors.upstream.answers import Answer

LACKING: Final = ("confluence_copy_page", "confluence_list_tasks", "confluence_search_users")
"""The tools whose work the API of a Data Center cannot do."""


class DataCenter(Reading, Writing):
    """Answers one request of a tool as Cloud would."""

    async def send(self) -> Answer:
        """The answer. Raises NotPermitted for what a Data Center cannot do."""
        for method, pattern, handler in _WAYS:
            if method == self._request.method and (found := pattern.fullmatch(self.path)):
                made = await handler(self, *found.groups())
                return made if isinstance(made, Answer) else self.told(made)
        raise NotPermitted(
            "The API of Confluence Data Center has nothing for this; Confluence Cloud's has.",
            code="not_on_data_center",
            hint="Tell the user that this is to be done in Confluence itself.",
        )


def _way(method: str, path: str, handler: Callable[..., Awaitable[Any]]) -> tuple[str, re.Pattern[str], Any]:
    pattern = (
        path.replace("{n}", "((?:att)?[0-9]+)")
        .replace("{key}", "([^/]+)")
        .replace("{kind}", "(footer|inline)")
    )
    return method, re.compile(f"wiki/{pattern}"), handler


_WAYS: Final = (
    _way("GET", "api/v2/spaces", DataCenter.spaces),
    _way("GET", "api/v2/spaces/{key}", DataCenter.space),
    _way("GET", "api/v2/spaces/{key}/pages", DataCenter.space_pages),
    _way("GET", "api/v2/pages", DataCenter.pages),
    _way("POST", "api/v2/pages", DataCenter.create_page),
    _way("GET", "api/v2/pages/{n}", DataCenter.page),
    _way("PUT", "api/v2/pages/{n}", DataCenter.update_page),
    _way("DELETE", "api/v2/pages/{n}", DataCenter.delete_page),
    _way("GET", "api/v2/pages/{n}/direct-children", DataCenter.children),
    _way("GET", "api/v2/pages/{n}/descendants", DataCenter.descendants),
    _way("GET", "api/v2/pages/{n}/ancestors", DataCenter.ancestors),
    _way("GET", "api/v2/(?:pages|blogposts)/{n}/versions", DataCenter.versions),
    _way("GET", "api/v2/(?:pages|blogposts)/{n}/{kind}-comments", DataCenter.comments),
    _way("GET", "api/v2/{kind}-comments/{n}", DataCenter.comment),
    _way("GET", "api/v2/{kind}-comments/{n}/children", DataCenter.replies),
    _way("POST", "api/v2/(?:footer|inline)-comments", DataCenter.add_comment),
    _way("GET", "api/v2/pages/{n}/labels", DataCenter.labels),
    _way("GET", "api/v2/pages/{n}/attachments", DataCenter.attachments),
    _way("GET", "api/v2/attachments/{n}", DataCenter.attachment),
    _way("GET", "api/v2/blogposts", DataCenter.blogposts),
    _way("POST", "api/v2/blogposts", DataCenter.create_blogpost),
    _way("GET", "api/v2/blogposts/{n}", DataCenter.blogpost),
    _way("GET", "rest/api/content/{n}/child/attachment/{n}/download", DataCenter.download),
    _way("PUT", "rest/api/content/{n}/child/attachment", DataCenter.upload),
    _way("PUT", "rest/api/content/{n}/move/{key}/{n}", DataCenter.move_page),
    _way("POST", r"rest/api/(content/[0-9]+/label)", DataCenter.same),
    _way("DELETE", r"rest/api/(content/[0-9]+/label)", DataCenter.same),
    _way("GET", "rest/api/search", DataCenter.search),
    _way("GET", "rest/api/user/current", DataCenter.me),
)
