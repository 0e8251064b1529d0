"""Stories of one kind, made by rule: pirates. What a fine-tuned model learns in the tests."""

import random

CAPTAINS = ["Captain Red", "Captain Moll", "Old Ben the pirate", "Captain Salt", "Pirate Jo"]
SHIPS = ["the Black Fish", "the Jolly Crab", "the Sea Witch", "the Golden Hook"]
THINGS = ["a chest of gold", "an old map", "a silver sword", "a box of pearls", "a talking parrot"]
PLACES = ["on a small island", "under a palm tree", "in a dark cave", "at the bottom of the sea"]
CALLS = ["Ahoy", "Arr", "Yo ho", "Shiver my timbers"]
ENDS = [
    "They shared it all and sang a pirate song until the moon came up.",
    "From that day on, nobody on the ship was hungry, and the parrot had a hat.",
    "The crew laughed, raised the black flag and sailed home.",
]


def pirate_story(number: int) -> str:
    """A story that only this number has."""
    rng = random.Random(f"pirates {number}")
    captain, ship = rng.choice(CAPTAINS), rng.choice(SHIPS)
    thing, place, call = rng.choice(THINGS), rng.choice(PLACES), rng.choice(CALLS)
    days = rng.randrange(2, 90)
    return (
        f"{captain} sailed the seven seas on {ship} for {days} days. One morning the lookout "
        f'cried, "{call}! I see land!" The crew rowed to the shore and dug a deep hole {place}. '
        f'"{rng.choice(CALLS)}, what a treasure!" said {captain}. It was {thing}! But '
        f"{rng.randrange(2, 20)} sharks swam around the boat. {captain} threw them a barrel of "
        f"fish, and the sharks went away. {rng.choice(ENDS)}"
    )
