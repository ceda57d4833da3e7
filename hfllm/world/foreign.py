"""What does a page in another language say? Simple German, French and Spanish sentences, each of three parts."""

from __future__ import annotations

import random

# Beginning, middle, end: every choice of the three gives a correct sentence of its language.
PARTS: dict[str, tuple[list[str], list[str], list[str]]] = {
    "de": (
        [
            "Der alte Bäcker",
            "Die junge Lehrerin",
            "Unser Nachbar",
            "Meine Schwester",
            "Der Fischer aus dem Dorf",
            "Die Ärztin",
            "Ein müder Wanderer",
            "Die Tochter des Müllers",
        ],
        [
            "geht jeden Morgen",
            "läuft nach der Arbeit",
            "fährt am Sonntag",
            "kommt bei schönem Wetter",
            "wandert im Sommer gern",
            "spaziert nach dem Essen",
        ],
        [
            "über die Brücke zum Markt und kauft frisches Brot.",
            "durch den Wald, weil es dort so ruhig ist.",
            "zum Hafen und schaut den Schiffen zu.",
            "in die Stadt, um Freunde zu besuchen.",
            "an den Fluss und denkt über das Leben nach.",
            "auf den Hügel, von dem man das ganze Tal sehen kann.",
            "zur Schule, obwohl der Weg sehr weit ist.",
        ],
    ),
    "fr": (
        [
            "Le vieux boulanger",
            "La jeune institutrice",
            "Notre voisin",
            "Ma sœur",
            "Le pêcheur du village",
            "La doctoresse",
            "Un voyageur fatigué",
            "La fille du meunier",
        ],
        [
            "va chaque matin",
            "se promène après le travail",
            "part le dimanche",
            "marche souvent",
            "se rend en été",
            "retourne après le repas",
        ],
        [
            "au marché pour acheter du pain frais.",
            "dans la forêt, parce que tout y est tranquille.",
            "au port pour regarder les bateaux.",
            "en ville avec ses amis d'enfance.",
            "au bord de la rivière et pense à la vie.",
            "sur la colline d'où l'on voit toute la vallée.",
            "à l'école, bien que le chemin soit très long.",
        ],
    ),
    "es": (
        [
            "El viejo panadero",
            "La joven maestra",
            "Nuestro vecino",
            "Mi hermana",
            "El pescador del pueblo",
            "La doctora",
            "Un viajero cansado",
            "La hija del molinero",
        ],
        [
            "va cada mañana",
            "camina después del trabajo",
            "sale los domingos",
            "viaja cuando hace buen tiempo",
            "regresa en verano",
            "corre después de comer",
        ],
        [
            "al mercado para comprar pan fresco.",
            "al bosque, porque allí todo está tranquilo.",
            "al puerto para mirar los barcos.",
            "a la ciudad con sus amigos de la infancia.",
            "a la orilla del río y piensa en la vida.",
            "a la colina desde donde se ve todo el valle.",
            "a la escuela, aunque el camino es muy largo.",
        ],
    ),
}


def sentence(rng: random.Random, language: str) -> str:
    return " ".join(rng.choice(part) for part in PARTS[language])


def paragraph(rng: random.Random, language: str) -> str:
    return " ".join(sentence(rng, language) for _ in range(rng.randint(3, 5)))
