"""Replies and what they mean; scores against their definitions, scikit-learn and jiwer."""

import re

import evaluate
import jiwer
import numpy as np
import pytest
from sklearn.metrics import f1_score, precision_recall_fscore_support

from dataset_builders.audiomarathon.tasks import AGES, EMOTIONS, EVENTS, GENRES, LETTERS, SCENES, TASKS, find_task
from metrics.audiomarathon import paper, strict
from metrics.audiomarathon.parsing import parse
from metrics.audiomarathon.published import average, published

SOUNDS = ("dog", "cat", "speech", "running water")
COUNTS = ("51", "52", "46", "49")
PLACES = ("metro", "metro station", "park", "street, traffic")
PASSAGE = ("He lost his way.", "It is not mentioned.", "Because of the rain.", "We don't know.")
MUSIC = ("rock", "hip hop", "jazz", "pop")
FEELINGS = ("happy", "sad", "monotone", "angry")
CHOICES = {"SED": SOUNDS, "SER": COUNTS, "ASC": PLACES, "SCR": PASSAGE, "MC": MUSIC, "ER": FEELINGS}

BY_LETTER = [
    *("{0}", "{0}.", "({0})", "{0})", "{0}:", "[{0}]", "**{0}**", '"{0}"', " {0}\n", "{0}!", "{1}", "{1}.", "({1})"),
    *("{1})", "{1}:", "The answer is {0}", "The answer is {0}.", "The correct answer is: {0}.", "Answer: {0}"),
    *(
        "answer: {1}",
        "the answer is {1}",
        "option {1}",
        "Option {0}",
        "Option {0}.",
        "I choose option {1}.",
        "choice {1}",
    ),
    *(
        "The letter is {0}.",
        "It must be {0}, I think.",
        "{0} is correct.",
        "{0}, because one hears it.",
        "\\boxed{{{0}}}",
    ),
    "<think>Maybe A, or B?\nNo.</think>\n{0}",
    *("<answer>{0}</answer>", "I'm not sure, but {0}.", "Réponse : {0}", "La réponse est {0}.", "la réponse est {1}"),
    *(
        "Die Antwort ist {0}.",
        "La respuesta es {0}",
        "Opción {1}",
        "La risposta è {0}",
        "答案是{0}。",
        "答案是 {0}",
        "选{0}",
    ),
    *("（{0}）", "Ответ: {0}", "정답은 {0}입니다", "正解は{0}です", "الجواب: {0}", "उत्तर: {0}"),
]


@pytest.mark.parametrize("place", range(4))
@pytest.mark.parametrize("form", BY_LETTER)
def test_letters(form, place):
    reply = form.format(LETTERS[place], LETTERS[place].lower())
    for name in ("SED", "SER", "SCR"):
        assert parse(find_task(name), reply, CHOICES[name]) == CHOICES[name][place]


BY_TEXT = [
    *(
        "{}",
        "{}.",
        " {}\n",
        '"{}"',
        "**{}**",
        "The sound is {}.",
        "I hear {} in this recording",
        "It is a {}, clearly.",
    ),
    *("Es ist {}.", "C'est {}", "这是{}的声音", "{}です", "Это {}.", "There is no doubt: {}"),
]


@pytest.mark.parametrize("form", BY_TEXT)
@pytest.mark.parametrize(
    ("name", "choices"),
    [
        *(("SED", EVENTS[start : start + 4]) for start in (0, 4, 6)),
        *(("MC", GENRES[start : start + 4]) for start in (0, 4, 6)),
        *(("ASC", SCENES[start : start + 4]) for start in (0, 4, 6)),
        *(("ER", EMOTIONS[:4]), ("ER", EMOTIONS[1:]), ("SER", COUNTS), ("SAR", AGES)),
        *(("SD", ("real", "fake")), ("SGR", ("male", "female"))),
    ],
)
def test_text_of_a_choice(form, name, choices):
    for place, choice in enumerate(choices):
        assert parse(find_task(name), form.format(choice), choices) == choice
        assert parse(find_task(name), f"{LETTERS[place]}. {choice.upper()}", choices) == choice


@pytest.mark.parametrize(
    ("name", "reply", "meant"),
    [
        # The article is no letter, and letters inside words are none.
        ("SED", "A dog", "dog"),
        ("SED", "a cat", "cat"),
        ("SED", "A cat is heard.", "cat"),
        ("SED", "The answer is a cat", "cat"),
        ("SED", "THE ANSWER IS A CAT", "cat"),
        ("SED", "A DOG", "dog"),
        ("SED", "I hear a cat.", "cat"),
        ("SED", "It's A", "dog"),
        ("SED", "A in this recording", "dog"),
        ("SER", "A total of 46", "46"),
        ("SER", "There are 49 named entities.", "49"),
        ("SCR", "C. Because of the rain", "Because of the rain."),
        ("SCR", "because of the rain", "Because of the rain."),
        ("SCR", "It is not mentioned", "It is not mentioned."),
        ("SCR", "We don’t know.", "We don't know."),
        ("SCR", "B. It's nowhere said.", "It is not mentioned."),
        # What is denied or doubted does not count.
        ("SED", "Not a dog but a cat", "cat"),
        ("SED", "It isn't A, it's B.", "cat"),
        ("SED", "There is no dog; speech.", "speech"),
        ("SED", "I cannot tell much, but it is a cat.", "cat"),
        ("SED", "nicht A, sondern B", "cat"),
        ("SD", "real, not fake", "real"),
        # Several words.
        ("ASC", "metro station", "metro station"),
        ("ASC", "a metro", "metro"),
        ("ASC", "metro_station", "metro station"),
        ("ASC", "street_traffic", "street, traffic"),
        ("ASC", "Traffic street", "street, traffic"),
        ("MC", "hiphop", "hip hop"),
        ("MC", "Hip-Hop", "hip hop"),
        ("SED", "running_water", "running water"),
        # Emotions.
        ("ER", "anger", "angry"),
        ("ER", "The speaker is furious.", "angry"),
        ("ER", "neutral", "monotone"),
        ("ER", "emotionless", "monotone"),
        ("ER", "Joyful!", "happy"),
        ("ER", "unhappy", "sad"),
        ("ER", "not happy, rather sad", "sad"),
        ("ER", "The tone expresses sadness", "sad"),
        # Real and fake.
        ("SD", "a", "real"),
        ("SD", "b", "fake"),
        ("SD", "'b'", "fake"),
        ("SD", "B) Fake", "fake"),
        ("SD", "The audio is completely authentic.", "real"),
        ("SD", "It contains a synthesized segment", "fake"),
        ("SD", "authentic, without any synthesized segment", "real"),
        ("SD", "not real", "fake"),
        ("SD", "not fake", "real"),
        ("SD", "This is not completely authentic.", "fake"),
        ("SD", "deepfake", "fake"),
        ("SD", "AI-generated", "fake"),
        # Genders.
        ("SGR", "a", "male"),
        ("SGR", "(b)", "female"),
        ("SGR", "A woman", "female"),
        ("SGR", "a man's voice", "male"),
        ("SGR", "Female.", "female"),
        ("SGR", "The speaker is a male", "male"),
        # Ages.
        ("SAR", "E", "71+"),
        ("SAR", "18–30", "18-30"),
        ("SAR", "31 - 40 years", "31-40"),
        ("SAR", "between 41 and 50", "41-50"),
        ("SAR", "51 to 70 years old", "51-70"),
        ("SAR", "71 and above", "71+"),
        ("SAR", "over 70", "71+"),
        ("SAR", "in his thirties", "31-40"),
        ("SAR", "B) 31-40", "31-40"),
    ],
)
def test_meant(name, reply, meant):
    assert parse(find_task(name), reply, CHOICES.get(name, ())) == meant


NOTHING = [
    *("", " ", "\n", ".", "?!", "I", "I.", "a sound", "A sound", "a bird", "A bird sings.", "The answer is a bird"),
    *("X", "Z.", "F", "Option F", "yes", "no", "None of the above", "N/A", "unknown", "The answer is", "Answer:"),
    *("I cannot answer this question.", "I'm sorry, I can't help with that.", "As an AI, I have no ears."),
    *(
        "I cannot determine whether it is A or B.",
        "I don't know",
        "unable to say",
        "Sorry.",
        "Je ne sais pas.",
        "不知道",
    ),
    *(
        "Abcd",
        "ABCD",
        "A-D",
        "e.g. this",
        "at 10 a.m. it rang",
        "D'accord",
        "C'est la vie",
        "vitamins",
        "I'd say so",
    ),
    *("A, B", "A and B", "A or B", "B/C", "A B C D", "Either A or C.", "a, b", "a) or b)", "B. C.", "(A) (B)", "A & D"),
    *("neither A nor B", "not A", "not C.", "It isn't D", "不是狗", "собака", "un chien", "Il y a quelque chose"),
    *("A.\nB.\nC.\nD.", "{}", "[]", "<answer></answer>", "1", "2)", "...", "🐶", "The", "Reply with only the letter"),
]


@pytest.mark.parametrize("reply", NOTHING)
@pytest.mark.parametrize("name", ["SED", "SER", "SCR", "ASC", "MC", "ER"])
def test_none(name, reply):
    assert parse(find_task(name), reply, CHOICES[name]) is None


@pytest.mark.parametrize(
    ("name", "reply"),
    [
        ("SED", "dog and cat"),
        ("SED", "A dog. B cat. C speech. D running water"),
        ("SED", "A. dog\nB. cat\nC. speech\nD. running water"),
        ("SED", "A. cat"),
        ("SED", "B. dog"),
        ("SED", "dog, cat, speech"),
        ("SED", "doggy"),
        ("SED", "concatenated"),
        ("SED", "B-flat"),
        ("SED", "not a dog"),
        ("SED", "I can't tell if it's a dog"),
        ("SED", "vacuum cleaner"),
        ("SED", "a dog or a vacuum cleaner"),
        ("SER", "510"),
        ("SER", "51 or 52"),
        ("ASC", "metro or park"),
        ("MC", "pop rock"),
        ("MC", "blues"),
        ("ER", "happy or sad"),
        ("ER", "fearful"),
        ("ER", "emotional"),
        ("SD", "c"),
        ("SD", "real or fake"),
        ("SD", "really"),
        ("SD", "I cannot determine if it is real or fake"),
        ("SD", "a or b"),
        ("SGR", "C"),
        ("SGR", "male and female"),
        ("SGR", "a person"),
        ("SGR", "human"),
        ("SAR", "31-40 or 41-50"),
        ("SAR", "31"),
        ("SAR", "E così"),
        ("SAR", "middle-aged"),
    ],
)
def test_none_of_one_task(name, reply):
    assert parse(find_task(name), reply, CHOICES.get(name, ())) is None


def test_option_that_another_holds_does_not_name_it():
    assert parse(find_task("ASC"), "metro station", ("metro", "park", "bus", "tram")) is None


@pytest.mark.parametrize(
    "start", ["", "Spoken Content:", "spoken content: ", "**Spoken Content**: ", "\nSpoken Content:\n"]
)
def test_transcript(start):
    task = find_task("ASR")
    assert parse(task, f"{start}Hello there, A.\n") == "Hello there, A."
    assert parse(task, start) is None


def test_choices_are_needed():
    with pytest.raises(ValueError, match=r"music_classification needs 1 to 5 choices with each item, but got \(\)"):
        parse(find_task("MC"), "A")


@pytest.mark.parametrize("row", published(), ids=lambda row: row.model)
def test_published_averages(row):
    assert len(row.scores) == (9 if row.model == "Human" else 10)
    assert row.average == row.printed_average
    assert {find_task(name).abbreviation for name in row.scores} == set(row.scores)


def test_published_rows():
    rows = published()
    assert len(rows) == 17
    assert {row.model: row.scores["ASR"] for row in rows[:4]}["Qwen2.5-Omni-7B"] == 98.1
    assert "ASR" not in rows[-1].scores
    assert average({"a": 1, "b": 2}) == 1.5


@pytest.mark.parametrize(
    ("name", "reply", "place"),
    [
        ("SCR", "The answer is C", 0),
        ("SCR", "I think so", None),
        ("SCR", "Because", 1),
        ("SER", "a dog", 0),
        ("SER", "B.\n", 1),
        ("SER", "51", None),
        ("SED", "A dog is heard, so B", 0),
        ("SED", "Speech", 2),
        ("MC", "it is not A but B", 1),
        ("MC", "rock", 2),
        ("ASC", "a dog", None),
        ("ASC", "B: metro", 1),
        ("ASC", "a metro station", 0),
        ("ASC", "street with traffic", None),
        ("ER", "angry", None),
        ("ER", "anger", 3),
        ("ER", "The man made a joyful noise", 0),
        ("SD", "is this a fake", 0),
        ("SD", "deepfake", 1),
        ("SD", "artificial", 1),
        ("SD", "c", None),
        ("SGR", "female", 1),
        ("SGR", "males", 0),
        ("SGR", "a woman", None),
        ("SAR", "a man of 41-50", 0),
        ("SAR", "41-50", 2),
        ("SAR", "so E", 4),
    ],
)
def test_what_the_authors_read(name, reply, place):
    task = find_task(name)
    assert paper.read(task, reply, CHOICES.get(name, task.labels)) == place


def answer_of(name, reply, choices):
    """A second reading of the authors' ladders, letter or label, "" for none: plain rules, one task after another."""
    text = reply.strip().lower()
    letters = {"SD": "ab", "SGR": "ab", "SAR": "abcde"}.get(name, "abcd")
    words = re.findall(r"\w+", text)
    alone = [word for word in words if word in set(letters)]
    inside = [character for character in text if character in letters]
    if name == "SCR":
        return "".join(inside[:1])
    if name == "SER" and len(text) <= 3 and text[:1] in set(letters):
        return text[0]
    if name in ("SER", "SED"):
        return "".join((alone or inside)[:1])
    for letter in letters:
        stops = [".", ")", ":"] if name == "ASC" else [".", ")"]
        ending = text.endswith(" " + letter) and name in ("MC", "SD", "SAR")
        if text == letter or any(text.startswith(letter + stop) for stop in stops) or ending:
            return letter
    if name == "SAR" and len(set(alone)) == 1:
        return alone[0]
    for letter in letters:
        marks = [f"option {letter}", f"choice {letter}", f"answer {letter}" if name == "SAR" else f"{letter})"]
        if any(mark in text for mark in [*marks, *([f" {letter} "] if name == "SD" else [])]):
            return letter
    if name == "MC":
        return "".join((alone or inside)[:1])
    found = [letter for letter, choice in zip(letters, choices) if choice in text]
    if name == "ASC":
        if found:
            return found[0]
        shared = [sum(word in text for word in choice.split()) for choice in choices]
        return letters[int(np.argmax(shared))] if max(shared) > 1 else ""
    if name == "ER":
        said = {emotion for emotion, keys in paper.KEYWORDS.items() for key in keys if key in text}
        return next((letter for letter, choice in zip(letters, choices) if choice in said), "")
    if len(found) == 1:
        return found[0]
    if name == "SGR":
        return {(True, False): "a", (False, True): "b"}.get(("male" in words, "female" in words), "")
    if name == "SD":
        real = bool({"real", "authentic", "genuine"} & set(words))
        fake = bool({"fake", "artificial", "synthetic", "synthesized"} & set(words))
        return {(True, False): "a", (False, True): "b"}.get((real, fake), "")
    return ""


PIECES = (
    *("a", "b", "c", "d", "e", "A", "B", "C", "D", "E", "A.", "b)", "(c)", "D:", "option b", "choice a", "answer d"),
    *("the answer is", "I hear", "a sound", "hmm", "it is", "sorry", "not", "", "", "", "anger", "flat", "joy"),
    *("authentic", "genuine", "artificial", "synthetic", "male", "female", "woman", "real", "fake", "18-30", "71+"),
)


def random_items(task, count=1000):
    rng = np.random.default_rng(len(task.name))
    replies, answers, choices = [], [], []
    for _ in range(count):
        if task.answer == "labels":
            offered = task.labels
        else:
            offered = tuple(rng.permutation(task.labels or PASSAGE)[:4].tolist())
        size = rng.integers(0, 4)
        replies.append(" ".join(rng.choice([*PIECES, *offered, *offered], size)))
        answers.append(str(rng.choice(offered)))
        choices.append(offered)
    return replies, answers, choices


@pytest.mark.parametrize("name", [task.abbreviation for task in TASKS.values() if task.answer != "transcript"])
def test_paper_equals_a_second_computation(name):
    task = find_task(name)
    replies, answers, choices = random_items(task)
    said = np.array([answer_of(name, reply, offered) for reply, offered in zip(replies, choices)])
    meant = np.array([LETTERS[offered.index(answer)].lower() for answer, offered in zip(answers, choices)])
    valid = said != ""
    assert 0.05 < valid.mean() < 1
    found = paper.score(task, replies, answers, choices)
    if name == "SD":
        true, false = ((said == "b") & (meant == "b")).sum(), ((said != "a") & (meant == "a")).sum()
        wanted, dropped = 2 * true / (true + false + (meant == "b").sum()), 0
    else:
        average_ = "weighted" if name == "SGR" else "macro"
        wanted = precision_recall_fscore_support(meant[valid], said[valid], average=average_, zero_division=0)[2]
        dropped = 1 - valid.mean()
    assert found == pytest.approx({"score": 100 * wanted, "dropped": dropped})


def test_paper_transcripts_equal_jiwer():
    rng = np.random.default_rng(0)
    words = ["one", "Two,", "three", "it's", "well-known", "four.", '"five"', "SIX"]
    answers = [" ".join(rng.choice(words, rng.integers(1, 12))) for _ in range(1000)]
    replies = [" ".join(rng.choice(words, rng.integers(0, 12))) for _ in answers]
    replies[:3] = ["...", "", f"Spoken Content: {answers[2]}"]
    rates = []
    for answer, reply in zip(answers, replies):
        pair = [
            " ".join(text.translate(str.maketrans('.!?,;:"()[]{}', " " * 13, "-'")).lower().split())
            for text in (answer, reply.removeprefix("Spoken Content:"))
        ]
        if reply:
            rates.append(jiwer.wer(*pair) if pair[1] else 1)
    found = paper.score(find_task("ASR"), replies, answers, [()] * 1000)
    assert found == pytest.approx({"score": 100 - 100 * np.mean(rates), "dropped": 1 - len(rates) / 1000})
    assert rates[0] == 1
    assert rates[1] == 0


def test_paper_hazards():
    task = find_task("MC")
    dropped = paper.score(task, ["B", "no", "A"], ["hip hop", "rock", "rock"], [MUSIC] * 3)
    assert dropped == pytest.approx({"score": 50, "dropped": 1 / 3}), "two of four letters were never right"
    detection = find_task("SD")
    unread = paper.score(detection, ["fake", "?", "?"], ["fake", "real", "fake"], [detection.labels] * 3)
    assert unread == {"score": pytest.approx(100 * 2 / 4), "dropped": 0}
    assert paper.score(task, ["no"], ["rock"], [MUSIC]) == {"score": 0, "dropped": 1}
    assert paper.score(find_task("ASR"), [""], ["a"], [()]) == {"score": 0, "dropped": 1}


def test_strict_counts_invalid_answers_as_wrong():
    task = find_task("SD")
    found = strict.score(task, ["real", None, "fake", "fake"], ["real", "real", "fake", "real"], [task.labels] * 4)
    assert found["accuracy"] == 0.5
    assert found["macro_f1"] == pytest.approx((2 * 1 / (1 + 3) + 2 * 1 / (2 + 1)) / 2)
    assert (found["parse_rate"], found["majority"], found["random"], found["items"]) == (0.75, 0.75, 0.5, 4)
    low, high = found["accuracy_95"]
    assert 0 <= low < 0.5 < high <= 1
    assert "by_duration" not in found


def test_strict_f1_is_over_text_where_labels_are_fixed():
    choices = [("rock", "pop", "jazz", "metal"), ("pop", "rock", "blues", "disco")]
    found = strict.score(find_task("MC"), ["rock", "pop"], ["rock", "rock"], choices)
    assert found["macro_f1"] == pytest.approx(2 / 3), "one label, half of it found"
    own = strict.score(find_task("SER"), ["1", "3"], ["1", "4"], [("1", "2"), ("3", "4")])
    assert own["macro_f1"] == pytest.approx(f1_score(["A", "B"], ["A", "A"], average="macro"))
    assert own["random"] == 0.5


def test_strict_parts():
    task = find_task("SGR")
    truth = ["male"] * 6
    said = ["male", "female", "male", None, "male", "male"]
    durations = [90, 149.9, 150, 300, 300.1, None]
    starts, ends = [0, 60, 140, None, 290, 0], [10, 80, 150, None, 300.1, 1]
    found = strict.score(task, said, truth, [task.labels] * 6, durations, "aabbcc", starts, ends)
    assert found["by_duration"] == {
        "90-150 s": {"accuracy": 0.5, "items": 2},
        "150-210 s": {"accuracy": 1, "items": 1},
        "210-300 s": {"accuracy": 0, "items": 1},
        "5-10 min": {"accuracy": 1, "items": 1},
    }
    assert found["by_evidence"] == {
        "first third": {"accuracy": 1, "items": 1},
        "second third": {"accuracy": 0, "items": 1},
        "last third": {"accuracy": 1, "items": 2},
    }


def test_strict_interval_is_over_groups():
    task = find_task("SGR")
    said = ["male", "female"] * 20
    answers = ["male"] * 40
    alone = strict.score(task, said, answers, [task.labels] * 40)
    grouped = strict.score(task, said, answers, [task.labels] * 40, groups=[number % 4 for number in range(40)])
    assert np.ptp(grouped["accuracy_95"]) > 1.5 * np.ptp(alone["accuracy_95"])


def test_strict_transcripts():
    answers = ["Mr. Brown can't come.", "two words"]
    found = strict.score(find_task("ASR"), ["mister brown can not come", None], answers, durations=[100, 200])
    assert found["wer"] == pytest.approx(2 / 7)
    assert found["normalisers"]["english"]["wer_files"] == pytest.approx(1 / 2)
    assert found["normalisers"]["english"]["cer"] == pytest.approx(7 / (25 + 7)), 'it writes "2 words"'
    basic = jiwer.process_words(["mr brown can t come", "two words"], ["mister brown can not come", ""])
    assert found["normalisers"]["basic"]["wer"] == pytest.approx(basic.wer)
    assert found["normalisers"]["authors"]["wer_files"] == pytest.approx((3 / 4 + 1) / 2)
    assert found["parse_rate"] == 0.5
    assert found["by_duration"] == {"90-150 s": {"wer": 0, "items": 1}, "150-210 s": {"wer": 1, "items": 1}}
    nothing = strict.score(find_task("ASR"), ["a word", "yes"], ["!", "yes"])
    assert nothing["wer"] == 2, "words said where there are none count"


@pytest.mark.parametrize("name", ["speech_entity_recognition", "SER"])
def test_evaluate_loads_the_metric(name, evaluate_cache):
    metric = evaluate.load("metrics/audiomarathon", name, cache_dir=evaluate_cache)
    replies, answers, choices = ["B", "a dog", "49"], ["52", "46", "49"], [COUNTS] * 3
    found = metric.compute(predictions=replies, references=answers, choices=choices, durations=[100, 200, 300])
    assert found["strict"]["accuracy"] == pytest.approx(2 / 3)
    assert found["strict"]["by_duration"]["150-210 s"] == {"accuracy": 0, "items": 1}
    assert found["paper"]["dropped"] == pytest.approx(1 / 3), "49 is dropped, and the article is read as A"
    with pytest.raises(ValueError, match="speech_entity_recognition needs 1 to 5 choices"):
        metric.compute(predictions=replies, references=answers)
    with pytest.raises(ValueError, match="3 predictions, but the length of durations is 2"):
        metric.compute(predictions=replies, references=answers, choices=choices, durations=[100, 200])
    with pytest.raises(ValueError, match="reference 1 is 'A', but the choices are"):
        metric.compute(predictions=replies, references=["52", "A", "49"], choices=choices)


def test_evaluate_without_choices(evaluate_cache):
    replies, answers = ["b", "a man"], ["female", "male"]
    gender = evaluate.load("metrics/audiomarathon", "SGR", cache_dir=evaluate_cache)
    assert gender.compute(predictions=replies, references=answers)["strict"]["accuracy"] == 1
    speech = evaluate.load("metrics/audiomarathon", "ASR", cache_dir=evaluate_cache)
    found = speech.compute(predictions=["Spoken Content: Yes."], references=["yes"])
    assert (found["strict"]["wer"], found["paper"]["score"]) == (0, 100)
    with pytest.raises(ValueError, match="AudioMarathon has no task 'XYZ'"):
        unknown = evaluate.load("metrics/audiomarathon", "XYZ", cache_dir=evaluate_cache)
        unknown.compute(predictions=["a"], references=["a"])
