"""The model card: what was trained on what, how long, how well, and under whose licence its data are."""

import platform
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import torch

from seq2seq.training.job import TrainingJob
from seq2seq.training.validation import Score


def card_of(job: TrainingJob, facts: dict[str, Any], scores: list[Score]) -> dict[str, Any]:
    """Makes the card, plain values. facts: samples, steps, batch, bands, radar channels and the like."""
    data = job.dataset
    return {
        "method": job.method.name,
        "title": job.method.title,
        "source": job.method.source,
        "settings": job.recorded_settings(),
        "dataset": {
            "name": data.name, "title": data.title, "source": data.source, "licence": data.licence, "split": job.split,
        },
        **facts,
        "seed": job.seed,
        "versions": {"decloud": version("decloud"), "torch": torch.__version__, "python": platform.python_version()},
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "validation": {"split": job.validation, "scores": [asdict(each) for each in scores]} if scores else None,
    }  # fmt: skip


def page_of(job: TrainingJob, card: dict[str, Any], sha256: str) -> str:
    """Writes the card for people, in Markdown."""
    data = card["dataset"]
    scores = card["validation"]["scores"] if card["validation"] else []
    named = ", ".join(f"{name}={value}" for name, value in card["settings"].items() if value is not None)
    lines = [
        f"# {card['title']}, trained on {data['title']}",
        "",
        f"- File: `{job.out.name}`, SHA-256 `{sha256}`",
        f"- Method: `{card['method']}`. {card['source']}.",
        f"- Data: {data['title']}, split `{data['split']}`, {card['samples']} samples. {data['source']}.",
        f"- Licence of the data: {data['licence']}. Weights derive from the data that they were trained on.",
        f"- Bands: {' '.join(card['bands'])}; channels of radar: {card['sar_channels']}",
        f"- Training: {card['steps']} steps of {card['batch']} examples, seed {card['seed']}",
        f"- Settings: {named}",
        f"- Made: {card['created']}, " + ", ".join(f"{name} {value}" for name, value in card["versions"].items()),
    ]
    if scores:
        last = Score(**scores[-1])
        lines.append(f"- Validation, split `{card['validation']['split']}`: {last}")
    return "\n".join([*lines, "", f"Use it: `decloud run INPUT OUT --weights {job.out.name}`", ""])
