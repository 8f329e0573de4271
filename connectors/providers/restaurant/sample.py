"""A generated year of sales, so that a new restaurant has something to tell.

The same connection always gets the same year (the random numbers come from its id), ending
today in the tenant's time zone. Weekdays, seasons, lunch and dinner, closed days, slow
growth and cancelled orders are in it. About 9,000 orders are written in well under two seconds.
"""

import random
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from itertools import accumulate
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from django.db import connection as database
from django.db import transaction
from django.utils import timezone

from connectors.base import ConnectionRef
from connectors.providers.restaurant import sample_data as data
from connectors.providers.restaurant.models import (
    CODE_LETTERS,
    Feedback,
    Location,
    MenuItem,
    Order,
    OrderLine,
    StockItem,
)

SUMMER = frozenset({5, 6, 7, 8, 9})


class OrderRow(NamedTuple):
    """A row of the orders' table."""

    id: uuid.UUID
    tenant_id: uuid.UUID
    connection_id: uuid.UUID
    code: str
    location_id: uuid.UUID
    customer: str
    kind: str
    status: str
    total: Decimal
    notes: str
    business_date: date
    placed_at: datetime
    ready_at: datetime


class LineRow(NamedTuple):
    """A row of the order lines' table."""

    id: uuid.UUID
    tenant_id: uuid.UUID
    connection_id: uuid.UUID
    order_id: uuid.UUID
    item_id: uuid.UUID
    name: str
    quantity: int
    unit_price: Decimal


def seed(connection: ConnectionRef, *, days: int = 365, now: datetime | None = None) -> None:
    """Write the menu, the stock, ``days`` days of orders up to ``now`` and the feedback, all or nothing."""
    _Year(connection, days, now or timezone.now()).write()


class _Year:
    def __init__(self, connection: ConnectionRef, days: int, now: datetime) -> None:
        self.owner = {"tenant_id": connection.tenant_id, "connection_id": connection.id}
        self.random = random.Random(connection.id.int)  # noqa: S311 - sample data, no secret
        self.zone = ZoneInfo(connection.time_zone)
        self.days = days
        self.now = now
        self.today = now.astimezone(self.zone).date()
        self.mine = (connection.tenant_id, connection.id)
        # Plain tuples: thirty thousand model instances would take longer than writing them.
        self.orders: list[OrderRow] = []
        self.lines: list[LineRow] = []
        self.guests = [
            f"{first} {middle}{last}"
            for first in data.FIRST_NAMES
            for middle in data.MIDDLE_NAMES
            for last in data.LAST_NAMES
        ]
        self.random.shuffle(self.guests)
        # Few guests come often, many come once or twice.
        self.guest_weights = list(accumulate(1 / (rank + 60) for rank in range(len(self.guests))))
        self.hours = list(data.HOURS), list(accumulate(data.HOURS.values()))

    def id(self) -> uuid.UUID:
        return uuid.UUID(int=self.random.getrandbits(128), version=4)

    def code(self, length: int = 8) -> str:
        return "".join(self.random.choices(CODE_LETTERS, k=length))

    def write(self) -> None:
        self.houses = [
            Location(id=self.id(), **self.owner, code=house.code, name=house.name, position=position)
            for position, house in enumerate(data.HOUSES)
        ]
        self.menu = [
            MenuItem(
                id=self.id(), **self.owner, code=dish.code, name=dish.name, description=dish.description,
                category=dish.category, price=Decimal(dish.price), prep_minutes=dish.prep_minutes,
                updated_at=self.now,
            )
            for dish in data.MENU
        ]  # fmt: skip
        stock = [self.stock_of(item, dish) for item, dish in zip(self.menu, data.MENU, strict=True)]
        self.taste = {
            summer: list(accumulate(self.pull(dish, summer) for dish in data.MENU))
            for summer in (True, False)
        }
        for back in range(self.days - 1, -1, -1):
            self.day(self.today - timedelta(days=back), 1 - back / 365)
        with transaction.atomic():
            Location.objects.bulk_create(self.houses)
            MenuItem.objects.bulk_create(self.menu)
            StockItem.objects.bulk_create(stock)
            insert_quickly(Order, self.orders)
            insert_quickly(OrderLine, self.lines)
            Feedback.objects.bulk_create(self.feedback())

    def stock_of(self, item: MenuItem, dish: data.Dish) -> StockItem:
        level = dish.pull * 4
        quantity = self.random.choice((level // 2, level * 2, level * 4, level * 5, level * 6))
        return StockItem(
            id=self.id(), **self.owner, item=item, quantity=quantity, reorder_level=level, updated_at=self.now
        )

    @staticmethod
    def pull(dish: data.Dish, summer: bool) -> float:
        if not dish.season:
            return dish.pull
        return dish.pull * (1.5 if (dish.season == "summer") == summer else 0.35)

    def day(self, day: date, progress: float) -> None:
        """All orders of a day in all houses; on the last day only those placed before now."""
        if (day.month, day.day) in {(12, 24), (12, 25)}:
            return
        offset = datetime.combine(day, time(12), self.zone).utcoffset() or timedelta()
        midnight = datetime.combine(day, time(), UTC) - offset
        usual = data.MONTHS[day.month - 1] * (1 + data.GROWTH * (progress - 0.5))
        for house, location in zip(data.HOUSES, self.houses, strict=True):
            if day.weekday() == house.closed_on:
                continue
            pattern = 1 + (data.WEEKDAYS[day.weekday()] - 1) * house.weekend
            count = round(house.orders * usual * pattern * self.random.uniform(0.8, 1.2))
            hours = self.random.choices(self.hours[0], cum_weights=self.hours[1], k=count)
            for hour in sorted(hours):
                placed = midnight + timedelta(hours=hour, seconds=self.random.randrange(3600))
                if placed <= self.now:
                    self.order(location, day, placed)

    def order(self, location: Location, day: date, placed: datetime) -> None:
        weights = self.taste[day.month in SUMMER]
        chosen = set(
            self.random.choices(
                range(len(self.menu)), cum_weights=weights, k=self.random.choice((2, 2, 3, 4))
            )
        )
        order_id, total, minutes = self.id(), Decimal(0), 0
        for index in sorted(chosen):
            item, quantity = self.menu[index], self.random.choice((1, 1, 1, 2, 2, 3))
            total += item.price * quantity
            minutes = max(minutes, item.prep_minutes)
            self.lines.append(
                LineRow(self.id(), *self.mine, order_id, item.id, item.name, quantity, item.price)
            )
        age = (self.now - placed).total_seconds() / 60
        self.orders.append(
            OrderRow(
                order_id,
                *self.mine,
                "ORD-" + self.code(),
                location.id,
                self.random.choices(self.guests, cum_weights=self.guest_weights)[0],
                self.random.choice(("dine_in", "dine_in", "dine_in", "takeaway", "delivery")),
                self.status(age, minutes),
                total,
                "",
                day,
                placed,
                placed + timedelta(minutes=minutes + 5),
            )
        )

    def status(self, age: float, minutes: int) -> str:
        if age < 5:
            return "received"
        if age < minutes + 5:
            return "preparing"
        if age < minutes + 15:
            return "ready"
        return "cancelled" if self.random.random() < 0.025 else "completed"

    def feedback(self) -> list[Feedback]:
        visits = [order for order in self.orders if order.status == "completed"]
        chosen = sorted(self.random.sample(range(len(visits)), min(len(visits), max(12, self.days * 2 // 3))))
        dishes: dict[uuid.UUID, str] = {line.order_id: line.name for line in self.lines}
        houses = {house.id: house.name for house in self.houses}
        rows = []
        for index in chosen:
            visit = visits[index]
            rating = self.random.choices((1, 2, 3, 4, 5), weights=(5, 9, 18, 36, 32))[0]
            pool = data.PRAISE if rating >= 4 else data.BLAME if rating <= 2 else data.MIXED
            text = " ".join(self.random.sample(pool, self.random.choice((1, 2))))
            rows.append(
                Feedback(
                    id=self.id(), **self.owner, code="FB" + self.code(6), location_id=visit.location_id,
                    customer=visit.customer, rating=rating, business_date=visit.business_date,
                    text=text.format(dish=dishes[visit.id].lower(), house=houses[visit.location_id]),
                )
            )  # fmt: skip
        return rows


def insert_quickly(model: type[Any], rows: Sequence[Any]) -> None:
    """Insert many named tuples whose fields are the table's columns, by the database's own bulk path.

    COPY on PostgreSQL, ``executemany`` on SQLite.
    """
    if not rows:
        return
    quote, names = database.ops.quote_name, rows[0]._fields
    table, columns = quote(model._meta.db_table), ", ".join(map(quote, names))
    if database.vendor == "postgresql":
        with database.cursor() as cursor, cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        return
    marks = ", ".join(["%s"] * len(names))
    stored: dict[type[Any], Callable[[Any], Any]] = {
        uuid.UUID: lambda value: value.hex,
        Decimal: str,
        datetime: database.ops.adapt_datetimefield_value,
        date: database.ops.adapt_datefield_value,
    }
    values = [[stored.get(type(value), _as_is)(value) for value in row] for row in rows]
    with database.cursor() as cursor:
        cursor.executemany(f"INSERT INTO {table} ({columns}) VALUES ({marks})", values)  # noqa: S608


def _as_is(value: Any) -> Any:
    return value
