"""Items made of open audio: the mini that is shipped, and longer ones on demand."""

from .folders import build_mini, extend

__all__ = ["build_mini", "extend"]
