"""The goals connector as a Django app of its own, since it has tables."""

from django.apps import AppConfig


class GoalsApp(AppConfig):
    """Label and path of the app."""

    name = "connectors.providers.goals"
    label = "goals"
