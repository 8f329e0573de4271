"""Which passages of a page answer a question: ranked by words (BM25), without a model."""

import math
import re
from collections import Counter
from dataclasses import dataclass
from typing import Final

K1: Final = 1.4
B: Final = 0.75
LENGTH: Final = 900  # characters that a passage has at most, where its blocks allow
_WORD: Final = re.compile(r"[^\W_]+")
_HEADING: Final = re.compile(r"#{1,6} (.*)")
_STOP: Final = frozenset({
    "a", "an", "and", "are", "as", "at", "be", "by", "can", "do", "does", "for", "from", "how", "i",
    "in", "is", "it", "of", "on", "or", "our", "that", "the", "this", "to", "was", "we", "what", "when",
    "where", "which", "who", "why", "will", "with", "you", "your",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of a page below its heading."""

    heading: str
    text: str
    score: float = 0.0


def passages(markdown: str) -> list[Passage]:
    """A page in pieces: blocks of one section together, up to some length."""
    found: list[Passage] = []
    heading, piece = "", ""
    for block in re.split(r"\n{2,}", markdown):
        title = _HEADING.match(block)
        if piece and (title or len(piece) + len(block) > LENGTH):
            found.append(Passage(heading, piece))
            piece = ""
        if title:
            heading = title[1]
        else:
            piece = f"{piece}\n\n{block}" if piece else block
    return [*found, Passage(heading, piece)] if piece else found


def words_of(text: str) -> list[str]:
    """Its words without endings: order, orders and ordered are the same."""
    return [re.sub(r"(?<=\w{3})(?:ing|ed|es|s|e)$", "", word) for word in _WORD.findall(text.lower())]


def best(markdown: str, question: str, limit: int) -> list[Passage]:
    """The passages with the question's words, the best first (Robertson and Zaragoza 2009, BM25)."""
    asked = {word for word in words_of(question) if word not in _STOP} or set(words_of(question))
    pieces = passages(markdown)
    bags = [Counter(words_of(f"{one.heading} {one.heading} {one.text}")) for one in pieces]
    sizes = [sum(bag.values()) for bag in bags]
    usual = sum(sizes) / len(sizes) if sizes else 1.0
    holders = {word: sum(word in bag for bag in bags) for word in asked}
    ranked: list[Passage] = []
    for one, bag, size in zip(pieces, bags, sizes, strict=True):
        score = 0.0
        for word in asked & bag.keys():
            rarity = math.log(1 + (len(bags) - holders[word] + 0.5) / (holders[word] + 0.5))
            score += rarity * bag[word] * (K1 + 1) / (bag[word] + K1 * (1 - B + B * size / usual))
        if score:
            ranked.append(Passage(one.heading, one.text, round(score, 2)))
    return sorted(ranked, key=lambda one: -one.score)[:limit]
