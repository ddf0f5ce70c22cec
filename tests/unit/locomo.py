"""A conversation over several sessions in the form of LoCoMo, made from a seed: no text of the data set is in it."""

import json
import random
from pathlib import Path
from typing import Any

SPEAKERS = ("Ilse", "Bruno")
_THINGS = ("kayak", "violin", "orchard", "telescope", "bakery", "lighthouse", "sledge", "aquarium", "loom", "tandem")
_VERBS = ("repaired", "painted", "sold", "borrowed", "photographed", "inherited", "rented", "cleaned")
_PLACES = ("Ghent", "Oslo", "Porto", "Kyoto", "Tartu", "Cork")
_TALK = ("That sounds lovely!", "How was your week?", "Tell me more about it.", "I am so tired today.", "Good to hear.")


def conversation(seed: int, *, sessions: int = 3, turns: int = 8) -> dict[str, Any]:
    """Return one record: each session has one turn that is asked about, among small talk."""
    chance = random.Random(seed)
    spoken: dict[str, Any] = {"speaker_a": SPEAKERS[0], "speaker_b": SPEAKERS[1]}
    asked = []
    for session in range(1, sessions + 1):
        said = [{"speaker": SPEAKERS[n % 2], "text": chance.choice(_TALK)} for n in range(turns)]
        place = chance.randrange(turns)
        verb, thing, where = chance.choice(_VERBS), _THINGS[(seed + session) % len(_THINGS)], chance.choice(_PLACES)
        said[place]["text"] = f"Last month I {verb} a {thing} in {where}."
        said[0]["blip_caption"] = "a photo of two cups"
        spoken[f"session_{session}_date_time"] = f"1:56 pm on {7 + session} May, 2023"
        spoken[f"session_{session}"] = [
            {"dia_id": f"D{session}:{number}", **turn} for number, turn in enumerate(said, 1)
        ]
        question = f"Where was the {thing} of {said[place]['speaker']}?"
        evidence = [f"D{session}:{place + 1}"]
        asked.append({"question": question, "answer": where, "category": 4, "evidence": evidence})
    asked.append({"question": "What was never said?", "category": 5, "evidence": ["D1:1"]})
    asked.append({"question": "What has no evidence?", "category": 1, "evidence": []})
    return {"sample_id": f"made-{seed}", "conversation": spoken, "qa": asked}


def written(folder: Path, *records: dict[str, Any]) -> Path:
    """Write records as a file and return it."""
    path = folder / "made.json"
    path.write_text(json.dumps(records), encoding="utf-8")
    return path
