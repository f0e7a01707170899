"""Draws that leave it to chance what meets what, but not how often each comes.

Numbers are in blocks; in each block what is dealt is shuffled anew, each deck by itself.
"""

from __future__ import annotations

import random
from typing import Sequence, TypeVar

T = TypeVar("T")

BLOCK = 40


def dealt(deck: str, number: int, cards: Sequence[T], size: int = BLOCK) -> T:
    """The card that a number gets; of fewer cards than there are numbers in a block each comes several times."""
    block, place = divmod(number, size)
    order = [cards[n % len(cards)] for n in range(size)]
    random.Random(f"{deck} {block}").shuffle(order)
    return order[place]
