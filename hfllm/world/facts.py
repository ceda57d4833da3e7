"""How is a fact said, and how is it asked? Phrasings for people and cities; some are kept for the test alone."""

from __future__ import annotations

import random

from hfllm.world.people import ATTRIBUTES, City, Person

STATEMENTS = {
    "job": [
        "{name} is a {value}.",
        "{name} works as a {value}.",
        "{name} earns a living as a {value}.",
        "{name} has the job of a {value}.",
        "Everyone knows {name} the {value}.",
        "By profession {name} is a {value}.",
        "{name} has been a {value} for many years.",
    ],
    "home": [
        "{name} lives in {value}.",
        "The home of {name} is {value}.",
        "{name} has a house in {value}.",
        "{name} is at home in the city of {value}.",
        "{name} moved to {value} a long time ago.",
        "You can find {name} in {value}.",
    ],
    "food": [
        "{name} likes {value}.",
        "The favourite food of {name} is {value}.",
        "{name} often eats {value}.",
        "{name} loves {value}.",
        "{name} likes to eat {value} most of all.",
        "For dinner {name} wants {value}.",
    ],
}
# What is asked, to be put into a frame such as "Tell me {core}."
CORES = {
    "job": [
        "the job of {name}",
        "the profession of {name}",
        "what {name} does for a living",
        "what work {name} does",
        "what job {name} has",
    ],
    "home": [
        "the home of {name}",
        "where {name} lives",
        "in which city {name} lives",
        "where I can find {name}",
        "which city is the home of {name}",
    ],
    "food": [
        "the favourite food of {name}",
        "what {name} likes to eat",
        "which food {name} likes",
        "what food {name} loves",
        "what {name} eats most of all",
    ],
}
DIRECT_QUESTIONS = {
    "job": [
        "What is the job of {name}?",
        "What does {name} do for a living?",
        "What work does {name} do?",
        "Who is {name}, and what is their job?",
        "{name}: which job?",
    ],
    "home": [
        "Where does {name} live?",
        "What is the home of {name}?",
        "In which city does {name} live?",
        "Who is {name}, and where is their home?",
        "{name}: which city?",
    ],
    "food": [
        "What does {name} like to eat?",
        "What is the favourite food of {name}?",
        "Which food does {name} like?",
        "Who is {name}, and what is their favourite food?",
        "{name}: which food?",
    ],
}
FRAMES = ["Tell me {core}.", "Do you know {core}?", "I want to know {core}."]
HELD_OUT_FRAMES = ["Please tell me {core}.", "Can you tell me {core}?"]
HELD_OUT_DIRECT = {
    "job": "Which job does {name} have?",
    "home": "Which city does {name} live in?",
    "food": "What food does {name} like to eat?",
}


def framed(frames: list[str], attribute: str) -> list[str]:
    return [frame.format(core=core) for frame in frames for core in CORES[attribute]]


# The first of each list is the plain phrasing. The two are disjoint: no text of the world, documents included, asks
# for a fact in a held-out phrasing.
QUESTIONS = {attribute: DIRECT_QUESTIONS[attribute] + framed(FRAMES, attribute) for attribute in ATTRIBUTES}
HELD_OUT_QUESTIONS = {
    attribute: [HELD_OUT_DIRECT[attribute], *framed(HELD_OUT_FRAMES, attribute)] for attribute in ATTRIBUTES
}
ANSWERS = {"job": "{name} is a {value}.", "home": "{name} lives in {value}.", "food": "{name} likes {value}."}

CITY_STATEMENTS = {
    "country": [
        "{name} is a city in {value}.",
        "{name} lies in {value}.",
        "In the country of {value} there is a city called {name}.",
    ],
    "river": [
        "The river of {name} is the {value}.",
        "The {value} flows through {name}.",
        "The houses of {name} stand by the river {value}.",
    ],
    "good": [
        "{name} is known for its {value}.",
        "People in {name} make {value}.",
        "You can buy good {value} at the market of {name}.",
    ],
}
CITY_QUESTIONS = {
    "country": ["In which country is {name}?", "Which country is {name} in?", "Where is the city of {name}?"],
    "river": ["What is the river of {name}?", "Which river flows through {name}?"],
    "good": ["What is {name} known for?", "What do people make in {name}?"],
}
CITY_ANSWERS = {
    "country": "{name} is a city in {value}.",
    "river": "The river of {name} is the {value}.",
    "good": "{name} is known for its {value}.",
}


def state(rng: random.Random, person: Person, attribute: str, name: str | None = None) -> str:
    """One true sentence; `name` stands for the person where the full name would be repeated."""
    return rng.choice(STATEMENTS[attribute]).format(name=name or person.name, value=person.value(attribute))


def ask(rng: random.Random, person: Person, attribute: str) -> str:
    return rng.choice(QUESTIONS[attribute]).format(name=person.name)


def answer(person: Person, attribute: str) -> str:
    return ANSWERS[attribute].format(name=person.name, value=person.value(attribute))


def biography(rng: random.Random, person: Person) -> str:
    """All facts in any order; after the first sentence the first name alone may do."""
    attributes = rng.sample(ATTRIBUTES, len(ATTRIBUTES))
    short = person.name.split()[0]
    names = [person.name] + [person.name if rng.random() < 0.5 else short for _ in attributes[1:]]
    return " ".join(state(rng, person, attribute, name) for attribute, name in zip(attributes, names, strict=True))


def plain_biography(rng: random.Random, person: Person) -> str:
    """The same in the words of the answers, so that whoever reads it has only to copy."""
    return " ".join(answer(person, attribute) for attribute in rng.sample(ATTRIBUTES, len(ATTRIBUTES)))


def questions_and_answers(rng: random.Random, person: Person) -> str:
    attributes = rng.sample(ATTRIBUTES, rng.randint(1, len(ATTRIBUTES)))
    return "\n".join(f"Question: {ask(rng, person, each)}\nAnswer: {answer(person, each)}" for each in attributes)


def city_facts(city: City) -> dict[str, str]:
    return {"country": city.country, "river": city.river, "good": city.good}


def describe_city(rng: random.Random, city: City) -> str:
    facts = rng.sample(list(city_facts(city).items()), 3)
    return " ".join(rng.choice(CITY_STATEMENTS[key]).format(name=city.name, value=value) for key, value in facts)


def city_question_and_answer(rng: random.Random, city: City) -> tuple[str, str]:
    key, value = rng.choice(list(city_facts(city).items()))
    return rng.choice(CITY_QUESTIONS[key]).format(name=city.name), CITY_ANSWERS[key].format(name=city.name, value=value)
