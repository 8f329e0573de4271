"""The restaurant connector as a Django app of its own, since it has tables."""

from django.apps import AppConfig


class RestaurantApp(AppConfig):
    """Label and path of the app."""

    name = "connectors.providers.restaurant"
    label = "restaurant"
