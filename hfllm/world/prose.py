"""Which texts are about nothing in particular? Stories, dialogues, and names and numbers that must be copied."""

from __future__ import annotations

import random

from hfllm.world import words
from hfllm.world.people import City
from hfllm.world.problems import is_held_out


def story(rng: random.Random, hero: str | None = None) -> str:
    """Five or six sentences about two animals; `hero` is the kind of animal it is about."""
    hero = hero or rng.choice(words.ANIMALS)
    friend = rng.choice([animal for animal in words.ANIMALS if animal != hero])
    return " ".join(rng.choice(sentences) for sentences in story_sentences(rng, hero, friend))


def story_sentences(rng: random.Random, hero: str, friend: str) -> list[list[str]]:
    """For each place in the story the sentences that may stand there."""
    place, other_place = rng.sample(words.PLACES, 2)
    thing, other_thing = rng.sample(words.THINGS, 2)
    mood, new_mood = rng.sample(words.MOODS, 2)
    name, food = rng.choice(words.FIRST_NAMES), rng.choice(words.FOODS)
    return [
        [
            f"Once there was {words.with_article(mood)} {hero} named {name}.",
            f"{name} was {words.with_article(mood)} {hero} that lived by the {other_place}.",
            f"{words.with_article(mood).capitalize()} {hero} named {name} had a house near the {other_place}.",
        ],
        [f"One day {name} went to the {place}.", f"In the morning {name} walked to the {place} with a {thing}."],
        [
            f"There {name} saw {words.with_article(friend)} with a {thing}.",
            f"{words.with_article(friend).capitalize()} was looking for a {thing} there.",
        ],
        [f'"Is this your {thing}?" asked {name}.', f'"I have lost my {other_thing}," said the {friend}.'],
        [
            f"The {friend} was hungry, so {name} gave it some {food}.",
            f"They ate {food} and talked about the {other_thing}.",
        ],
        [
            f"Then {name} went home, and the {hero} was {new_mood} again.",
            f"After that day the {hero} and the {friend} were friends.",
        ],
    ]


def dialogue(rng: random.Random, cities: list[City]) -> str:
    one, two = rng.sample(words.FIRST_NAMES, 2)
    city, place = rng.choice(cities).name, rng.choice(words.PLACES)
    mood, food = rng.choice(words.MOODS), rng.choice(words.FOODS)
    return rng.choice(
        [
            f"{one}: Hello, {two}. How are you?\n{two}: I am {mood}, thank you. And you?\n{one}: I am {mood} too.",
            f"{one}: Good morning.\n{two}: Good morning, {one}. Where are you going?\n"
            f"{one}: I am going to the {place}.\n{two}: Have a nice day.",
            f"{one}: What do you want to eat, {two}?\n{two}: I want some {food}, please.\n"
            f"{one}: Here is your {food}.\n{two}: Thank you, {one}.",
            f"{one}: Have you been to {city}?\n{two}: Yes, I went to the {place} of {city}.\n{one}: Did you like it?\n"
            f"{two}: Yes, I was {mood} there.",
        ]
    )


def random_number(rng: random.Random, digits: int | None = None) -> str:
    return "".join(rng.choice("0123456789") for _ in range(digits or rng.randint(2, 5)))


def notice(rng: random.Random, strangers: words.NameMaker) -> str:
    """A name and a number that stand nowhere else, each said two or three times: who copies predicts the second."""
    name, number = strangers.person(), random_number(rng)
    good, place, friend = rng.choice(words.GOODS), rng.choice(words.PLACES), rng.choice(words.FIRST_NAMES)
    return rng.choice(
        [
            f"Dear {name}, your order {number} of {good} is ready. Order: {number}. Name: {name}. Thank you, {name}.",
            f"{friend}: Do you know {name}?\nA: No, who is {name}?\n{friend}: {name} has room {number}.\n"
            f"A: {name}, room {number}, thank you.",
            f"Ticket {number} for {name}. Show ticket {number} at the {place}, {name}.",
            f"Wanted: {name}. If you see {name} at the {place}, call {number}. Again: {name}, call {number}.",
            f"Repeat after me: {name}, {number}.\n{name}, {number}.\nOnce more: {name}, {number}.",
        ]
    )


def copies(rng: random.Random, strangers: words.NameMaker) -> str:
    """Six things said twice: nothing but the first half of a line says how it ends."""
    said = [rng.choice([strangers.person(), random_number(rng), random_sum(rng)]) for _ in range(6)]
    return "\n".join(f"{each}: {each}" for each in said)


def random_sum(rng: random.Random) -> str:
    """A sum or a product of two numbers, none that is kept for the test."""
    while True:
        numbers = f"{rng.randint(10, 99)}{rng.choice('+*')}{rng.randint(10, 99)}"
        if not is_held_out(numbers):
            return numbers
