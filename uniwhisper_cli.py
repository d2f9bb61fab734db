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
    import numpy as np

TRANSCRIBE = "Transcribe the speech."
TRANSCRIBE_SECONDS = 30.0  # longest window
CUT_SECONDS = 10.0  # a window is cut at the quietest place of its last 10 s
TOKENS_PER_SECOND = 10  # of transcript, a generous bound
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
    from modeling_uniwhisper.audio_io import load_audio
    from modeling_uniwhisper.checkpoints import encoder_sha256
    from modeling_uniwhisper.embedding_table import EmbeddingTable, TableError
    from modeling_uniwhisper.search import Embedder, file_version

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
    embedder = Embedder(checkpoint, dtype) if todo else None
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
    from modeling_uniwhisper.audio_io import SAMPLING_RATE, load_audio
    from modeling_uniwhisper.search import clock

    checkpoint = _checkpoint(model)
    paths = _expand(files)
    pipe = _pipeline(checkpoint, dtype)

    def one(path: Path) -> list[dict]:
        audio = load_audio(path)
        if not as_json and len(paths) > 1:
            typer.echo(f"# {path}")
        segments = []
        for start, stop in _quiet_windows(audio):
            limit = round(TOKENS_PER_SECOND * (stop - start) / SAMPLING_RATE) + TOKENS_PER_SECOND
            words = pipe(audio[start:stop], question=TRANSCRIBE, max_new_tokens=limit)["answer"].split()
            segment = {"start": start / SAMPLING_RATE, "end": stop / SAMPLING_RATE, "text": " ".join(words)}
            segments.append(segment)
            if not as_json:
                typer.echo(f"[{clock(segment['start'])} --> {clock(segment['end'])}] {segment['text']}")
        return segments

    done, failed = _each(paths, one, "transcribing")
    result = {"files": [{"path": str(path), "segments": segments} for path, segments in done], "failed": failed}
    _finish(result, failed, as_json, None)


@app.command()
def search(
    query: Annotated[str, typer.Argument(help="Audio file with an example of what is looked for.")],
    folder: Annotated[Path, typer.Option("--in", help="Folder of recordings to search.")],
    top: Annotated[int, typer.Option(min=1, help="Moments to return.")] = 10,
    model: ModelOption = None,
    dtype: DtypeOption = Dtype.float32,
    as_json: JsonOption = False,
) -> None:
    """Find the moments in a folder that sound most like an example.

    Embeddings of the folder are kept in the cache. The example itself is left out of the results.
    """
    from modeling_uniwhisper.audio_io import AudioError
    from modeling_uniwhisper.search import Embedder, clock, rank_moments

    example = Path(query)
    if not example.is_file():
        _refuse(f"{query} is not a file: search by words is not there yet, give an audio file as the example")
    if not folder.is_dir():
        _refuse(f"{folder} is not a folder")
    checkpoint = _checkpoint(model)
    paths = [path for path in _expand([str(folder)]) if not path.samefile(example)]
    embedder = Embedder(checkpoint, dtype)
    try:
        wanted = embedder.moments(example).recording
    except AudioError as error:
        _refuse(str(error))
    done, failed = _each(paths, embedder.moments, "listening")
    moments = rank_moments(wanted, {str(path): embedded for path, embedded in done}, top)
    lines = [f"{m.score:.3f}  {clock(m.start)} - {clock(m.end)}  {m.path}" for m in moments]
    result = {"query": query, "moments": [moment._asdict() for moment in moments], "failed": failed}
    _finish(result, failed, as_json, "\n".join(lines))


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
    from modeling_uniwhisper.audio_io import AUDIO_SUFFIXES

    paths: dict[Path, None] = {}
    for argument in _with_stdin(arguments):
        path = Path(argument)
        if path.is_dir():
            found = sorted(p for p in path.rglob("*") if p.suffix.lower() in AUDIO_SUFFIXES and p.is_file())
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
    for path in _progress(paths, what):
        try:
            done.append((path, work(path)))
        except AudioError as error:
            failed.append({"path": str(path), "error": str(error)})
    return done, failed


def _progress(paths: list[Path], what: str) -> Iterable[Path]:
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=stderr, transient=True) as progress:
        yield from progress.track(paths, description=what)


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


def _quiet_windows(audio: "np.ndarray") -> Iterator[tuple[int, int]]:
    """Sample ranges of at most 30 s that cover `audio` of shape `(samples,)`, cut where it is quietest."""
    from modeling_uniwhisper.audio_io import SAMPLING_RATE

    longest, tail, step = (round(s * SAMPLING_RATE) for s in (TRANSCRIBE_SECONDS, CUT_SECONDS, 0.1))
    start = 0
    while len(audio) - start > longest:
        end = start + longest
        steps = audio[end - tail : end].reshape(-1, step)
        cut = end - tail + int((steps**2).sum(axis=1).argmin()) * step + step // 2
        yield start, cut
        start = cut
    yield start, len(audio)
