"""What counts as the same words."""

import re
import unicodedata


def normalize(text: str) -> str:
    """Words alone: compatibility forms unified, case folded, punctuation dropped except inside a word."""
    text = unicodedata.normalize("NFKC", text).casefold().replace("’", "'")
    return " ".join(re.findall(r"\w+(?:'\w+)*", text))
