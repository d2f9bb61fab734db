"""How often a run hears each task."""

from collections.abc import Mapping

from .config import Mixture, RecipeError

ROUNDS = 50
"""Raising one part lowers the others, so it is done in turns until all hold."""


def shares(recipe: Mixture, clips: Mapping[str, int], domains: Mapping[str, str]) -> dict[str, float]:
    """Share of each task among the clips of a run; they add up to 1.

    A task's share grows with its clips to the power of `temperature`, times its weight. Replay and the domains'
    floors then raise what falls short of them, each at the cost of all other tasks in proportion.

    Args:
        recipe: the mixture's.
        clips: how many training clips, or hours, each task has.
        domains: the domain of each task.

    Raises:
        RecipeError: floors or replay ask for what no task has, or for more than all there is.
    """
    found = {task: weight * clips[task] ** recipe.temperature for task, weight in recipe.tasks.items()}
    found = {task: share / sum(found.values()) for task, share in found.items()}
    least = {domain: [t for t in found if domains[t] == domain] for domain in recipe.floors}
    wanted = [(f"the floor of {domain}", least[domain], floor) for domain, floor in recipe.floors.items()]
    wanted.append(("replay", [task for task in found if is_transcription(task)], recipe.replay))
    for name, tasks, share in wanted:
        if share and not tasks:
            raise RecipeError(f"{name} is {share}, but the mixture has no task for it")
    for _ in range(ROUNDS):
        for _, tasks, share in wanted:
            found = raise_to(found, tasks, share)
    for name, tasks, share in wanted:
        if sum(found[task] for task in tasks) < share - 0.01:
            raise RecipeError(f"{name} is {share}, but the other floors and replay leave less than that")
    return found


def raise_to(shares: dict[str, float], tasks: list[str], least: float) -> dict[str, float]:
    """`shares` in which `tasks` together have at least `least`."""
    held = sum(shares[task] for task in tasks)
    if held >= least:
        return shares
    return {
        task: share * (least / held if task in tasks else (1 - least) / (1 - held)) for task, share in shares.items()
    }


def is_transcription(task: str) -> bool:
    """Whether `task` asks for what is said, word for word."""
    return task == "asr" or task.startswith("asr_")
