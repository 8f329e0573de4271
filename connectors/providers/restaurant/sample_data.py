"""The words and numbers that the generated year is made of: the menu, the houses, the guests."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Dish:
    """A row of the sample menu. ``season``: summer, winter or empty; ``pull`` is its popularity."""

    code: str
    name: str
    category: str
    price: str
    pull: int
    prep_minutes: int
    description: str
    season: str = ""


MENU = (
    Dish(
        "BRUSCH01",
        "Tomato bruschetta",
        "starters",
        "7.90",
        9,
        8,
        "Toasted sourdough, tomatoes, basil.",
        "summer",
    ),
    Dish("PUMPKN01", "Pumpkin soup", "starters", "8.50", 7, 6, "With ginger and roasted seeds.", "winter"),
    Dish(
        "BURRAT01", "Burrata with peach", "starters", "12.90", 6, 7, "Peach, rocket, hazelnut oil.", "summer"
    ),
    Dish("BEEFTA01", "Beef tartare", "starters", "14.50", 5, 12, "Hand-cut, capers, egg yolk, rye."),
    Dish("GRSALD01", "Green salad", "starters", "6.90", 8, 5, "Leaves of the day, mustard dressing."),
    Dish(
        "MARGHE01",
        "Pizza Margherita",
        "mains",
        "11.90",
        18,
        14,
        "San Marzano tomatoes, fior di latte, basil.",
    ),
    Dish("DIAVOL01", "Pizza Diavola", "mains", "14.50", 12, 14, "Spicy salami, chilli, mozzarella."),
    Dish("RISOTT01", "Mushroom risotto", "mains", "17.90", 9, 20, "Porcini, parmesan, thyme.", "winter"),
    Dish("SEABAS01", "Grilled sea bass", "mains", "24.90", 7, 22, "Fennel, lemon, new potatoes.", "summer"),
    Dish("BURGER01", "House burger", "mains", "15.90", 15, 16, "Dry-aged beef, cheddar, pickles, brioche."),
    Dish("SCHNTZ01", "Veal schnitzel", "mains", "22.50", 10, 18, "Lemon, cranberries, cucumber salad."),
    Dish("CURRYV01", "Vegetable curry", "mains", "15.50", 8, 15, "Coconut, chickpeas, spinach. Vegan."),
    Dish(
        "GOULSH01", "Beef goulash", "mains", "18.90", 7, 10, "Slow-braised, with bread dumplings.", "winter"
    ),
    Dish("FRIES001", "Hand-cut fries", "sides", "5.50", 14, 9, "With rosemary salt."),
    Dish("GRVEGS01", "Grilled vegetables", "sides", "6.50", 6, 10, "Courgette, pepper, aubergine.", "summer"),
    Dish("GARLIC01", "Garlic bread", "sides", "4.90", 8, 6, "Butter, parsley, roasted garlic."),
    Dish("TIRAMI01", "Tiramisu", "desserts", "7.90", 9, 4, "Mascarpone, espresso, cocoa."),
    Dish("SORBET01", "Lemon sorbet", "desserts", "5.90", 5, 3, "With mint.", "summer"),
    Dish("APSTRU01", "Apple strudel", "desserts", "7.50", 6, 6, "Warm, with vanilla sauce.", "winter"),
    Dish("CHFOND01", "Chocolate fondant", "desserts", "8.90", 6, 12, "Liquid heart, sour cherries."),
    Dish("ESPRES01", "Espresso", "drinks", "2.80", 16, 2, "House blend."),
    Dish("LEMONA01", "Elderflower lemonade", "drinks", "4.20", 11, 2, "Made in the house.", "summer"),
    Dish("HSWINE01", "Glass of house wine", "drinks", "6.50", 14, 2, "White or red, 0.2 l."),
    Dish("PILSNR01", "Pilsner", "drinks", "4.60", 13, 2, "Unfiltered, 0.5 l."),
    Dish("MINWAT01", "Mineral water", "drinks", "3.90", 17, 1, "0.75 l, still or sparkling."),
)


@dataclass(frozen=True, slots=True)
class House:
    """A location: ``orders`` on an average day, ``weekend`` how strongly the weekend shows, its day off."""

    code: str
    name: str
    orders: float
    weekend: float
    closed_on: int | None = None  # Monday is 0


HOUSES = (
    House("old-town", "Old Town", 10.5, 1.0),
    House("riverside", "Riverside", 7.5, 1.35, closed_on=0),
    House("station", "Central Station", 5.5, 0.35),
)

WEEKDAYS = (0.74, 0.80, 0.88, 0.98, 1.32, 1.46, 1.12)  # Monday first
MONTHS = (0.84, 0.88, 0.95, 1.00, 1.08, 1.12, 1.10, 1.04, 1.02, 0.98, 0.94, 1.14)
HOURS = {11: 4, 12: 15, 13: 13, 14: 6, 15: 2, 16: 2, 17: 5, 18: 12, 19: 18, 20: 15, 21: 8}
GROWTH = 0.14  # over the year

FIRST_NAMES = (
    "Anna", "Ben", "Clara", "David", "Elena", "Farid", "Greta", "Hugo", "Ines", "Jonas", "Katja", "Liam",
    "Mara", "Nora", "Oskar", "Paula", "Quentin", "Rosa", "Samir", "Tilda", "Uma", "Viktor", "Wanda", "Yusuf",
)  # fmt: skip
MIDDLE_NAMES = ("", "A. ", "K. ", "M. ", "S. ")
LAST_NAMES = (
    "Adler", "Bauer", "Costa", "Dietz", "Esposito", "Fischer", "García", "Hansen", "Ivanova", "Jensen",
    "Keller", "Lindqvist", "Moreau", "Novak", "Okafor", "Petrov", "Rossi", "Schmidt", "Tanaka", "Weber",
)  # fmt: skip

#: Stars -> sentences; ``{dish}`` and ``{house}`` are filled in.
PRAISE = (
    "The {dish} was delicious and perfectly cooked.",
    "Friendly staff, we felt welcome from the first minute.",
    "Fast service even though the house was full.",
    "Lovely atmosphere at {house}, we will come back.",
    "Great value for the price.",
    "Everything was fresh and the table was spotless.",
)
MIXED = (
    "The {dish} was good, but we waited long for it.",
    "Nice place, although the music was too loud.",
    "Food was fine, portions are a bit small for the price.",
    "The waiter was friendly, but he forgot our drinks.",
)
BLAME = (
    "The {dish} arrived cold and tasted bland.",
    "We waited almost an hour, the service was terribly slow.",
    "Our waiter was rude and the bill was wrong.",
    "The table was dirty and the room noisy.",
    "Far too expensive for what you get, very disappointing.",
)
