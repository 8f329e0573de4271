"""Reading a guest's feedback with a small lexicon: no network, the same answer every time."""

import re
from dataclasses import dataclass, field

from django.utils.translation import gettext as _

from connectors.providers.restaurant.types import Sentiment

POSITIVE = {
    "delicious": 2, "perfectly": 2, "excellent": 2, "amazing": 2, "wonderful": 2, "fantastic": 2, "great": 1.5,
    "lovely": 1.5, "love": 1.5, "loved": 1.5, "friendly": 1.5, "welcome": 1, "good": 1, "fine": 0.5, "nice": 1,
    "fresh": 1, "fast": 1, "quick": 1, "tasty": 1.5, "spotless": 1, "clean": 1, "warm": 0.5, "best": 2, "happy": 1,
    "recommend": 1.5, "cosy": 1, "attentive": 1.5, "generous": 1, "cheap": 0.5,
}  # fmt: skip
NEGATIVE = {
    "cold": 1.5, "bland": 1.5, "slow": 1.5, "slowly": 1.5, "terribly": 1, "terrible": 2, "awful": 2, "rude": 2,
    "dirty": 2, "noisy": 1, "loud": 1, "expensive": 1.5, "overpriced": 1.5, "disappointing": 2, "disappointed": 2,
    "wrong": 1.5, "forgot": 1, "waited": 1, "waiting": 1, "burnt": 2, "salty": 1, "raw": 1.5, "small": 0.5,
    "bad": 1.5, "worst": 2, "never": 0.5, "stale": 1.5, "unfriendly": 1.5, "hour": 0.5, "sick": 2, "undercooked": 1.5,
}  # fmt: skip
NEGATIONS = {
    "not",
    "no",
    "never",
    "hardly",
    "isn't",
    "wasn't",
    "weren't",
    "don't",
    "didn't",
    "cannot",
    "can't",
}
STRONGER = {"very": 1.5, "really": 1.4, "far": 1.3, "too": 1.3, "so": 1.3, "terribly": 1.5, "extremely": 1.7}
TOPICS = {
    "food": {"food", "dish", "dishes", "taste", "tasted", "cooked", "delicious", "bland", "fresh", "portions",
             "burnt", "salty", "raw", "stale", "tasty", "undercooked", "meal"},
    "service": {"service", "staff", "waiter", "waitress", "rude", "friendly", "unfriendly", "attentive", "bill",
                "forgot", "drinks", "welcome"},
    "speed": {"waited", "waiting", "slow", "slowly", "fast", "quick", "hour", "long", "minutes"},
    "price": {"price", "value", "expensive", "overpriced", "cheap", "bill"},
    "atmosphere": {"atmosphere", "music", "loud", "noisy", "cosy", "place", "room"},
    "cleanliness": {"clean", "dirty", "spotless"},
}  # fmt: skip


def _suggestion(topic: str) -> str:
    return {
        "food": _("Check the dish with the kitchen: recipe, seasoning and serving temperature."),
        "service": _("Speak with the team of that shift and answer the guest personally."),
        "speed": _("Compare staffing with the orders of that hour; tell guests the expected wait."),
        "price": _("Compare portion and price with the neighbours; explain what makes the dish worth it."),
        "atmosphere": _("Lower the music at peak hours and look at the noise in the room."),
        "cleanliness": _("Add a check of tables and floor between two seatings."),
    }[topic]


@dataclass
class Reading:
    """What a text says: ``score`` from -1 to 1, topic -> its score, topic -> the words that told."""

    score: float
    sentiment: Sentiment
    topics: dict[str, float] = field(default_factory=dict)
    words: dict[str, list[str]] = field(default_factory=dict)


def word_for(score: float, *, torn: bool = False) -> Sentiment:
    """positive, neutral, negative, or mixed where both sides are strong."""
    if torn and abs(score) < 0.5:
        return "mixed"
    return "positive" if score > 0.15 else "negative" if score < -0.15 else "neutral"


def read(text: str, rating: int) -> Reading:
    """Read a text clause by clause; the stars count as much as the words."""
    plus = minus = 0.0
    topics: dict[str, float] = {}
    words: dict[str, list[str]] = {}
    for clause in re.split(r"[.,;!?]| but | although ", text.lower()):
        tokens = re.findall(r"[a-z']+", clause)
        value = 0.0
        for index, token in enumerate(tokens):
            weight = POSITIVE.get(token, 0) - NEGATIVE.get(token, 0)
            if not weight:
                continue
            before = tokens[max(0, index - 3) : index]
            if before:
                weight *= STRONGER.get(before[-1], 1)
            if NEGATIONS.intersection(before):
                weight *= -0.7
            value += weight
        plus, minus = plus + max(value, 0), minus - min(value, 0)
        for topic, signs in TOPICS.items():
            if hits := [token for token in tokens if token in signs]:
                topics[topic] = topics.get(topic, 0.0) + value
                words.setdefault(topic, []).extend(hit for hit in hits if hit not in words.get(topic, []))
    from_words = (plus - minus) / (plus + minus) if plus + minus else 0.0
    score = round((from_words + (rating - 3) / 2) / 2, 2)
    return Reading(score, word_for(score, torn=bool(plus and minus)), topics, words)


def suggestions(reading: Reading) -> list[str]:
    """What to do, the worst topic first; thanks where nothing is wrong."""
    bad = sorted((value, topic) for topic, value in reading.topics.items() if value < 0)
    advice = [_suggestion(topic) for _value, topic in bad]
    if reading.score < -0.15:
        advice.append(_("Offer an apology and an invitation to come back."))
    return advice or [_("Thank the guest, and tell the team what was praised.")]
