"""A method in one file, registered and nothing else touched: it is there for everybody who asks."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from locations import HELPERS

from seq2seq.bands import BAND_SETS
from seq2seq.simulation.simulate import simulate, write_simulation

REGISTERED = f"""
import sys
sys.path.insert(0, {str(HELPERS)!r})
from seq2seq import methods
import composite_method
methods.METHODS += (composite_method.INFO,)
"""
COMMAND = REGISTERED + "from api.commands.main import main; main(sys.argv[1:])"
DESCRIPTION = (
    REGISTERED
    + """
import json
from api.process.description import description
from api.process.processes import find_process
from api.process.parameters import Parameters
from api.process.execute import Inputs
print(json.dumps(description(find_process("decloud"), "http://here", "1")["inputs"]))
"""
)


def python(script: str, *arguments: str) -> str:
    done = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def sequence(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("added")
    write_simulation(simulate(dates=5, size=24, bands=BAND_SETS["10m"], cloud=0.4, seed=0), folder / "fields")
    return folder / "fields" / "input"


def test_help_and_list_name_it() -> None:
    assert "composite" in python(COMMAND, "run", "--help")
    assert "Each pixel's quantile over time" in " ".join(python(COMMAND, "methods").split())
    assert "quantile" in python(COMMAND, "methods", "composite")


def test_the_process_takes_it_and_its_settings() -> None:
    inputs = json.loads(python(DESCRIPTION))
    assert "composite" in inputs["method"]["schema"]["enum"]
    of_methods = inputs["method_settings"]["schema"]["anyOf"]
    assert {"type": "number", "minimum": 0.0, "maximum": 1.0} in [
        {name: each["properties"]["quantile"].get(name) for name in ("type", "minimum", "maximum")}
        for each in of_methods
        if "quantile" in each["properties"]
    ]


def test_a_run_uses_it_and_the_report_says_so(sequence: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    python(COMMAND, "run", str(sequence), str(out), "--method", "composite", "--set", "quantile=0.4", "--quiet")
    report = json.loads((out / "report.json").read_text())
    assert report["method"] == "composite"
    assert report["config"]["method_settings"] == {"quantile": 0.4}
    assert any("composite" in gap["weights"] for gap in report["holdout"]["by_gap"])
    assert "composite" in (out / "report.html").read_text()
    assert len(list((out / "declouded").glob("*.tif"))) == 5
