"""The `uniwhisper` command: embed recordings, ask about them, transcribe them, find moments in them.

Results go to stdout, everything else to stderr. Exit codes: 0 all done, 1 a file failed while the
others were done, 2 the command cannot be run as given.
"""

# Outside of modeling_uniwhisper, and importing it only where it works, since importing that package loads
# torch: `uniwhisper --help` and a mistyped command answer in a third of a second, not in five.

import glob
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn, track

if TYPE_CHECKING:
    from modeling_uniwhisper.search_index import SearchIndex, Updated

MOMENT = ("path", "title", "start", "end", "score", "why", "description")  # of what is found, as JSON
SAVE_SECONDS = 300.0  # how much embedding a killed command may lose

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Embed recordings, ask about them, transcribe them, find moments in them.",
    epilog="Exit codes: 0 all done, 1 a file failed while the others were done, 2 cannot be run as given.",
)
stderr = Console(stderr=True, highlight=False)


class Dtype(StrEnum):
    """Arithmetic of the model."""

    float32 = "float32"
    bfloat16 = "bfloat16"
    float16 = "float16"


ModelOption = Annotated[
    str | None,
    typer.Option("--model", help="Checkpoint folder. [default: $UNIWHISPER_MODEL, else uniwhisper-base in the cache]"),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Write one JSON document to stdout.")]
DtypeOption = Annotated[Dtype, typer.Option(help="Arithmetic of the model.")]
FilesArgument = Annotated[
    list[str], typer.Argument(metavar="FILES...", help="Audio files, folders, glob patterns; - reads a list on stdin.")
]
FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="Audio file.")]


@app.command()
def embed(
    files: FilesArgument,
    out: Annotated[Path, typer.Option(help="Parquet file to write, or to go on with.")],
    model: ModelOption = None,
    dtype: DtypeOption = Dtype.float32,
    as_json: JsonOption = False,
) -> None:
    """Write the embeddings of recordings and of their windows to a Parquet file.

    Columns: path, kind (window or file), start, end and duration in seconds, embedding (unit length),
    and size and mtime_ns of the file. Files that are there already, unchanged, are skipped; an
    interrupted command goes on where it was.
    """
    from modeling_uniwhisper.audio_io import file_version, load_audio
    from modeling_uniwhisper.checkpoints import encoder_sha256
    from modeling_uniwhisper.embedder import Embedder
    from modeling_uniwhisper.embedding_table import EmbeddingTable, TableError

    checkpoint = _checkpoint(model)
    paths = _expand(files)
    if not out.parent.is_dir():
        _refuse(f"the folder of --out, {out.parent}, does not exist")
    config = json.loads((checkpoint / "config.json").read_text())
    made_by = {
        "model": checkpoint.resolve().name,
        "sha256": encoder_sha256(checkpoint),
        "layer": config["embedding_layer"],
        "dtype": dtype.value,
        "normalized": True,
    }
    try:
        table = EmbeddingTable.open(out, made_by)
    except TableError as error:
        _refuse(str(error))
    todo = [path for path in paths if not table.holds(path)]
    if todo:
        embedder = Embedder(checkpoint, dtype)
    saved = time.monotonic()

    def one(path: Path) -> None:
        nonlocal saved
        version = file_version(path)  # before reading: a file that changes meanwhile is read again next time
        table.add(path, version, embedder(load_audio(path)))
        if time.monotonic() - saved > SAVE_SECONDS:
            table.save()
            saved = time.monotonic()

    try:
        done, failed = _each(todo, one, "embedding")
    finally:
        table.save()
    skipped = len(paths) - len(todo)
    result = {"out": str(out), "embedded": len(done), "skipped": skipped, "failed": failed}
    _finish(result, failed, as_json, f"{out}: {len(done)} embedded, {skipped} already there, {len(failed)} failed")


@app.command()
def ask(
    file: FileArgument,
    questions: Annotated[list[str], typer.Argument(metavar="QUESTIONS...", help="What you want to know.")],
    model: ModelOption = None,
    dtype: DtypeOption = Dtype.float32,
    as_json: JsonOption = False,
) -> None:
    """Answer questions about a whole recording, of any length, which is encoded once.

    How it was listened to goes to stderr: more than the language model's context is not heard all in full.
    """
    from modeling_uniwhisper.listening import listen

    pipe = _pipeline(_checkpoint(model), dtype)
    bar = partial(track, description="listening", console=stderr, transient=True)
    replies, failed = [], []
    try:
        recording = listen(pipe.model, pipe.processor, file, bar)
        for question in questions:
            replies.append(recording.ask(question))
            stderr.print(replies[-1].heard, soft_wrap=True, markup=False)
    except ValueError as error:  # of the audio, or of a question that cannot be asked
        failed.append({"path": str(file), "error": str(error)})
    answers = [
        {"question": question, **asdict(reply), "seconds_heard": reply.seconds_heard}
        for question, reply in zip(questions, replies)
    ]
    result = {"path": str(file), "answers": answers, "failed": failed}
    _finish(result, failed, as_json, "\n".join(reply.text for reply in replies))


@app.command()
def transcribe(
    files: FilesArgument,
    model: ModelOption = None,
    dtype: DtypeOption = Dtype.float32,
    as_json: JsonOption = False,
) -> None:
    """Write down the speech in recordings of any length, with times, window by window."""
    from modeling_uniwhisper.audio_io import clock, load_audio
    from modeling_uniwhisper.checkpoints import CheckpointError
    from modeling_uniwhisper.transcribing import Transcriber

    paths = _expand(files)
    try:
        transcriber = Transcriber(_checkpoint(model), dtype)
    except CheckpointError as error:
        _refuse(str(error))

    def one(path: Path) -> list[dict]:
        if not as_json and len(paths) > 1:
            typer.echo(f"# {path}")
        segments = []
        for segment in transcriber(load_audio(path)):
            segments.append(segment._asdict())
            if not as_json:
                typer.echo(f"[{clock(segment.start)} --> {clock(segment.end)}] {segment.text}")
        return segments

    done, failed = _each(paths, one, "transcribing")
    result = {"files": [{"path": str(path), "segments": segments} for path, segments in done], "failed": failed}
    _finish(result, failed, as_json, None)


@app.command()
def index(
    files: FilesArgument,
    out: Annotated[str, typer.Option(help="Folder or object-store URI of the index to make, or to go on with.")],
    words: Annotated[bool, typer.Option(help="Describe each window, so that words find it; most of the time.")] = True,
    ray: Annotated[str | None, typer.Option(metavar="ADDRESS", help="Ray cluster to use; local starts one.")] = None,
    model: ModelOption = None,
    dtype: DtypeOption = Dtype.float32,
    as_json: JsonOption = False,
) -> None:
    """Make a search index of recordings, or bring it up to date.

    Only new and changed files are read, files that no longer exist are dropped, and an interrupted
    command goes on where it was.
    """
    from modeling_uniwhisper.ray_reading import reading_on_ray
    from modeling_uniwhisper.search_index import SearchIndex, SearchIndexError
    from modeling_uniwhisper.window_reader import WindowReader

    paths = _expand(files)
    reader = WindowReader(_checkpoint(model), dtype, words)
    try:
        made = SearchIndex.create(out, reader)
        updated = _update(made, paths, reading_on_ray(ray, reader) if ray else None)
    except SearchIndexError as error:
        _refuse(str(error))
    failed = _failures(updated.failed)
    counts = {"added": updated.added, "unchanged": updated.unchanged, "dropped": updated.dropped}
    told = ", ".join(f"{number} {what}" for what, number in counts.items())
    result = {"out": out, "windows": len(made), **counts, "failed": failed}
    _finish(result, failed, as_json, f"{out}: {told}, {len(failed)} failed; {len(made)} windows")


@app.command()
def search(
    query: Annotated[str, typer.Argument(help="Audio file with an example of what is looked for; words by --words.")],
    index: Annotated[str | None, typer.Option(help="Index to search, made by `uniwhisper index`.")] = None,
    folder: Annotated[Path | None, typer.Option("--in", help="Folder to search instead; its index is cached.")] = None,
    words: Annotated[bool, typer.Option("--words", help="QUERY is words.")] = False,
    start: Annotated[float, typer.Option(min=0, help="Where the example starts in its file, in seconds.")] = 0.0,
    end: Annotated[float | None, typer.Option(min=0, help="Where it ends. [default: the end of the file]")] = None,
    top: Annotated[int, typer.Option(min=1, help="Moments to return.")] = 10,
    model: ModelOption = None,
    dtype: DtypeOption = Dtype.float32,
    as_json: JsonOption = False,
) -> None:
    """Find the moments in recordings that sound most like an example, or that words tell of.

    The example itself is left out of the results.
    """
    from modeling_uniwhisper.audio_io import AudioError, clock, load_span
    from modeling_uniwhisper.search_index import SearchIndex, SearchIndexError, cached_index, made_by
    from modeling_uniwhisper.window_reader import WindowReader

    if (index is None) == (folder is None):
        _refuse("name either an index by --index, or a folder by --in")
    if folder and not folder.is_dir():
        _refuse(f"{folder} is not a folder")
    if words and (start or end is not None):
        _refuse("--start and --end cut an example out of its file, but QUERY is words")
    if not words and not Path(query).is_file():
        _refuse(f"{query} is not a file: give an audio file as the example, or words by --words")
    checkpoint = _checkpoint(model)
    failed = []
    try:
        example = None if words else load_span(query, start, end)
        if index:
            describes = made_by(index)["descriptions"] is not None
            opened = SearchIndex.open(index, WindowReader(checkpoint, dtype, describes))
        elif folder:
            opened = cached_index(folder, WindowReader(checkpoint, dtype, words))
            failed = _failures(_update(opened, _expand([str(folder)])).failed)
        hits = (
            opened.by_words(query, top)
            if example is None
            else opened.by_audio(example, top, leave_out=_absolute(query))
        )
    except (AudioError, SearchIndexError) as error:
        _refuse(str(error))
    moments = [{key: getattr(hit, key) for key in MOMENT} for hit in hits]
    lines = [f"{hit.score:.3f}  {clock(hit.start)} - {clock(hit.end)}  {hit.path}  {hit.why}" for hit in hits]
    _finish({"query": query, "moments": moments, "failed": failed}, failed, as_json, "\n".join(lines))


def _absolute(path: str | Path) -> str:
    """As an index names a recording, wherever the command runs."""
    return str(Path(path).resolve())


def _update(opened: "SearchIndex", paths: list[Path], read_all: Callable | None = None) -> "Updated":
    from modeling_uniwhisper.search_index import title_of

    titles = {_absolute(path): title_of(path) for path in paths}
    return opened.update(titles, read_all, partial(_progress, what="listening"))


def _failures(failed: dict[str, str]) -> list[dict[str, str]]:
    return [{"path": path, "error": error} for path, error in failed.items()]


def _refuse(sentence: str) -> NoReturn:
    stderr.print(f"uniwhisper: {sentence.rstrip('.')}.", soft_wrap=True, markup=False)
    raise typer.Exit(2)


def _checkpoint(model: str | None) -> Path:
    from transformers.utils.logging import disable_progress_bar

    from modeling_uniwhisper.checkpoints import CheckpointError, find_checkpoint

    disable_progress_bar()
    try:
        return find_checkpoint(model)
    except CheckpointError as error:
        _refuse(str(error))


def _expand(arguments: list[str]) -> list[Path]:
    """Files that the arguments name, each once, in order; a folder stands for all audio files in it."""
    from modeling_uniwhisper.audio_io import audio_files

    paths: dict[Path, None] = {}
    for argument in _with_stdin(arguments):
        path = Path(argument)
        if path.is_dir():
            found = audio_files(path)
        elif not path.exists() and glob.has_magic(argument):
            found = [Path(match) for match in sorted(glob.glob(argument, recursive=True)) if Path(match).is_file()]
        else:
            found = [path]
        if not found:
            _refuse(f"{argument} holds no audio files")
        paths.update(dict.fromkeys(found))
    if not paths:
        _refuse("no files are named")
    return list(paths)


def _with_stdin(arguments: list[str]) -> Iterator[str]:
    for argument in arguments:
        if argument == "-":
            yield from filter(None, (line.rstrip("\r\n") for line in sys.stdin))
        else:
            yield argument


def _each(
    paths: list[Path], work: Callable[[Path], Any], what: str
) -> tuple[list[tuple[Path, Any]], list[dict[str, str]]]:
    """Results by path, and the paths that failed with their sentence."""
    from modeling_uniwhisper.audio_io import AudioError

    done, failed = [], []
    for path in _progress(paths, len(paths), what):
        try:
            done.append((path, work(path)))
        except AudioError as error:
            failed.append({"path": str(path), "error": str(error)})
    return done, failed


def _progress(items: Iterable, total: int, what: str) -> Iterator:
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=stderr, transient=True) as progress:
        yield from progress.track(items, total, description=what)


def _finish(result: dict, failed: list[dict[str, str]], as_json: bool, text: str | None) -> None:
    if as_json:
        typer.echo(json.dumps(result, ensure_ascii=False, indent=1))
    elif text:
        typer.echo(text)
    for failure in failed:
        stderr.print(f"failed: {failure['error']}", soft_wrap=True, markup=False)
    if failed:
        raise typer.Exit(1)


def _pipeline(checkpoint: Path, dtype: str):
    import torch
    from transformers import pipeline

    device = "cuda" if torch.cuda.is_available() else "cpu"
    return pipeline("audio-question-answering", model=str(checkpoint), dtype=getattr(torch, dtype), device=device)
