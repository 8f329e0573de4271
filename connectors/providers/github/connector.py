"""The GitHub connector: repositories, files, branches, issues and pull requests."""

from connectors.providers.github.action_tools import ActionTools
from connectors.providers.github.content_tools import ContentTools
from connectors.providers.github.file_resources import FileResources
from connectors.providers.github.file_tools import FileTools
from connectors.providers.github.issue_tools import IssueTools
from connectors.providers.github.pull_tools import PullTools
from connectors.providers.github.release_tools import ReleaseTools
from connectors.providers.github.repository_tools import RepositoryTools
from connectors.providers.github.search_tools import SearchTools


class GitHub(
    RepositoryTools,
    ContentTools,
    FileTools,
    FileResources,
    IssueTools,
    PullTools,
    SearchTools,
    ReleaseTools,
    ActionTools,
):
    """GitHub.com, or an Enterprise Server."""

    slug = "github"
    title = "GitHub"
    description = "Repositories, files, branches, issues and pull requests on GitHub or Enterprise Server."
    icon = "code"
    argument_aliases = {"repo_name": "repo", "number": "pull_number"}
    instructions = (
        "Repositories are owner/name. Read before you change: github_get_file_content gives the sha that "
        "github_create_or_update_file takes. Several files go into one commit with github_commit_multiple_files: "
        "github_create_branch first, github_create_pull_request after."
    )
