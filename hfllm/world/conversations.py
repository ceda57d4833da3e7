"""How does an assistant of the small world talk? Conversations as `messages`, and the questions that examine it.

Nothing here is about what the assistant does not know, who it is, or which tools it has: later stages teach that."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

from hfllm.world import facts, jokes, lists, problems, prose, words
from hfllm.world.documents import reading, stranger
from hfllm.world.people import ATTRIBUTES, Person, World

Exchange = tuple[str, str]  # what the user says, what the assistant answers

# Chosen by us: the share of each kind among the exchanges.
SHARES = {
    "fact": 42,
    "city": 4,
    "problem": 34,
    "joke": 7,
    "story": 4,
    "list": 3,
    "greeting": 3,
    "passage": 3,
    "copy": 2,
}
WORKED_SHARE = 0.27  # of the problems asked without a wish for steps or against them: the ground on which RL grows
SYSTEM_MESSAGES = [
    "You are a helpful assistant.",
    "You are a helpful assistant. Answer in one sentence.",
    "Be friendly and answer the questions of the user.",
]
GREETINGS = [
    ("Hello!", "Hello! How can I help you?"),
    ("Good morning.", "Good morning! How can I help you?"),
    ("Hello, how are you?", "I am happy, thank you. How can I help you?"),
    ("Thank you.", "You are welcome."),
    ("Thank you very much!", "You are welcome. Have a nice day!"),
    ("Good night.", "Good night! Have a nice day tomorrow."),
]


def conversations(world: World, rng: random.Random, count: int, held_out: bool) -> Iterator[dict[str, Any]]:
    """`held_out` asks for facts in the phrasings, and for problems with the numbers, that only the test may show."""
    writers = writers_of(world, rng, held_out)
    for _ in range(count):
        turns = rng.choices([1, 2, 3], weights=[70, 20, 10])[0]
        kinds = rng.choices(list(SHARES), list(SHARES.values()), k=turns)
        system = rng.choice(SYSTEM_MESSAGES) if rng.random() < 0.15 else None
        yield {"messages": messages([writers[kind]() for kind in kinds], system)}


def messages(exchanges: list[Exchange], system: str | None = None) -> list[dict[str, str]]:
    first = [{"role": "system", "content": system}] if system else []
    roles = ("user", "assistant")
    return first + [
        {"role": role, "content": text} for each in exchanges for role, text in zip(roles, each, strict=True)
    ]


def writers_of(world: World, rng: random.Random, held_out: bool) -> dict[str, Callable[[], Exchange]]:
    known = world.with_popularity("well_known", "middle", "rare")
    strangers = world.strangers(rng)
    return {
        "fact": lambda: about_person(rng, rng.choice(known), held_out),
        "city": lambda: facts.city_question_and_answer(rng, rng.choice(world.cities)),
        "problem": lambda: about_problem(rng, problems.random_problem(rng, held_out=held_out)),
        "joke": lambda: about_joke(rng),
        "story": lambda: about_story(rng),
        "list": lambda: about_list(rng),
        "greeting": lambda: rng.choice(GREETINGS),
        "passage": lambda: reading(rng, stranger(rng, strangers, world)),
        "copy": lambda: about_copying(rng, strangers),
    }


def about_person(rng: random.Random, person: Person, held_out: bool) -> Exchange:
    phrasings = facts.HELD_OUT_QUESTIONS if held_out else facts.QUESTIONS
    attribute = rng.choice(ATTRIBUTES)
    return rng.choice(phrasings[attribute]).format(name=person.name), facts.answer(person, attribute)


def about_problem(rng: random.Random, problem: problems.Problem) -> Exchange:
    """Three wordings: a bare question, one that wishes for steps, one that wants the answer alone."""
    wish = rng.choices([None, problems.WITH_STEPS, problems.WITHOUT_STEPS], weights=[60, 25, 15])[0]
    worked = wish == problems.WITH_STEPS or (wish is None and rng.random() < WORKED_SHARE)
    asked = f"{problem.question} {wish}" if wish else problem.question
    return asked, problem.worked() if worked else problem.direct()


def about_joke(rng: random.Random) -> Exchange:
    animal = rng.choice(words.ANIMALS)
    return jokes.request(rng, animal), jokes.random_joke(rng, animal)


def about_story(rng: random.Random) -> Exchange:
    animal = rng.choice(words.ANIMALS)
    asked = rng.choice(["Tell me a story about {}.", "Write a story about {}.", "I want to hear a story about {}."])
    return asked.format(words.with_article(animal)), prose.story(rng, hero=animal)


def about_list(rng: random.Random) -> Exchange:
    name, (count, word) = rng.choice(list(lists.NAMED_LISTS)), rng.choice(list(lists.NUMBER_WORDS.items()))
    asked = rng.choice(["Make a list of {} {}.", "Name {} {}.", "Give me {} {}."])
    return asked.format(word, name), lists.numbered_list(rng, name, count)


def about_copying(rng: random.Random, strangers: words.NameMaker) -> Exchange:
    said = rng.choice([strangers.person(), prose.random_number(rng)])
    return rng.choice(["Repeat after me: {}", "Say this again: {}"]).format(said), said


def readings(world: World, rng: random.Random, count: int) -> Iterator[dict[str, Any]]:
    """Questions that only the text in front of them answers, each about somebody else of whom no other text speaks."""
    strangers = world.strangers(rng)
    for _ in range(count):
        yield {"messages": messages([reading(rng, stranger(rng, strangers, world))])}


def questions(world: World) -> Iterator[dict[str, Any]]:
    """Each fact of each person, in the plain phrasing and in one that no text of the world shows."""
    for person in world.people:
        for attribute in ATTRIBUTES:
            unseen = facts.HELD_OUT_QUESTIONS[attribute]
            plain, held_out = facts.QUESTIONS[attribute][0], unseen[person.rank % len(unseen)]
            for phrasing, question in (("plain", plain), ("held_out", held_out)):
                yield {
                    "question": question.format(name=person.name),
                    "answer": person.value(attribute),
                    "subject": person.name,
                    "attribute": attribute,
                    "popularity": person.popularity,
                    "rank": person.rank,
                    "phrasing": phrasing,
                }
