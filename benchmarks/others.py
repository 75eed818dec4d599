"""What a user would pick in place of the default method: quality and seconds of each on the pixels that cases hide."""

from collections.abc import Iterator

from page import DEFAULT_METHOD
from parts import Bench, Row, judge, need_judge

METHODS = ("linear", "harmonic", "spread", "low-rank", "gp", "mogpr", "trees", DEFAULT_METHOD)


def others(bench: Bench) -> Iterator[Row]:
    """Every method on every case, one seed: `decloud run --method`, by the judge."""
    need_judge()
    seed = bench.seeds[0]
    for name in bench.cases:
        case = bench.case(name)
        for method in METHODS:
            measured, out = bench.run(case, f"{name}-{method}", "--method", method, "--seed", str(seed))
            scores = judge(case, out)
            yield {
                "key": f"{name}/{method}",
                "case": name,
                "method": method,
                "psnr": scores["prediction"]["psnr"],
                "gain_db": scores["gain_db"],
                "wall_s": measured.wall_s,
            }
