"""What a reply means: the one answer that it names, or none."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from dataset_builders.audiomarathon.tasks import LETTERS, MarathonTask

FORMS: dict[str, tuple[str, ...]] = {
    "angry": ("anger", "mad", "furious", "frustrated", "annoyed"),
    "happy": ("happiness", "joy", "joyful", "cheerful", "pleased", "delighted"),
    "sad": ("sadness", "sorrow", "sorrowful", "melancholy", "melancholic", "depressed", "unhappy"),
    "fearful": ("fear", "afraid", "scared", "frightened", "anxious", "anxiety"),
    "monotone": ("monotonous", "neutral", "flat", "emotionless", "bland", "expressionless"),
    "real": ("authentic", "genuine", "bona fide", "not fake", "not synthetic", "not synthesized", "not manipulated"),
    "fake": (
        *("deepfake", "synthetic", "synthesized", "synthesised", "artificial", "spoofed", "manipulated"),
        *("ai generated", "computer generated", "inauthentic"),
        *("not real", "not authentic", "not genuine", "not completely authentic", "not entirely authentic"),
    ),
    "male": ("man", "masculine", "gentleman"),
    "female": ("woman", "feminine", "lady"),
    "18-30": ("18 to 30", "18 and 30", "20s", "twenties"),
    "31-40": ("31 to 40", "31 and 40", "30s", "thirties"),
    "41-50": ("41 to 50", "41 and 50", "40s", "forties"),
    "51-70": ("51 to 70", "51 and 70", "50s", "60s", "fifties", "sixties"),
    "71+": (
        *("71 and above", "71 and older", "71 and over", "71 or above", "71 or older", "71 or over"),
        *("over 70", "above 70", "older than 70"),
    ),
    "hip hop": ("hiphop",),
    "street, pedestrian": ("street pedestrian", "pedestrian street"),
    "street, traffic": ("street traffic", "traffic street"),
    "alarm or bell ringing": ("alarm bell ringing", "alarm ringing", "bell ringing"),
    "electric shaver or toothbrush": ("electric shaver toothbrush", "electric shaver", "electric toothbrush"),
}
"""Other forms of a label; half of the real and fake ones are there because "not fake" names `real`."""

INSIDE = r"[a-zA-ZÀ-ɏ0-9]"
"""What a word goes on with. Not `\\w`, as Chinese sets no space around a letter."""
FUNCTION_WORDS = "and|or|because|since|as|is|was|in|with|for|but"
"""What may follow the letter A or E, but never the English article or the Italian "and"."""
LETTER = rf"(?:[b-d]|[ae](?! (?!(?:{FUNCTION_WORDS})\b)[a-zA-ZÀ-ɏ]))(?![a-zA-ZÀ-ɏ0-9'&-])"
KEYWORDS = "answer|option|choice|letter|opci[oó]n|respuesta|r[eé]ponse|antwort|risposta|opzione|resposta"
NAMED_LETTER = re.compile(
    rf"^\W*(?P<whole>[a-e])\W*$|(?m:^)\W*(?P<leading>[a-e])[.):\]](?!\w)|(?<!\w)(?P<bracketed>[a-e])\)"
    rf"|\b(?:{KEYWORDS})\W{{1,3}}(?:(?:is|es|est|ist|è|é)\W{{1,3}})?(?P<keyword>{LETTER})"
    rf"|(?<![a-zA-ZÀ-ɏ0-9'&-])(?<!n/)(?=(?-i:[A-E]))(?P<capital>{LETTER})",
    re.IGNORECASE,
)
NEGATED = re.compile(
    r"(?:\b(?:not|no|nor|neither|without|never|nicht|keine?|pas)|n't)(?: (?!but\b)[\w']+){0,2} \W?$", re.I
)
REFUSED = re.compile(
    r"\b(?:can ?not|can't|could not|couldn't|unable to|do not know|don't know|not sure|unsure|impossible to)\b"
    r"[^.!?,;\n]*?(?=\bbut\b|[.!?,;\n]|$)",
    re.IGNORECASE,
)
THOUGHT = re.compile(r"<think(?:ing)?>.*?</think(?:ing)?>", re.DOTALL | re.IGNORECASE)
"""What a reasoning model says to itself."""
SPOKEN_CONTENT = re.compile(r"^\W*spoken content\W*:\s*", re.IGNORECASE)


def parse(task: MarathonTask, reply: str, choices: Sequence[str] = ()) -> str | None:
    """Return the one answer that `reply` names: by letter, by text, or by both if they agree.

    A letter is a capital that stands alone, or a small one where only a letter can be meant ("b", "(b)", "b.",
    "option b"); the article "a" is none. A name that is denied ("not a dog") or doubted ("I cannot tell whether it
    is a dog") does not count.

    Args:
        task: One of the ten.
        reply: What the model said.
        choices: Texts of the item's options in the order of their letters; not looked at where the task's `answer`
            is "labels", as the choices are then the task's labels.

    Returns:
        One of the choices, or the transcript without its "Spoken Content:"; None where none is named, several are,
        or one that is not among the choices.
    """
    reply = THOUGHT.sub("", reply)
    if task.answer == "transcript":
        return SPOKEN_CONTENT.sub("", reply.strip()).strip() or None
    choices = choices_of(task, choices)
    text, offered = tidy(reply), [tidy(choice).casefold().rstrip(".") for choice in choices]
    if (whole := text.casefold().rstrip(".")) and whole in offered:
        return choices[offered.index(whole)]
    text = REFUSED.sub("", text)
    # Labels that are not offered are looked for too: "metro station" does not name "metro".
    forms = {
        tidy(form).rstrip("."): label for label in {*choices, *task.labels} for form in (label, *FORMS.get(label, ()))
    }
    spelled = sorted(filter(None, forms), key=len, reverse=True)
    mentions = re.compile("|".join(rf"(?<!{INSIDE})({re.escape(form)})(?!{INSIDE})" for form in spelled), re.I)
    named = {forms[spelled[match.lastindex - 1]] for match in mentions.finditer(text) if not denied(match)}
    # What is left in their place is a word, so that "A dog" does not come to look like "A".
    rest = mentions.sub("x", text)
    for match in NAMED_LETTER.finditer(rest):
        place = LETTERS.index(match[match.lastgroup].upper())
        if place < len(choices) and not denied(match):
            named.add(choices[place])
    return named.pop() if len(named) == 1 and named <= {*choices} else None


def choices_of(task: MarathonTask, choices: Sequence[str] | None) -> Sequence[str]:
    """The item's choices in the order of their letters.

    Raises:
        ValueError: the task's choices belong to the item, and there are none, or more than there are letters.
    """
    if task.answer == "labels":
        return task.labels
    if not choices or len(choices) > len(LETTERS):
        raise ValueError(f"{task.name} needs 1 to {len(LETTERS)} choices with each item, but got {choices!r}")
    return choices


def denied(match: re.Match) -> bool:
    """Whether "not", or the like, stands at most two words before."""
    return bool(NEGATED.search(match.string[: match.start(match.lastgroup or match.lastindex)]))


def tidy(text: str) -> str:
    """Text in compatibility form with plain quotes and dashes; joined words ("hip-hop", "metro_station") come apart."""
    text = unicodedata.normalize("NFKC", text).replace("’", "'").strip()
    text = re.sub(r"(?<=\d)\s*[-‐‑‒–—−]\s*(?=\d)", "-", text)
    return re.sub(r"(?<=[^\W\d_]{2})[-_](?=[^\W\d_]{2})", " ", text)
