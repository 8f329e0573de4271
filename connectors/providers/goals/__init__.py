"""Goals, tasks and plans."""
