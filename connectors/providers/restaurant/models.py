"""The restaurant's tables. Every row belongs to one connection, and through it to one tenant.

Amounts are decimals in the connection's currency. ``business_date`` is the calendar day in
the tenant's time zone; points in time are stored in UTC.
"""

import secrets
from typing import Any

from django.core.validators import MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Q

from common.models import TenantModel

CODE = r"^[A-Z0-9]{8}$"
CODE_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"  # without 0, 1, I and O, which people confuse
ORDER_CODE = r"^ORD-[A-Z0-9]{8}$"


def new_order_code() -> str:
    """A fresh order id such as ``ORD-7KQ2M9XA``."""
    return "ORD-" + "".join(secrets.choice(CODE_LETTERS) for _ in range(8))


class Location(TenantModel):
    """One of the restaurant's houses."""

    connection = models.ForeignKey("connectors.Connection", on_delete=models.CASCADE, related_name="+")
    code = models.SlugField(max_length=30)
    name = models.CharField(max_length=60)
    position = models.PositiveSmallIntegerField(default=0)

    class Meta(TenantModel.Meta):
        ordering = ["position", "code"]
        constraints = [
            models.UniqueConstraint(fields=["connection", "code"], name="restaurant_one_location_per_code")
        ]

    def __str__(self) -> str:
        return self.name


class MenuItem(TenantModel):
    """A dish or drink that can be ordered."""

    class Category(models.TextChoices):
        STARTERS = "starters"
        MAINS = "mains"
        SIDES = "sides"
        DESSERTS = "desserts"
        DRINKS = "drinks"

    connection = models.ForeignKey("connectors.Connection", on_delete=models.CASCADE, related_name="+")
    code = models.CharField(max_length=8, validators=[RegexValidator(CODE)])
    name = models.CharField(max_length=80)
    description = models.CharField(max_length=500, blank=True)
    category = models.CharField(max_length=40)
    price = models.DecimalField(max_digits=8, decimal_places=2, validators=[MinValueValidator(0)])
    prep_minutes = models.PositiveSmallIntegerField(default=10)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta(TenantModel.Meta):
        ordering = ["category", "name"]
        constraints = [
            models.UniqueConstraint(fields=["connection", "code"], name="restaurant_one_item_per_code"),
            models.CheckConstraint(condition=Q(price__gte=0), name="restaurant_price_is_not_negative"),
        ]

    def __str__(self) -> str:
        return self.name


class StockItem(TenantModel):
    """How many portions of a menu item are at hand; never below zero."""

    connection = models.ForeignKey("connectors.Connection", on_delete=models.CASCADE, related_name="+")
    item = models.OneToOneField(MenuItem, on_delete=models.CASCADE, related_name="stock")
    quantity = models.IntegerField()
    reorder_level = models.PositiveIntegerField(default=0)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta(TenantModel.Meta):
        constraints = [
            models.CheckConstraint(condition=Q(quantity__gte=0), name="restaurant_stock_is_not_negative")
        ]

    def __str__(self) -> str:
        return f"{self.item_id}: {self.quantity}"


class Order(TenantModel):
    """What a customer ordered; ``total`` is the sum of its lines at the prices of that moment."""

    class Status(models.TextChoices):
        RECEIVED = "received"
        PREPARING = "preparing"
        READY = "ready"
        COMPLETED = "completed"
        CANCELLED = "cancelled"

    class Kind(models.TextChoices):
        DINE_IN = "dine_in"
        TAKEAWAY = "takeaway"
        DELIVERY = "delivery"

    # Indexed by what the queries narrow by; an index on the tenant alone would only mislead the planner.
    tenant = models.ForeignKey(
        "tenants.Tenant", on_delete=models.CASCADE, related_name="+", editable=False, db_index=False
    )
    connection = models.ForeignKey(
        "connectors.Connection", on_delete=models.CASCADE, related_name="+", db_index=False
    )
    code = models.CharField(max_length=12, default=new_order_code, validators=[RegexValidator(ORDER_CODE)])
    location = models.ForeignKey(Location, on_delete=models.CASCADE, related_name="+")
    customer = models.CharField(max_length=120)
    kind = models.CharField(max_length=10, choices=Kind.choices, default=Kind.DINE_IN)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.RECEIVED)
    total = models.DecimalField(max_digits=12, decimal_places=2)
    notes = models.CharField(max_length=500, blank=True)
    business_date = models.DateField()
    placed_at = models.DateTimeField()
    ready_at = models.DateTimeField(help_text="When the kitchen expects, or expected, to be done.")

    class Meta(TenantModel.Meta):
        ordering = ["placed_at", "code"]
        constraints = [
            models.UniqueConstraint(fields=["connection", "code"], name="restaurant_one_order_per_code")
        ]
        indexes = [
            models.Index(fields=["connection", "business_date"], name="restaurant_order_day"),
            models.Index(
                fields=["connection", "placed_at"],
                condition=Q(status__in=["received", "preparing", "ready"]),
                name="restaurant_open_orders",
            ),
        ]

    def __str__(self) -> str:
        return self.code


class OrderLine(TenantModel):
    """One item of an order, with its name and price as they were then."""

    # Lines are found through their order.
    tenant = models.ForeignKey(
        "tenants.Tenant", on_delete=models.CASCADE, related_name="+", editable=False, db_index=False
    )
    connection = models.ForeignKey(
        "connectors.Connection", on_delete=models.CASCADE, related_name="+", db_index=False
    )
    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="lines")
    item = models.ForeignKey(MenuItem, on_delete=models.CASCADE, related_name="+")
    name = models.CharField(max_length=80)
    quantity = models.PositiveIntegerField()
    unit_price = models.DecimalField(max_digits=8, decimal_places=2)

    class Meta(TenantModel.Meta):
        constraints = [
            models.CheckConstraint(condition=Q(quantity__gte=1), name="restaurant_line_orders_something")
        ]

    def __str__(self) -> str:
        return f"{self.quantity} x {self.name}"


class Feedback(TenantModel):
    """What a guest wrote after a visit."""

    connection = models.ForeignKey("connectors.Connection", on_delete=models.CASCADE, related_name="+")
    code = models.CharField(max_length=8, validators=[RegexValidator(CODE)])
    location = models.ForeignKey(Location, on_delete=models.CASCADE, related_name="+")
    customer = models.CharField(max_length=120)
    rating = models.PositiveSmallIntegerField(help_text="1 to 5 stars.")
    text = models.TextField()
    business_date = models.DateField()

    class Meta(TenantModel.Meta):
        ordering = ["-business_date", "code"]
        constraints = [
            models.UniqueConstraint(fields=["connection", "code"], name="restaurant_one_feedback_per_code"),
            models.CheckConstraint(
                condition=Q(rating__gte=1, rating__lte=5), name="restaurant_one_to_five_stars"
            ),
        ]

    def __str__(self) -> str:
        return self.code


#: All tables, in the order in which a reader understands them.
TABLES: tuple[type[Any], ...] = (Location, MenuItem, StockItem, Order, OrderLine, Feedback)
