"""Jira Cloud: issues, their workflow, comments, projects, boards and sprints."""
