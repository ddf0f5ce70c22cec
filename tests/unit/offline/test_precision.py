"""Answers that must be right or none: what is no fact is not quoted as one, and every way of asking is understood."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from optimus.llm_handler.offline import replies
from optimus.llm_handler.offline.foreign_questions import in_english
from optimus.llm_handler.offline.question import read_question, search_text
from optimus.llm_handler.offline.respond import reply, respond
from optimus.models import MemoryType, MemoryUse
from tests.unit.offline.recalled import LIFE, NOW, context, episode, recalled

NO_FACTS = [
    ("Where do I live?", "My friend says he lives in Rome"),
    ("Where do I live?", "in my novel the hero lives in Paris"),
    ("Where do I live?", "if I lived in Madrid I'd be happy"),
    ("Where do I live?", "I wish I lived in Oslo"),
    ("Where do I live?", "In the story I live in Tokyo"),
    ("Where do I live?", "“I live in Rome” is what he wrote"),
    ("Where do I live?", "I don't live in Rome"),
    ("Am I allergic to cats?", "My mother thinks I'm allergic to cats"),
    ("Am I allergic to cats?", "I might be allergic to cats"),
    ("Do I like mondays?", "Yeah right, I totally love mondays"),
    ("Where do I work?", "Apparently I work at Google"),
    ("What did my sister buy?", "I dreamed that my sister bought a yacht"),
    ("Did I buy a yacht?", "I never bought a yacht"),
    ("Did I buy a yacht?", "People say I bought a yacht"),
]


@pytest.mark.parametrize(("question", "said"), NO_FACTS)
def test_what_was_not_stated_is_no_answer(question, said):
    """What others say, what is imagined, wished, denied, doubted or ironic is not quoted as an answer."""
    assert respond(question, context(episode(said))) == replies.NOTHING_YET


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("What did I buy for the festival?", "I bought a blue tent for the festival"),
        ("What did I say about the hero?", "in my novel the hero lives in Paris"),
        ("What did I tell you about Rome?", "My friend says he lives in Rome"),
    ],
)
def test_a_plain_message_or_one_that_is_asked_for_is_quoted(question, said):
    """A plain statement answers; whoever asks for what they said gets it, whatever it was."""
    assert respond(question, context(episode(said))) == f"On 1 November 2026 you wrote: “{said}”"


def test_a_message_about_a_topic_is_only_the_nearest():
    """A plain message from which no fact was derived is shown as what comes near, not as the answer."""
    answer = respond("When is my flight?", context(episode("Our flight got moved to tuesday evening")))
    assert answer.startswith("I don't have anything about exactly that yet. What I know:")


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("Where do I live?", "I used to live in Berlin"),
        ("Where do I live?", "I no longer live in Lisbon"),
        ("Where do I live now?", "I don't live in Lisbon"),
    ],
)
def test_what_was_true_once_is_near_but_no_answer(question, said):
    """A home that is over is told as such, under words that say that the answer is not known."""
    answer = respond(question, context(recalled(said)))
    assert answer.startswith("I don't have anything about exactly that yet. What I know:")
    assert f"You{said.removeprefix('I')}" in answer


FOREIGN = [
    ("Was ist mein Beruf?", "what is my job"),
    ("Wo wohne ich?", "where do I live"),
    ("Wo wohne ich eigentlich?", "where do I live"),
    ("Wie heißt meine Schwester?", "what is my sister called"),
    ("Où est-ce que j'habite ?", "where do I live"),
    ("Quel est mon métier ?", "what is my job"),
    ("Où habite ma sœur ?", "where does my sister live"),
    ("Onde eu moro?", "where do I live"),
    ("Onde é que eu trabalho?", "where do I work"),
    ("Qual é a minha cor favorita?", "what is my favourite colour"),
    ("¿Dónde vivo?", "where do I live"),
    ("¿Cómo se llama mi perro?", "what is my dog called"),
    ("¿Qué sabes de mí?", "what do you know about me"),
    ("Dove abito?", "where do I live"),
    ("Quanti anni ho?", "how old am I"),
    ("Wo wohnt der Papst?", None),
    ("Quelle heure est-il ?", None),
    ("¿Dónde vive el rey?", None),
    ("Where do I live?", None),
]


@pytest.mark.parametrize(("question", "english"), FOREIGN)
def test_the_commonest_questions_in_five_languages_are_understood(question, english):
    """A question about oneself is known in its language; one about the world is not taken for it."""
    assert in_english(question) == english
    if english:
        assert english in search_text(question)


@pytest.mark.parametrize("question", ["Wo wohne ich?", "Où j'habite ?", "Onde eu moro?", "¿Dónde vivo?", "dove vivo?"])
def test_a_question_in_another_language_is_answered(question):
    """It gets the same answer as the English one."""
    assert respond(question, context(*LIFE)) == "You live in Lisbon. You told me on 3 November 2026."


MILK = [
    recalled("I'm lactose intolerant"),
    recalled("I'm allergic to peanuts", slot="allergy.1"),
    recalled("My sister Maria is allergic to cats", MemoryType.RELATIONSHIP, "relative.sister.maria.allergy.1"),
    recalled("I live in Lisbon", slot="home"),
]


@pytest.mark.parametrize(
    "question",
    ["can I have milk?", "May I eat cheese?", "Is yoghurt safe for me?", "Can we order a milkshake?", ("could I "
                                                                                                      "drink that?"),
     "Is ice cream ok for me?"],
)  # fmt: skip
def test_before_eating_every_limit_is_named(question):
    """A question about food gets all allergies, intolerances and diets of the writer, and no verdict."""
    answer = respond(question, context(*MILK))
    assert answer.startswith("I can't work that out without a language model.")
    assert "lactose" in answer
    assert "peanuts" in answer
    assert "cats" not in answer
    assert "Lisbon" not in answer


@pytest.mark.parametrize("question", ["Can I have a word?", "Is the weather good for us to go?"])
def test_other_wishes_are_not_about_eating(question):
    """Where nothing limits eating, or eating is not meant, nothing is claimed."""
    assert respond(question, context(MILK[3])) in {replies.NO_MODEL, replies.NOTHING_YET}


@pytest.mark.parametrize(
    ("question", "sentence"),
    [
        ("what medication do I take?", "You take metformin every morning."),
        ("which team do I support?", "You support Benfica."),
        ("who is my sister?", "Your sister Maria is a nurse."),
        ("what do you know about Maria?", "Your sister Maria is a nurse."),
        ("when did I tell you about my job?", "You work at Acme."),
        ("when did I tell you that I live in Lisbon?", "You live in Lisbon."),
    ],
)
def test_questions_by_any_wording(question, sentence):
    """A medicine, a team, a person or the day of telling is found."""
    life = (
        recalled("I take metformin every morning"),
        recalled("I support Benfica", MemoryType.PREFERENCE),
        recalled(
            "My sister Maria is a nurse", MemoryType.RELATIONSHIP, "relative.sister.maria.job", entities=("Maria",)
        ),
        recalled("I work at Acme", slot="employer"),
        recalled("I live in Lisbon", slot="home"),
    )
    assert respond(question, context(*life)) == f"{sentence} You told me on 1 November 2026."


def test_what_comes_near_a_subject_is_told_as_near():
    """`What did I tell you about music` gets what was recalled, though no memory holds the word."""
    answer = respond("what did I tell you about music?", context(recalled("I love jazz"), recalled("I play the cello")))
    assert answer.splitlines()[0] == "I don't have anything about music yet. What I know:"
    assert "jazz" in answer
    assert "cello" in answer


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ("I was born on 12 May 1990", "You're 36 years old. You were born on 12 May 1990."),
        ("My birthday is on 23 November 1990", "Your birthday is on 23 November 1990."),
        ("I was born on 22 November 1990", "You're 36 years old. You were born on 22 November 1990."),
        ("I was born on 23 November 1990", "You're 35 years old. You were born on 23 November 1990."),
        ("I was born in 1990", "You're 35 or 36 years old. You were born in 1990."),
        ("I'm 34 years old", "You're 34 years old."),
    ],
)
def test_an_age_follows_from_a_birth(said, answer):
    """A date of birth gives the age of today; a year alone leaves two."""
    assert respond("how old am I?", context(recalled(said, slot="age" if "old" in said else "birthday"))).startswith(
        answer
    )


def test_a_birthday_without_a_year_gives_no_age():
    """Twelve June does not say how old somebody is."""
    answer = respond("how old am I?", context(recalled("My birthday is on 12 June", slot="birthday")))
    assert answer.startswith("I don't have anything about exactly that yet.")


def test_an_age_that_was_told_long_ago_is_said_to_be_old():
    """What was told more than a year ago is no age of today."""
    later = context(recalled("I'm 34", slot="age")).model_copy(update={"now": datetime(2028, 1, 1, tzinfo=UTC)})
    assert respond("how old am I?", later) == "You're 34. You told me on 1 November 2026. That is a while ago."


APPOINTMENTS = (
    recalled("I have a dentist appointment on 5 January 2026"),
    recalled("I have a dentist appointment on 9 March 2027"),
    recalled("I have a dentist appointment on 2 February 2027"),
    recalled("I have a haircut appointment on 1 December 2026"),
)


@pytest.mark.parametrize(
    ("question", "day"),
    [
        ("when is my next dentist appointment?", "2 February 2027"),
        ("What's my next appointment?", "1 December 2026"),
        ("when is my upcoming dentist appointment", "2 February 2027"),
    ],
)
def test_the_next_one_is_the_first_that_lies_ahead(question, day):
    """Of several dates the nearest one from today on is told, and it alone."""
    answer = respond(question, context(*APPOINTMENTS))
    assert day in answer
    assert answer.count("appointment") == 1


def test_no_past_appointment_is_the_next_one():
    """Where everything lies behind, no next one is named."""
    assert (
        "You have"
        not in respond("when is my next dentist appointment?", context(APPOINTMENTS[0])).split("What I know")[0]
    )


TOLD = MemoryUse(
    memory_id=recalled("I live in Lisbon").memory.id,
    text="I live in Lisbon",
    type=MemoryType.FACT,
    recorded_at=NOW,
    score=1,
)


@pytest.mark.parametrize(
    "question",
    ["when did I tell you that?", "When did I say that?", "how do you know that?", "when did you learn this?"],
)
def test_when_that_was_told_is_known(question):
    """`That` is what the answer before quoted; without one the assistant asks back."""
    asked = context(*LIFE).model_copy(update={"spoken_of": (TOLD,)})
    assert respond(question, asked) == "You told me on 22 November 2026 at 19:05 (UTC): “I live in Lisbon”"
    assert respond(question, context(*LIFE)) == replies.WHICH_ONE


def test_a_question_that_points_back_is_read_as_one():
    """It is about the conversation, not about a thing called `that`."""
    question = read_question("when did I tell you that?")
    assert question is not None
    assert question.points_back


@pytest.mark.parametrize(
    "prompt",
    ["delete everything about my ex", "Forget all about my sister", "please erase everything you know about my job",
     "forget everything I told you about Rome", "remove all memories about Tom", "delete anything about my health"],
)  # fmt: skip
def test_deleting_by_description_is_shown_and_not_guessed(prompt):
    """A wholesale request about something gets the way to do it on the Memory page."""
    answer = respond(prompt, context(*LIFE))
    assert answer.startswith("I don't delete by a description")
    assert "Memory page" in answer


@pytest.mark.parametrize(
    ("prompt", "answer"),
    [
        ("I like tea. Forget that.", "All right, I kept nothing of that."),
        ("I live on Mars. Just kidding!", "All right, I kept nothing of that."),
        ("I'm Legion", "I changed nothing. If that is your name, say “my name is Legion”."),
        ("forget that", replies.NOTHING_TO_FORGET),
    ],
)
def test_why_nothing_was_kept_is_said(prompt, answer):
    """What was taken back, and what may be a name, gets an answer of its own."""
    assert reply(prompt, context()).text == answer


SWITCHES = [(False, True), (True, False), (False, False)]


@pytest.mark.parametrize(("keeps", "looks_up"), SWITCHES)
@pytest.mark.parametrize(
    "prompt", ["hello", "what can you do?", "Why is the sky blue?", "Write a poem", "how are you?"]
)
def test_nothing_is_promised_that_is_switched_off(prompt, keeps, looks_up):
    """Where memory is off, in part or whole, neither an answer nor the first note offers it."""
    switched = context(first=True).model_copy(update={"keeps": keeps, "keeps_all": keeps, "looks_up": looks_up})
    answer = respond(prompt, switched).lower()
    assert "connect a model" in answer
    if not keeps:
        assert "something to remember" not in answer
        assert "i can remember" not in answer
    if not looks_up:
        assert "ask me about what you told" not in answer
        assert "can find" not in answer
        assert "can talk about what you told" not in answer


def test_the_notes_under_the_first_answer_all_differ():
    """Each of the four settings has its own note."""
    notes = {replies.Manners(keeps=k, looks_up=u).not_connected for k, u in [*SWITCHES, (True, True)]}
    assert len(notes) == 4
