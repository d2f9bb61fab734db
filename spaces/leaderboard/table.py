"""A board as HTML: a table that is sorted in the browser by a click on a column's head."""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from statistics import fmean

from reading import ALL, Entry, Score, Task

AVERAGE = Task("Average", "plain mean of the tasks that are shown, or the weighted one that a probe's file tells", ALL)
NOTHING = "<p>There are no such results.</p>"
ON_CLICK = """
element.addEventListener('click', ({target}) => {
  const head = target.closest('thead button')?.parentElement;
  if (!head) return;
  const [first, second] = head.cellIndex ? ['descending', 'ascending'] : ['ascending', 'descending'];
  const order = head.ariaSort === first ? second : first, sign = order === 'ascending' ? 1 : -1;
  for (const other of head.parentElement.cells) other.ariaSort = other === head ? order : 'none';
  const value = row => row.cells[head.cellIndex].dataset.value ?? '';
  const compare = (a, b) => (a === '') - (b === '') || sign * (a - b || a.localeCompare(b));
  const [body] = element.querySelector('table').tBodies;
  body.append(...[...body.rows].sort((a, b) => compare(value(a), value(b))));
});
"""
SORTABLE = {  # of `gr.HTML`
    "js_on_load": ON_CLICK,
    "css_template": (Path(__file__).parent / "table.css").read_text(),
    "apply_default_css": False,
}


def draw(entries: Sequence[Entry], tasks: Mapping[str, Task], way: str, part: str, caption: str) -> str:
    """HTML of a table, the best average first.

    Args:
        tasks: the columns, by name.
        way: of scoring; entries without a score in it are left out.
        part: of the suite, or `ALL`.
        caption: read out for the table.
    """
    held = {name for entry in entries for name in entry.scores.get(way, {})}
    shown = {name: task for name, task in tasks.items() if name in held and part in (ALL, task.part)}
    rows = [(entry, average(entry, list(shown), way, part)) for entry in entries]
    rows = [(entry, mean) for entry, mean in rows if shown.keys() & entry.scores.get(way, {}).keys()]
    if not rows:
        return NOTHING
    rows.sort(key=lambda row: row[1].value if row[1] else -1, reverse=True)
    heads = [Task("Model", "what was measured, and where the file is", ALL), AVERAGE, *shown.values()]
    head = "".join(_head(task, "descending" if task is AVERAGE else "none") for task in heads)
    body = "".join(
        f'<tr><th scope="row" data-value="{escape(entry.model)}">{escape(entry.model)}'
        f"<small>{escape(entry.about)}</small></th>"
        + "".join(_cell(score) for score in (mean, *(entry.scores[way].get(name) for name in shown)))
        + "</tr>"
        for entry, mean in rows
    )
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(caption)}"><table>'
        f"<caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def average(entry: Entry, names: Sequence[str], way: str, part: str) -> Score | None:
    """Of an entry's tasks among `names` that count, with how many those are if not all; `None` of none."""
    scores = [score for name in names if (score := entry.scores.get(way, {}).get(name)) and score.counts]
    if not scores:
        return None
    told = entry.averages.get(way, {}).get(part)
    mean = told or Score(fmean(score.value for score in scores))
    return mean._replace(note="" if len(scores) == len(names) else f"of {len(scores)} tasks")


def _head(task: Task, order: str) -> str:
    note = f"<small>{escape(task.note)}</small>" if task.note else ""
    button = f'<button title="{escape(task.title)}">{escape(task.head)}</button>'
    return f'<th scope="col" aria-sort="{order}">{button}{note}</th>'


def _cell(score: Score | None) -> str:
    if score is None:
        return "<td>–</td>"
    lines = [f"{score.interval[0]:.0f} to {score.interval[1]:.0f}"] if score.interval else []
    lines += [score.note] if score.note else []
    told = "".join(f"<small>{escape(line)}</small>" for line in lines)
    return f'<td data-value="{score.value:.4f}"{"" if score.counts else " class=made"}>{score.value:.1f}{told}</td>'
