"""What first-person statements become."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from optimus.memory_manager.rules.candidate import Candidate, CandidateKind
from optimus.memory_manager.rules.derivation import derive

NOW = datetime(2026, 11, 22, 19, 0, tzinfo=UTC)


def texts(message: str) -> list[str]:
    """Return the texts that a message derives."""
    return [candidate.text for candidate in derive(message, now=NOW)]


def only(message: str) -> Candidate:
    """Return the one candidate of a message."""
    found = derive(message, now=NOW)
    assert len(found) == 1, found
    return found[0]


STATEMENTS = [
    # message, text, type, slot
    ("My name is Ana Silva", "My name is Ana Silva", "fact", "name"),
    ("call me Ana", "Call me Ana", "preference", "name"),
    ("Hi, I'm Ana!", "I'm Ana", "fact", "name"),
    ("I'd like to be called Annie", "I'd like to be called Annie", "preference", "name"),
    ("I’m 34", "I'm 34", "fact", "age"),
    ("I am 34 years old.", "I am 34 years old", "fact", "age"),
    ("My birthday is on 3 May", "My birthday is on 3 May", "fact", "birthday"),
    ("I live in Lisbon", "I live in Lisbon", "fact", "home"),
    ("hey optimus, i live in Lisbon, Portugal please", "I live in Lisbon, Portugal", "fact", "home"),
    ("I'm living in Berlin at the moment", "I'm living in Berlin at the moment", "fact", "home"),
    ("I moved to Porto", "I moved to Porto", "fact", "home"),
    ("I now live in Porto", "I now live in Porto", "fact", "home"),
    ("We've moved to Braga", "We've moved to Braga", "fact", "home"),
    ("My wife and I live in Braga", "My wife and I live in Braga", "fact", "home"),
    ("Since 2020 I live in Berlin", "I live in Berlin since 2020", "fact", "home"),
    ("I'm from Brazil", "I'm from Brazil", "fact", "origin"),
    ("I was born in Porto", "I was born in Porto", "fact", "birthplace"),
    ("I grew up near the sea", "I grew up near the sea", "fact", "hometown"),
    ("I'm Portuguese", "I'm Portuguese", "fact", "nationality"),
    ("I work at Acme", "I work at Acme", "fact", "employer"),
    ("I work for Siemens as an engineer", "I work for Siemens as an engineer", "fact", "employer"),
    ("I'm a software engineer", "I'm a software engineer", "fact", "job"),
    ("im a nurse", "I'm a nurse", "fact", "job"),
    ("I'm retired", "I'm retired", "fact", "job"),
    ("I own a bakery", "I own a bakery", "fact", "business"),
    ("I'm studying medicine at MIT", "I'm studying medicine at MIT", "fact", "studies"),
    ("My mother tongue is Polish", "My mother tongue is Polish", "fact", "native_language"),
    ("I speak German and English", "I speak German and English", "fact", None),
    ("My car is a VW Golf", "My car is a VW Golf", "fact", "possession.car"),
    ("I drive a red Toyota", "I drive a red Toyota", "fact", "possession.car"),
    ("My shoe size is 42", "My shoe size is 42", "fact", "attribute.shoe size"),
    ("I have asthma", "I have asthma", "fact", None),
    ("I was diagnosed with ADHD", "I was diagnosed with ADHD", "fact", None),
    ("I'm left-handed", "I'm left-handed", "fact", None),
    ("I take metformin every morning", "I take metformin every morning", "fact", None),
    ("I'm a vegetarian", "I'm a vegetarian", "preference", "diet"),
    ("I've gone vegan", "I've gone vegan", "preference", "diet"),
    ("I'm on a keto diet", "I'm on a keto diet", "preference", "diet"),
    ("My favourite colour is green", "My favourite colour is green", "preference", "favourite.colour"),
    ("my favorite color is green", "My favorite color is green", "preference", "favourite.colour"),
    ("Sushi is my favourite food", "Sushi is my favourite food", "preference", "favourite.food"),
    ("I prefer window seats", "I prefer window seats", "preference", "preference.seats"),
    ("I prefer aisle seats on planes", "I prefer aisle seats on planes", "preference", "preference.seats"),
    ("I prefer tea over coffee", "I prefer tea over coffee", "preference", None),
    ("I usually run on Mondays", "I usually run on Mondays", "fact", None),
    ("I swim twice a week", "I swim twice a week", "fact", None),
    ("I play the guitar", "I play the guitar", "fact", None),
    ("I want to learn Spanish", "I want to learn Spanish", "fact", None),
    ("My goal is to run a marathon", "My goal is to run a marathon", "fact", None),
    ("my sister Maria is a nurse", "My sister Maria is a nurse", "relationship", "relative.sister.maria.job"),
    ("My sister, Maria, is a nurse", "My sister Maria is a nurse", "relationship", "relative.sister.maria.job"),
    ("Maria, my sister, lives in Rome", "My sister Maria lives in Rome", "relationship", "relative.sister.maria.home"),
    ("My brother Tom works for ABB", "My brother Tom works for ABB", "relationship", "relative.brother.tom.employer"),
    ("My brother Tom works as a cook", "My brother Tom works as a cook", "relationship", "relative.brother.tom.job"),
    ("My brother Tom works from home", "My brother Tom works from home", "relationship", None),
    ("Maria is my sister", "Maria is my sister", "relationship", None),
    ("Our kids are Leo (5) and Mia (2)", "Our kids are Leo (5) and Mia (2)", "relationship", None),
    ("My new phone number is 933 222 111", "My new phone number is 933 222 111", "fact", "attribute.phone number"),
    ("Turns out I'm a nurse", "I'm a nurse", "fact", "job"),
    ("Sara and I got married", "Sara and I got married", "relationship", "marital"),
    ("I've changed jobs", "I've changed jobs", "fact", "employer"),
    ("I weigh about 80 kilos", "I weigh about 80 kilos", "fact", "attribute.weight"),
    ("My sister is called Marta", "My sister is called Marta", "relationship", "relative.sister.name"),
    ("My mom lives in Braga", "My mom lives in Braga", "relationship", "relative.mother.home"),
    ("My daughter is 5 years old", "My daughter is 5 years old", "relationship", "relative.daughter.age"),
    ("My wife's name is Clara", "My wife's name is Clara", "relationship", "partner.name"),
    ("I'm married to João", "I'm married to João", "relationship", "partner.name"),
    ("My boss is called Karin", "My boss is called Karin", "relationship", "person.boss.name"),
    ("My colleague Anna speaks French", "My colleague Anna speaks French", "relationship", None),
    ("my dog is called Rex", "My dog is called Rex", "relationship", None),
    ("We have a dog and two cats", "We have a dog and two cats", "relationship", None),
    ("My cat is a Siamese", "My cat is a Siamese", "relationship", "pet.cat.breed"),
    ("My doctor is Dr. Weber", "My doctor is Dr. Weber", "relationship", "person.doctor.name"),
    ("I have a golden retriever named Max", "I have a golden retriever named Max", "relationship", None),
    ("I'm a PhD student in physics at ETH", "I'm a PhD student in physics at ETH", "fact", "studies"),
    ("I'm a huge Star Wars fan", "I'm a huge Star Wars fan", "preference", "*"),
    ("I have two sisters", "I have two sisters", "relationship", None),
    ("Answer in short sentences", "Answer in short sentences", "preference", "answers.length"),
    ("From now on, answer briefly", "From now on, answer briefly", "preference", "answers.length"),
    ("I want you to answer in German", "I want you to answer in German", "preference", "answers.language"),
    ("don't use emojis", "Don't use emojis", "preference", "answers.style"),
    ("Please remember my locker code is 4711", "My locker code is 4711", "note", None),
    ("remember that the spare key is under the mat", "The spare key is under the mat", "note", None),
    ("Remember this: the spare key is under the mat", "The spare key is under the mat", "note", None),
    ('Note that I like "Blade Runner"', "I like Blade Runner", "preference", "*"),
    ("Can you remember that I'm vegan?", "I'm vegan", "preference", "diet"),
    ("don't forget I'm vegan", "I'm vegan", "preference", "diet"),
    ("I'm vegan, what can I cook?", "I'm vegan", "preference", "diet"),
]  # fmt: skip


@pytest.mark.parametrize(("message", "text", "kind", "slot"), STATEMENTS)
def test_a_statement_becomes_one_memory(message, text, kind, slot):
    """A statement about the writer's own life is kept in their words, with its type and the question it answers."""
    candidate = only(message)
    assert (candidate.text, candidate.type.value) == (text, kind)
    assert slot in {"*", candidate.slot}
    assert candidate.kind is CandidateKind.REMEMBER


SEVERAL = [
    ("I'm allergic to peanuts and live in Lisbon", ["I'm allergic to peanuts", "I live in Lisbon"]),
    ("My sister Maria is a nurse and lives in Rome", ["My sister Maria is a nurse", "My sister Maria lives in Rome"]),
    ("My sister Maria is a nurse. She lives in Rome.", ["My sister Maria is a nurse", "My sister Maria lives in Rome"]),
    ("I'm allergic to peanuts, properly allergic.", ["I'm allergic to peanuts"]),
    ("I'm allergic to peanuts, shellfish and dairy",
     ["I'm allergic to peanuts", "I'm allergic to shellfish", "I'm allergic to dairy"]),
    ("I like coffee and tea", ["I like coffee", "I like tea"]),
    ("I love Simon and Garfunkel", ["I love Simon and Garfunkel"]),
    ("I like black and white movies", ["I like black and white movies"]),
    ("I'm a nurse at Acme", ["I'm a nurse", "I work at Acme"]),
    ("I'm from Lisbon but I live in Berlin", ["I'm from Lisbon", "I live in Berlin"]),
    ("I'm Ana, 34, from Lisbon, and I work as a nurse",
     ["I'm Ana", "I'm 34", "I'm from Lisbon", "I work as a nurse"]),
    ("BTW i live in berlin and i like hiking", ["I live in berlin", "I like hiking"]),
    ("My wife's name is Clara and she works at Siemens", ["My wife's name is Clara", "My wife Clara works at Siemens"]),
    ("My name's Bob but call me Bobby", ["Call me Bobby"]),
    ("I changed jobs, I work at Acme now", ["I work at Acme now"]),
    ("I live in Lisbon. I live in Lisbon!", ["I live in Lisbon"]),
    ("I'm Ana and I work at Acme. Write a cover letter for me.", ["I'm Ana", "I work at Acme"]),
    ("I'm allergic to nuts. Can you explain this dish?", ["I'm allergic to nuts"]),
    ("My dog is called Rex. My dog is called Bella.", ["My dog is called Rex", "My dog is called Bella"]),
]  # fmt: skip


@pytest.mark.parametrize(("message", "expected"), SEVERAL)
def test_a_compound_sentence_becomes_whole_sentences(message, expected):
    """Each thing said stands as a whole sentence with its subject, once."""
    assert texts(message) == expected


DENIALS = [
    ("I don't like coffee any more", "I don't like coffee any more", "I like coffee"),
    ("i dont like mushrooms", "I don't like mushrooms", "I like mushrooms"),
    ("I'm no longer vegetarian", "I'm no longer vegetarian", "I'm vegetarian"),
    ("I don't have a dog", "I don't have a dog", "I have a dog"),
    ("I have no siblings", "I have no siblings", "I have siblings"),
    ("I'm not allergic to eggs", "I'm not allergic to eggs", "I'm allergic to eggs"),
    ("I don't work at Acme anymore", "I don't work at Acme anymore", "I work at Acme"),
    ("I no longer live in Lisbon", "I no longer live in Lisbon", "I live in Lisbon"),
    ("I left Acme", "I left Acme", "I work at Acme"),
    ("I quit smoking", "I quit smoking", "I smoke"),
    ("My sister doesn't live in Rome any more", "My sister doesn't live in Rome any more", "My sister lives in Rome"),
    ("I live in Porto, not Lisbon", "I live in Porto", "I live in Lisbon"),
    ("I don't live in Lisbon any more, I live in Porto", "I live in Porto", "I live in Lisbon"),
    ("My sister isn't called Maria, she's called Marta", "My sister's called Marta", "My sister is called Maria"),
]


@pytest.mark.parametrize(("message", "text", "negates"), DENIALS)
def test_a_denial_says_what_it_ends(message, text, negates):
    """A negation or a change carries the sentence that can no longer be true."""
    candidate = only(message)
    assert (candidate.text, candidate.negates) == (text, negates)


@pytest.mark.parametrize(
    ("message", "text", "slot"),
    [
        ("actually I'm vegan", "I'm vegan", "diet"),
        ("no, my sister is called Marta", "My sister is called Marta", "relative.sister.name"),
        ("Sorry, I live in Porto now", "I live in Porto now", "home"),
        ("Correction: my name is Anna", "My name is Anna", "name"),
    ],
)
def test_a_marked_correction_is_known_as_one(message, text, slot):
    """`No` and `actually` mark a correction of what the same slot holds."""
    candidate = only(message)
    assert (candidate.text, candidate.slot, candidate.corrects) == (text, slot, True)


@pytest.mark.parametrize(
    ("message", "text", "slot"),
    [
        ("forget that I live in Lisbon", "I live in Lisbon", "home"),
        ("forget my address", "my address", "address"),
        ("Please forget what I said about my job.", "my job", "job"),
        ("delete the memory about my hobby", "my hobby", None),
        ("Can you forget that I'm vegan?", "I'm vegan", "diet"),
    ],
)
def test_a_request_to_forget_names_what(message, text, slot):
    """A request to forget becomes a candidate of that kind with the sentence or the thing."""
    candidate = only(message)
    assert (candidate.kind, candidate.text, candidate.slot) == (CandidateKind.FORGET, text, slot)


FOREIGN = [
    ("Ich heiße Ana und wohne in Berlin", "de", ["Ich heiße Ana", "Ich wohne in Berlin"], ["name", "home"]),
    ("Merk dir, dass ich in Berlin wohne", "de", ["Ich wohne in Berlin"], ["home"]),
    (
        "Meine Schwester Maria wohnt in Rom",
        "de",
        ["Meine Schwester Maria wohnt in Rom"],
        ["relative.sister.maria.home"],
    ),
    ("Mein Hund heißt Rex", "de", ["Mein Hund heißt Rex"], [None]),
    ("Je m'appelle Ana et j'habite à Lyon", "fr", ["Je m'appelle Ana", "J'habite à Lyon"], ["name", "home"]),
    ("Je suis végétarienne", "fr", ["Je suis végétarienne"], ["diet"]),
    ("Ma sœur s'appelle Marie", "fr", ["Ma sœur s'appelle Marie"], ["relative.sister.name"]),
    ("Me llamo Ana y vivo en Madrid", "es", ["Me llamo Ana", "Vivo en Madrid"], ["name", "home"]),
    ("Mi hermana se llama María", "es", ["Mi hermana se llama María"], ["relative.sister.name"]),
    ("Recuerda que mi código es 4711", "es", ["Recuerda que mi código es 4711"], [None]),
    ("Chamo-me Ana e moro em Lisboa", "pt", ["Chamo-me Ana", "Moro em Lisboa"], ["name", "home"]),
    ("A minha irmã chama-se Maria", "pt", ["A minha irmã chama-se Maria"], ["relative.sister.name"]),
    ("Mi chiamo Ana e abito a Roma", "it", ["Mi chiamo Ana", "Abito a Roma"], ["name", "home"]),
    ("Mia sorella si chiama Maria", "it", ["Mia sorella si chiama Maria"], ["relative.sister.name"]),
]


@pytest.mark.parametrize(("message", "language", "expected", "slots"), FOREIGN)
def test_other_languages_stay_what_they_are(message, language, expected, slots):
    """The commonest statements of five more languages are kept in that language, in the same slots."""
    found = derive(message, now=NOW)
    assert [candidate.text for candidate in found] == expected
    assert [candidate.slot for candidate in found] == slots
    assert {candidate.language for candidate in found} == {language}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("I like coffee", "I don't like coffee any more"),
        ("I'm allergic to peanuts", "I'm not allergic to peanuts"),
        ("Ich mag Kaffee", "Ich mag keinen Kaffee mehr"),
        ("I love the sea", "I hate the sea"),
    ],
)
def test_a_change_of_mind_asks_the_same_question(one, other):
    """A like and its opposite share a slot, which does not show the thing itself."""
    first, second = only(one), only(other)
    assert first.slot == second.slot
    assert first.slot is not None
    assert not {"coffee", "peanuts", "sea", "kaffee"} & set(first.slot.split("."))


@pytest.mark.parametrize(
    ("message", "entities"),
    [
        ("I live in Lisbon", ("Lisbon",)),
        ("My sister Maria lives in New York", ("Maria", "New York")),
        ("I'm Ana", ("Ana",)),
        ("I usually run on Mondays", ()),
        ("Maria is my sister", ("Maria",)),
        ("Ich wohne in Berlin", ("Berlin",)),
    ],
)
def test_entities_are_the_proper_names(message, entities):
    """Proper names are listed as written; weekdays and the first word of a sentence are none."""
    assert only(message).entities == entities


def test_allergies_weigh_more_than_habits():
    """What can hurt somebody is more important than what they usually do."""
    assert only("I'm allergic to nuts").importance > only("I usually run on Mondays").importance


def test_an_explicit_request_is_marked_and_trusted():
    """What the user asked to be remembered is marked, and more certain than what was said in passing."""
    asked, said = only("Remember that I live in Lisbon"), only("I live in Lisbon")
    assert asked.explicit
    assert not said.explicit
    assert asked.confidence > said.confidence
