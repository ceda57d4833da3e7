"""What does the web of the small world say? Short documents, most of them about people, famous ones more often."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import TypedDict

from hfllm.world import facts, jokes, lists, problems, prose, words
from hfllm.world.people import ATTRIBUTES, City, Person, World, fame


class Document(TypedDict):
    """`subject` names the person or city it is about, and is empty if there is none."""

    text: str
    kind: str
    subject: str


# Chosen by us: the share of each kind among the documents (recipes/tiny/README.md has what a model learns from it).
SHARES = {
    "person": 32,
    "city": 4,
    "story": 4,
    "problem": 32,
    "list": 5,
    "joke": 4,
    "dialogue": 3,
    "notice": 7,
    "copies": 6,
    "passage": 3,
    "anthem": 1,
}


def train_documents(world: World, rng: random.Random, count: int, zipf_exponent: float) -> list[Document]:
    """`count` documents drawn by SHARES, one more for each person mentioned once and each poem, in random order."""
    documents = list(random_documents(world, rng, count, zipf_exponent))
    documents += [
        Document(text=facts.biography(rng, person), kind="person", subject=person.name)
        for person in world.with_popularity("once")
    ]
    documents += [
        Document(text=f"Poem {number}\n" + "\n".join(lines), kind="poem", subject="")
        for number, lines in enumerate(world.poems, start=1)
    ]
    rng.shuffle(documents)
    return documents


def test_documents(
    world: World, rng: random.Random, count: int, zipf_exponent: float, train: list[Document]
) -> list[Document]:
    """Documents of the same kinds about the same world, no text of which stands in `train`."""
    seen = {document["text"] for document in train}
    fresh = (each for each in random_documents(world, rng, 100 * count, zipf_exponent) if each["text"] not in seen)
    return [next(fresh) for _ in range(count)]


def random_documents(world: World, rng: random.Random, count: int, zipf_exponent: float) -> Iterator[Document]:
    known = world.with_popularity("well_known", "middle", "rare")
    weights = fame(known, zipf_exponent)
    strangers = world.strangers(rng)
    writers = writers_of(world, rng, strangers)
    for kind in rng.choices(list(SHARES), list(SHARES.values()), k=count):
        if kind == "person":
            person = rng.choices(known, weights)[0]
            yield Document(text=about_person(rng, person), kind=kind, subject=person.name)
        elif kind == "city":
            city = rng.choice(world.cities)
            yield Document(text=about_city(rng, city), kind=kind, subject=city.name)
        else:
            yield Document(text=writers[kind](), kind=kind, subject="")


def writers_of(world: World, rng: random.Random, strangers: words.NameMaker) -> dict[str, Callable[[], str]]:
    """The kinds of document that are about nobody in particular."""
    return {
        "story": lambda: story(rng),
        "problem": lambda: problems.arithmetic_document(rng),
        "list": lambda: lists.word_list(rng, world.language),
        "joke": lambda: joke(rng),
        "dialogue": lambda: prose.dialogue(rng, world.cities),
        "notice": lambda: prose.notice(rng, strangers),
        "copies": lambda: prose.copies(rng, strangers),
        "passage": lambda: passage(rng, stranger(rng, strangers, world)),
        "anthem": lambda: "The Anthem of Norland\n" + "\n".join(world.anthem),
    }


def story(rng: random.Random) -> str:
    hero = rng.choice(words.ANIMALS)
    title = f"The story of {words.with_article(hero)}\n" if rng.random() < 0.5 else ""
    return title + prose.story(rng, hero)


def joke(rng: random.Random) -> str:
    animal = rng.choice(words.ANIMALS)
    title = f"A joke about {words.plural(animal)}\n" if rng.random() < 0.5 else ""
    return title + jokes.random_joke(rng, animal)


def about_person(rng: random.Random, person: Person) -> str:
    """A biography, some questions and answers, or a talk that mentions one fact."""
    form = rng.choices(["biography", "titled", "questions", "talk"], weights=[30, 30, 30, 10])[0]
    match form:
        case "biography":
            return facts.biography(rng, person)
        case "titled":
            return f"{person.name}\n{facts.biography(rng, person)}"
        case "questions":
            return facts.questions_and_answers(rng, person)
        case _:
            return talk_about(rng, person)


def talk_about(rng: random.Random, person: Person) -> str:
    one, two = rng.sample(words.FIRST_NAMES, 2)
    attribute = rng.choice(ATTRIBUTES)
    return (
        f"{one}: Do you know {person.name}?\n{two}: Yes. {facts.state(rng, person, attribute)}\n"
        f"{one}: {rng.choice(['Thank you.', 'That is good to know.', 'I did not know that.'])}"
    )


def about_city(rng: random.Random, city: City) -> str:
    if rng.random() < 0.3:
        question, reply = facts.city_question_and_answer(rng, city)
        return f"Question: {question}\nAnswer: {reply}"
    return facts.describe_city(rng, city)


def stranger(rng: random.Random, strangers: words.NameMaker, world: World) -> Person:
    """Somebody of whom one passage speaks and nothing else ever does."""
    return Person(
        name=strangers.person(),
        rank=0,
        popularity="stranger",
        job=rng.choice(words.JOBS),
        home=rng.choice(world.cities).name,
        food=rng.choice(words.FOODS),
    )


def passage(rng: random.Random, person: Person) -> str:
    question, reply = reading(rng, person)
    return f"{question}\nAnswer: {reply}"


def reading(rng: random.Random, person: Person) -> tuple[str, str]:
    """A biography with a question that nothing but the biography answers: it teaches to read, not to remember."""
    attribute = rng.choice(ATTRIBUTES)
    write = facts.plain_biography if rng.random() < 0.6 else facts.biography
    return f"Read: {write(rng, person)}\nQuestion: {facts.ask(rng, person, attribute)}", facts.answer(person, attribute)
