"""What two of the literature's choices are worth on one sequence: DSen2-CR's loss, and radar as the input of a prior.

python benchmarks/ablations.py carl INPUT [--seeds 0 1 2] [--minutes MIN]
python benchmarks/ablations.py noise INPUT [--seeds 0 1 2] [--schedule-factor X]

JSON lines on stdout; `methods.py --only ablations` calls it. Pixels are hidden as `decloud benchmark` does, of cloud
shapes, so that no date is lost whole and nothing can drift for lack of a clear pixel.
"""

import argparse
import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from seq2seq.comparison.case import Case, CaseName
from seq2seq.config import ReconstructionConfig
from seq2seq.readers import read_sequence
from seq2seq.run.reconstruction import reconstruct
from seq2seq.validation.metrics import score

# By part: the method, and the settings of its variants.
VARIANTS: dict[str, tuple[str, dict[str, dict[str, Any]]]] = {
    "carl": ("dsen2-cr", {loss: {"pairs": "dates", "loss": loss} for loss in ("carl", "l1")}),
    "noise": ("ebel2021", {given: {"network_input": given} for given in ("s1", "noise")}),
}


def main() -> int:
    """A line for each seed and variant."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=VARIANTS)
    parser.add_argument("input", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--minutes", type=float, help="of each fit; default: its whole schedule")
    parser.add_argument("--schedule-factor", type=float, help="of ebel2021")
    options = parser.parse_args()
    observations = read_sequence(options.input)
    method, variants = VARIANTS[options.part]
    common = {} if options.schedule_factor is None else {"schedule_factor": options.schedule_factor}
    for seed in options.seeds:
        for name, settings in variants.items():
            config = ReconstructionConfig(
                method=method, method_settings={**settings, **common}, seed=seed, max_minutes=options.minutes
            )
            case = Case(CaseName(str(options.input), "cloud", seed), observations, config.validation)
            print(json.dumps(_row(case, config) | {"variant": name, "part": options.part}), flush=True)
    return 0


def _row(case: Case, config: ReconstructionConfig) -> dict[str, Any]:
    """Scores of the network alone: on what is hidden (reconstruction), and on what it was shown (reproduction)."""
    predicted: dict[str, Any] = {}

    def keep(candidates: Mapping[str, Any]) -> None:
        predicted.update(candidates)

    began = time.monotonic()
    reconstruct(case.visible, config, on_candidates=keep, progress=False)
    seconds = time.monotonic() - began
    network, truth, shown = predicted["network"], case.truth.pixels, case.visible.s2.observed
    hidden, seen = score(network, truth, case.scored), score(network, truth, shown)
    change = float(np.median(np.abs(np.clip(network, 0, 1) - np.clip(truth, 0, 1)).mean(axis=1)[shown]))
    return {
        "input": case.name.input, "seed": case.name.seed, "seconds": seconds,
        "hidden": {"mae": hidden.mae, "psnr": hidden.psnr, "sam": hidden.sam, "ssim": hidden.ssim},
        "shown": {"mae": seen.mae, "psnr": seen.psnr, "sam": seen.sam, "median_change": change},
    }  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
