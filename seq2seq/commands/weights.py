"""`decloud weights`: the pretrained weights installed, and the one way they get here."""

from pathlib import Path
from typing import Annotated

import typer

from seq2seq.errors import ConfigError
from seq2seq.extras import naming_extra
from seq2seq.nn.weights import KNOWN, Weights, fetch, folder, install_file, installed

app = typer.Typer(
    no_args_is_help=True,
    help="Pretrained weights for the perceptual loss: list them, fetch them. A run never fetches anything by itself.",
)


@app.command("list")
def list_weights() -> None:
    """Say what there is, what it is for, where it comes from, and whether it is installed."""
    for weights in KNOWN.values():
        place = installed(weights)
        print(f"{weights.name}: {'not installed' if place is None else f'installed, {place}'}")
        print(f"  for     {weights.use}")
        print(f"  source  {weights.url}, {_megabytes(weights)}")
        if place is None:
            print(f"  get it  decloud weights fetch {weights.name}")


@app.command(
    "fetch",
    epilog="""
[bold]Examples[/]
  decloud weights fetch vgg16
  decloud weights fetch vgg16 --from vgg16-397923af.pth    [dim]no network: a copy of the published file[/]
""",
)
def fetch_weights(
    name: Annotated[str, typer.Argument(metavar="NAME", help=f"One of {', '.join(KNOWN)}.")],
    source: Annotated[
        Path | None, typer.Option("--from", metavar="FILE", help="A copy of the published file, in place of network.")
    ] = None,
) -> None:
    """Download weights once, checked by their SHA-256; a transfer that was cut off goes on with the same command."""
    weights = _known(name)
    there = installed(weights)
    if there is not None:
        print(f"{name} is installed: {there}")
        return
    with naming_extra():
        from seq2seq.nn.vgg import keep_weights
    if source is not None:
        print(f"{name}: {install_file(weights, source, keep_weights)}")
        return
    from rich.console import Console

    from seq2seq.commands.console import open_display

    print(f"{weights.url}, {_megabytes(weights)}, into {folder()}", flush=True)
    with open_display(Console(), quiet=False) as display:
        path = fetch(weights, keep_weights, on_progress=display)
    print(f"{name}: {path}")


def _known(name: str) -> Weights:
    if name not in KNOWN:
        raise ConfigError(f"there are no weights {name!r}; known are {', '.join(KNOWN)}")
    return KNOWN[name]


def _megabytes(weights: Weights) -> str:
    return f"{weights.size_bytes / 1e6:.0f} MB"
