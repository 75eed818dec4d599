"""`decloud fit`: a method learns from a published data set, and leaves weights with a model card."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seq2seq.commands.options import named_settings
from seq2seq.commands.stopping import stop_on_signals
from seq2seq.errors import Stopped
from seq2seq.extras import naming_extra
from seq2seq.methods import METHODS, find_method
from seq2seq.wording import one_line

if TYPE_CHECKING:
    from rich.console import Console

    from seq2seq.training.job import TrainingJob
    from seq2seq.training.loop import Trained

_ABLE = ", ".join(info.name for info in METHODS if info.training is not None)
_FIRST = next(info.name for info in METHODS if info.training is not None)
EXAMPLES = f"""
[bold]Examples[/]
  decloud fit sen12mscr SEN12MS-CR --method {_FIRST}
  decloud fit sen12mscr SEN12MS-CR --method {_FIRST} --epochs 8 --resume
  decloud fit sen12mscrts SEN12MS-CR-TS --method seq2point
  torchrun --nproc_per_node 4 -m decloud fit sen12mscr SEN12MS-CR --method {_FIRST}
  decloud run fields cloud-free --weights {_FIRST}-sen12mscr.safetensors

Ctrl-C stops with a checkpoint; the same command with --resume goes on from there.
"""
_NAMED: dict[str, Any] = {"show_default": False}


def fit(  # long: each option is a parameter
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help="A data set by name.")],
    path: Annotated[Path, typer.Argument(metavar="PATH", help="Its folder, as its authors distribute it.")],
    method: Annotated[str, typer.Option(metavar="NAME", help=f"What learns: {_ABLE}.", show_default=False)],
    split: Annotated[str, typer.Option(metavar="NAME", help="The samples to learn from.")] = "train",
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Weights, by default METHOD-DATASET.safetensors; a card beside.", **_NAMED),
    ] = None,
    steps: Annotated[int | None, typer.Option(metavar="N", help="Updates of the network.", min=1, **_NAMED)] = None,
    epochs: Annotated[
        float | None, typer.Option(metavar="N", help="Passes over all samples; by default as published.", **_NAMED)
    ] = None,
    batch: Annotated[
        int | None, typer.Option(metavar="N", help="Samples of a step, of all processes together.", min=1, **_NAMED)
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A setting of the method.", **_NAMED)
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="Of the network, the order and the crops.", min=0)] = 0,
    device: Annotated[str, typer.Option(metavar="NAME", help="auto, cpu, cuda, cuda:1, mps.")] = "auto",
    readers: Annotated[int, typer.Option(metavar="N", help="Threads that read samples ahead.", min=1, max=256)] = 4,
    validated: Annotated[
        int, typer.Option(metavar="N", help="Samples of the split val that are scored now and then.", min=0)
    ] = 64,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the checkpoint, if there is one.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace weights of that name.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Say nothing but errors.")] = False,
) -> None:
    """Train a method on a published data set; `decloud run --weights` uses what it has learnt."""
    from seq2seq.datasets import find_dataset
    from seq2seq.training.job import TrainingJob, check_job, settings_for

    info = find_method(method)
    job = TrainingJob(
        method=info,
        settings=settings_for(info, named_settings(method, settings or ())),
        dataset=find_dataset(dataset),
        path=path,
        out=out or Path(f"{method}-{dataset}.safetensors"),
        split=split,
        validated=validated,
        steps=steps,
        passes=epochs,
        batch=batch,
        seed=seed,
        device=device,
        readers=readers,
        resume=resume,
    )
    check_job(job, overwrite=overwrite)
    # torchrun starts several of us; one speaks.
    _train(job, quiet=quiet or os.environ.get("RANK", "0") != "0")


def _train(job: "TrainingJob", *, quiet: bool) -> None:
    """Trains; a signal stops it at the next step, with a checkpoint."""
    with naming_extra():
        from seq2seq.training.loop import train
    from rich.console import Console

    from seq2seq.commands.console import open_display

    console = Console()
    with open_display(console, quiet=quiet) as display, stop_on_signals(display) as stop:
        try:
            trained = train(job, on_progress=display, should_stop=stop.is_set)
        except Stopped as stopped:
            text = f"stopped ({one_line(stopped)}); the same command with --resume goes on from {job.checkpoint}"
            raise Stopped(text) from stopped
    if trained is not None and not quiet:
        _print(console, trained)


def _print(console: "Console", trained: "Trained") -> None:
    """The files, their worth and their digest."""
    for line in (
        f"Weights  {trained.path}",
        f"Card     {trained.path.with_suffix('.md')}",
        f"SHA-256  {trained.sha256}",
        *(f"Score    {score}" for score in trained.scores[-1:]),
    ):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
