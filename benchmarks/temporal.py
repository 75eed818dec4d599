"""Seconds of the temporal methods beside the same arithmetic one pixel at a time, as tools of the field do it.

python benchmarks/temporal.py [--fusets PYTHON]     JSON lines on stdout; `run.py --only temporal` calls it

In turn, three times, in one process: the method on the whole scene, then a loop over some of its pixels with NumPy and
SciPy, whose seconds are those of a pixel times all pixels. FuseTS wants packages of 2023, so it has a Python of its own
(see `FUSETS`), and is given the same pixels.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, sparse
from scipy.optimize import minimize
from scipy.signal import savgol_filter
from scipy.sparse.linalg import spsolve

DATES, SIZE, BANDS = 20, 101, 9
ROUNDS, LOOP_PIXELS, SLOW_PIXELS, GPY_PIXELS = 3, 300, 60, 4
YEAR_DAYS, LAMBDA = 365.25, 1000.0
Series = Callable[[NDArray[Any], NDArray[Any], NDArray[Any]], Any]

# With this file as its first argument and the pixels as .npz as its second; prints seconds a pixel.
FUSETS = """
import json, sys, time
import numpy as np, xarray
from fusets import mogpr, whittaker
data = np.load(sys.argv[1])
dates, y, s1 = data["dates"].astype("datetime64[ns]"), data["values"], data["radar"]   # (T,), (T, C, N), (T, 2, N)
y = np.where(data["observed"][:, None], y, np.nan)
found = {}
cube = xarray.DataArray(y[:, :, : int(data["pixels"])], dims=("t", "band", "x"), coords={"t": dates})
began = time.perf_counter()
whittaker(cube, float(data["smoothness"]))
found["whittaker"] = (time.perf_counter() - began) / cube.sizes["x"]
count = int(data["gpy_pixels"])
# Two variables a call, as its documentation has it: an optical one and a radar one, for each of the bands.
began = time.perf_counter()
for n in range(count):
    for band in range(y.shape[1]):
        part = {"optical": y[:, band, n, None, None], "radar": s1[:, 0, n, None, None]}
        part = {name: (("t", "y", "x"), values) for name, values in part.items()}
        mogpr(xarray.Dataset(part, coords={"t": dates}))
found["mogpr"] = (time.perf_counter() - began) / count
print(json.dumps(found))
"""


def interpolated(days: NDArray[Any], y: NDArray[Any], seen: NDArray[Any]) -> NDArray[Any]:
    """Linear, (T, C)."""
    return np.stack([np.interp(days, days[seen], band[seen]) for band in y.T], axis=1)


def whittaker(days: NDArray[Any], y: NDArray[Any], seen: NDArray[Any]) -> NDArray[Any]:
    """One penalised least-squares system of a pixel, all its bands, at one given lambda: on a grid of days."""
    count = int(days[-1] - days[0]) + 1
    weights, values = np.zeros(count), np.zeros((count, y.shape[1]))
    at = (days - days[0]).astype(int)
    weights[at[seen]], values[at[seen]] = 1, y[seen]
    bends = sparse.diags([1.0, -2.0, 1.0], [0, 1, 2], shape=(count - 2, count))  # type: ignore[call-overload]
    system = (sparse.diags(weights) + LAMBDA * bends.T @ bends).tocsc()
    return spsolve(system, values)[at]  # type: ignore[no-any-return]


def harmonic(days: NDArray[Any], y: NDArray[Any], seen: NDArray[Any]) -> NDArray[Any]:
    """Trend and two waves by ridge regression."""
    years = (days - days.mean()) / YEAR_DAYS
    angles = 2 * np.pi * np.arange(1, 3) * years[:, None]
    curves = np.concatenate([np.ones_like(years)[:, None], years[:, None], np.cos(angles), np.sin(angles)], axis=1)
    shown = curves[seen]
    normal = shown.T @ shown + np.diag([0.0] + [0.1] * 5)
    return curves @ linalg.solve(normal, shown.T @ y[seen], assume_a="pos")  # type: ignore[no-any-return]


def savitzky_golay(days: NDArray[Any], y: NDArray[Any], seen: NDArray[Any]) -> NDArray[Any]:
    """SciPy's filter on the interpolation to every day."""
    grid = np.arange(days[0], days[-1] + 1)
    daily = np.stack([np.interp(grid, days[seen], band[seen]) for band in y.T], axis=1)
    smooth = savgol_filter(daily, 91, 2, axis=0)
    return smooth[(days - days[0]).astype(int)]  # type: ignore[no-any-return]


def gaussian_process(days: NDArray[Any], y: NDArray[Any], seen: NDArray[Any]) -> NDArray[Any]:
    """Matern 3/2; length and noise by the marginal likelihood of the pixel's own values, as GPy chooses them."""
    clear, mean = days[seen], y[seen].mean(axis=0)
    values = (y[seen] - mean) / max(float(y[seen].std()), 1e-6)

    def negative_evidence(logarithms: NDArray[Any]) -> float:
        length, noise = np.exp(logarithms)
        factor = linalg.cho_factor(matern(clear, clear, length) + noise * np.eye(len(clear)), lower=True)
        misfit = 0.5 * float(np.sum(values * linalg.cho_solve(factor, values)))
        return misfit + values.shape[1] * float(np.log(np.diag(factor[0])).sum())

    found = minimize(negative_evidence, np.log([60.0, 0.05]), method="L-BFGS-B", bounds=[(1.6, 6.9), (-9.2, 2.3)])
    length, noise = np.exp(found.x)
    factor = linalg.cho_factor(matern(clear, clear, length) + noise * np.eye(len(clear)))
    return mean + matern(days, clear, length) @ linalg.cho_solve(factor, y[seen] - mean)  # type: ignore[no-any-return]


def matern(a: NDArray[Any], b: NDArray[Any], length: float) -> NDArray[Any]:
    """Matern 3/2 between days."""
    scaled = np.sqrt(3) * np.abs(a[:, None] - b) / length
    return (1 + scaled) * np.exp(-scaled)  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Case:
    """A method with settings; the loop of one pixel that does the same, and what it is; its name in FuseTS."""

    method: str
    settings: dict[str, Any] = field(default_factory=dict)
    loop: Series | None = None
    loop_is: str = ""
    fusets: str | None = None

    @property
    def key(self) -> str:
        """`whittaker, smoothness 1000`."""
        return ", ".join([self.method, *(f"{name} {value:g}" for name, value in self.settings.items())])


CASES = (
    Case("nearest"),
    Case("linear", loop=interpolated, loop_is="numpy.interp of each band"),
    Case("median"),
    Case(
        "whittaker",
        {"smoothness": LAMBDA},
        whittaker,
        "scipy.sparse.linalg.spsolve of a day's grid, lambda given",
        "whittaker",
    ),
    Case("whittaker"),
    Case("harmonic", loop=harmonic, loop_is="scipy.linalg.solve"),
    Case("savitzky-golay", loop=savitzky_golay, loop_is="numpy.interp, scipy.signal.savgol_filter of each day"),
    Case("low-rank"),
    Case("gp", loop=gaussian_process, loop_is="scipy.optimize of each pixel's evidence, then scipy.linalg.cho_solve"),
    Case("mogpr", fusets="mogpr"),
    Case("trees"),
)


def main() -> int:
    """Measures and prints a line for each method."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fusets", type=Path, metavar="PYTHON", help="of an environment that has FuseTS")
    parser.add_argument("--size", type=int, default=SIZE)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args()
    scene = _scene(options.size)
    ours: dict[str, list[float]] = {case.key: [] for case in CASES}
    loops: dict[str, list[float]] = {case.key: [] for case in CASES}
    _method_s(CASES[0], scene)  # loads what all need
    for _ in range(options.rounds):
        for case in CASES:
            ours[case.key].append(_method_s(case, scene))
            if case.loop:
                loops[case.key].append(_loop_s(case.loop, scene))
    peers = _fusets_s(options.fusets, scene) if options.fusets else {}
    for case in CASES:
        seconds, loop = ours[case.key], loops[case.key]
        row = {
            "key": case.key, "seconds": statistics.median(seconds), "least_s": min(seconds), "most_s": max(seconds),
            "loop_s": statistics.median(loop) if loop else None, "loop_is": case.loop_is,
            "fusets_s": peers.get(case.fusets or ""), "shape": list(scene.s2.shape),
        }  # fmt: skip
        print(json.dumps(row), flush=True)
    return 0


def _scene(size: int) -> Any:
    """What a method sees of a simulated sequence."""
    from seq2seq.bands import L2A_10
    from seq2seq.readers import read_sequence
    from seq2seq.simulation.simulate import simulate, write_simulation

    simulated = simulate(dates=DATES, size=size, bands=L2A_10[:BANDS], cloud=0.5)
    with tempfile.TemporaryDirectory() as folder:
        write_simulation(simulated, Path(folder) / "scene")
        return read_sequence(Path(folder) / "scene" / "input")


def _method_s(case: Case, scene: Any) -> float:
    """Fitting and predicting every date and pixel, as the engine asks for it; the line is the engine's own."""
    import torch

    from seq2seq.interpolation import interpolate_from_others
    from seq2seq.methods import find_method
    from seq2seq.methods.base import RunContext
    from seq2seq.nn.devices import available_cores
    from seq2seq.nn.vgg import Perceptual

    info = find_method(case.method)
    method = info.load()(info.settings(**case.settings))
    unused = Perceptual(None, (), "no network here")
    context = RunContext(0, torch.device("cpu"), available_cores(), unused, 0.0, lambda: None)
    began = time.perf_counter()
    if not info.candidates:
        interpolate_from_others(scene.s2.pixels, scene.s2.observed, scene.s2.days)
    method.start(scene, context, None).predict(scene)
    return time.perf_counter() - began


def _some(scene: Any, count: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """(T, C, N) values and (T, N) observed of pixels spread over the scene, clear on three dates at least."""
    dates, bands = scene.s2.shape[:2]
    values, seen = scene.s2.pixels.reshape(dates, bands, -1), scene.s2.observed.reshape(dates, -1)
    usable = np.flatnonzero(seen.sum(axis=0) >= 3)
    chosen = usable[:: max(1, len(usable) // count)][:count]
    return values[:, :, chosen], seen[:, chosen]


def _loop_s(of_pixel: Series, scene: Any) -> float:
    """Seconds of all pixels, at the rate of some."""
    values, seen = _some(scene, LOOP_PIXELS)
    days = scene.s2.days.astype(np.float64)
    began = time.perf_counter()
    for n in range(values.shape[2]):
        of_pixel(days, values[:, :, n].astype(np.float64), seen[:, n])
    height, width = scene.s2.shape[2:]
    return (time.perf_counter() - began) / values.shape[2] * height * width


def _fusets_s(python: Path, scene: Any) -> dict[str, float]:
    """Seconds of all pixels, at the rate of some."""
    values, seen = _some(scene, LOOP_PIXELS)
    dates = scene.s2.shape[0]
    radar = scene.s1.pixels.reshape(dates, scene.s1.shape[1], -1)[:, :, : values.shape[2]]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "pixels.npz"
        np.savez(
            file, dates=scene.s2.dates, values=values.astype(np.float64), observed=seen, radar=radar.astype(np.float64),
            pixels=SLOW_PIXELS, gpy_pixels=GPY_PIXELS, smoothness=LAMBDA,
        )  # fmt: skip
        done = subprocess.run([str(python), "-c", FUSETS, str(file)], capture_output=True, text=True, check=True)
    pixels = scene.s2.shape[2] * scene.s2.shape[3]
    return {name: each * pixels for name, each in json.loads(done.stdout.splitlines()[-1]).items()}


if __name__ == "__main__":
    sys.exit(main())
