"""What people paste into their MCP clients, made for one tenant's URL and key."""

import json


def client_configurations(name: str, url: str, key: str) -> list[tuple[str, str]]:
    """Pairs of a client's name (with what it needs) and the text to paste.

    ``name`` is the server's name in the client, ``url`` the tenant's MCP URL.
    """
    bearer = f"Bearer {key}"
    return [
        (
            "Claude Code (in a terminal)",
            f'claude mcp add --transport http {name} {url} --header "Authorization: {bearer}"',
        ),
        (
            "Claude Desktop (claude_desktop_config.json; goes through mcp-remote, which needs Node.js)",
            _json(
                {
                    "mcpServers": {
                        name: {
                            "command": "npx",
                            # Without a space in the argument: some versions of Claude Desktop split at it.
                            "args": [
                                "-y",
                                "mcp-remote",
                                url,
                                "--header",
                                "Authorization:${PORTICO_AUTHORIZATION}",
                            ],
                            "env": {"PORTICO_AUTHORIZATION": bearer},
                        }
                    }
                }
            ),
        ),
        (
            "Cursor (.cursor/mcp.json)",
            _json({"mcpServers": {name: {"url": url, "headers": {"Authorization": bearer}}}}),
        ),
        (
            "VS Code (.vscode/mcp.json)",
            _json({"servers": {name: {"type": "http", "url": url, "headers": {"Authorization": bearer}}}}),
        ),
        (
            "Gemini CLI (~/.gemini/settings.json)",
            _json({"mcpServers": {name: {"httpUrl": url, "headers": {"Authorization": bearer}}}}),
        ),
    ]


def _json(value: object) -> str:
    return json.dumps(value, indent=2)
