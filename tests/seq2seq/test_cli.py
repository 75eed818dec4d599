"""The command line: starts at once, teaches, says errors in one line, stops when asked."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from affine import Affine
from rasterio.transform import from_origin
from report_example import example_report
from sequence_files import s2_dn, write_tif

import seq2seq.run
from seq2seq.commands import main as cli
from seq2seq.config import SETTINGS, ReconstructionConfig
from seq2seq.errors import InvalidPixelsError, Stopped
from seq2seq.methods import METHODS
from seq2seq.progress import Progress
from seq2seq.settings import settings_of
from seq2seq.validation.settings import ValidationSettings

Pipeline = Callable[..., Path]


@pytest.fixture(scope="module")
def sequence(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny simulated sequence, as a user would upload it, made by the command itself."""
    folder = tmp_path_factory.mktemp("cli") / "fields"
    cli_exit(["simulate", str(folder), "--dates", "4", "--size", "24", "--bands", "10m", "--cloud", "0.4"])
    return folder / "input"


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Puts a pipeline in place that writes down how it was called and leaves a report."""
    seen: list[dict[str, Any]] = []

    def run(input_path: Path, output_path: Path, config: ReconstructionConfig, **rest: Any) -> Path:
        seen.append({"input": input_path, "output": output_path, "config": config, **rest})
        rest["on_progress"](Progress("fitting", 1, 2, loss=0.5))
        output_path.mkdir(exist_ok=True)
        (output_path / "report.json").write_text(json.dumps(example_report()))
        return output_path

    install(monkeypatch, run)
    return seen


def install(monkeypatch: pytest.MonkeyPatch, run: Pipeline) -> None:
    """Replaces the pipeline, which would load torch and train."""
    module = ModuleType("seq2seq.run.pipeline")
    module.run = run  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "seq2seq.run.pipeline", module)
    monkeypatch.setattr(seq2seq.run, "pipeline", module, raising=False)


def cli_exit(arguments: list[str]) -> int:
    """The exit code of the command."""
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    return int(ended.value.code or 0)


def test_help_is_there_at_once_and_loads_nothing_heavy() -> None:
    script = (
        "import sys; from seq2seq.commands.main import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: print(*sorted({'torch', 'numpy', 'rasterio', 'xarray', 'PIL'} & set(sys.modules)), '<-')\n"
        "import time; print(time.process_time())"
    )
    durations = []
    for _ in range(3):
        finished = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
        *_, loaded, seconds = finished.stdout.splitlines()
        assert loaded.strip() == "<-"
        durations.append(float(seconds))
    assert min(durations) < 0.7, durations  # of processor time: other work on the machine does not count


@pytest.mark.parametrize("command", [[], ["run"], ["inspect"], ["simulate"]])
def test_help_teaches_by_examples(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli_exit([*command, "--help"]) == 0
    shown = capsys.readouterr().out
    assert f"  decloud {command[0] if command else 'run'} " in shown


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli_exit(["--version"]) == 0
    assert capsys.readouterr().out.startswith("decloud 0.")


def test_every_setting_has_an_option_and_reaches_the_pipeline(tmp_path: Path, calls: list[dict[str, Any]]) -> None:
    unusual = {
        "method": "ebel2021",
        "seed": 7,
        "device": "cpu",
        "max_minutes": 2.5,
        "s1_max_days": 3,
        "s1_units": "linear",
        "s2_offset": "-1000",
        "cloud_detector": "rules",
        "cloud_buffer_px": 5,
        "cloud_also": "scl,score",
        "cloud_shadows": "sun",
        "cloud_min_px": 9,
        "cloud_holes_px": 7,
        "every_days": 14,
        "dates": ("2021-05-01", "2021-05-09"),
        "at_s1": True,
        "only_requested": True,
        "perceptual": "off",
        "perceptual_weight": 0.5,
        "vgg16_weights": "weights.pth",
        "false_colour": True,
        "full_prediction": True,
        "format": "zarr,cog",
        "products": "ndvi,evi",
        "feather_px": 2,
        "tile_px": 128,
        "overlap_px": 16,
        "max_memory_gb": 3.5,
    }
    assert set(unusual) == {each.name for each in SETTINGS}
    assert all(value != getattr(ReconstructionConfig(), name) for name, value in unusual.items())
    (tmp_path / "days.txt").write_text("2021-05-01\n2021-05-09  # harvest\n")
    typed = unusual | {"every_days": "2w", "dates": tmp_path / "days.txt"}
    options = []
    for name, value in typed.items():
        options += [f"--{name.replace('_', '-')}"] + ([] if value is True else [str(value)])
    options += ["--set", "schedule_factor=0.25", "--set", "network-input=noise"]
    assert cli_exit(["run", "input", str(tmp_path / "out"), *options]) == 0
    of_method = {"schedule_factor": 0.25, "network_input": "noise"}
    assert calls[0]["config"] == ReconstructionConfig(**unusual, method_settings=of_method)
    assert calls[0]["input"] == Path("input")
    assert calls[0]["overwrite"] is False


def test_earlier_names_are_understood_for_one_more_release_and_said(
    tmp_path: Path, calls: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--recipe", "paper", "--schedule-factor", "0.25", "--paper-input", "noise"]
    assert cli_exit(["run", "input", str(tmp_path / "out"), *options]) == 0
    of_method = {"schedule_factor": 0.25, "network_input": "noise"}
    assert calls[0]["config"] == ReconstructionConfig(method="ebel2021", method_settings=of_method)
    assert "recipe is an earlier name, for one more release: use method" in capsys.readouterr().err
    file = tmp_path / "settings.toml"
    file.write_text('recipe = "internal"\nschedule_factor = 0.5\n')
    assert cli_exit(["run", "input", str(tmp_path / "out2"), "--config", str(file)]) == 0
    assert calls[1]["config"] == ReconstructionConfig()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--method", "guidd"],
            f"method is 'guidd', must be one of {', '.join(info.name for info in METHODS)}; did you mean guided?",
        ),
        (["--recipe", "paper", "--method", "linear"], "recipe is 'paper' and method is 'linear'"),
        (["--set", "steps"], "--set steps: must be NAME=VALUE"),
        (["--set", "stepz=3"], "unknown settings of method guided stepz"),
        (["--set", "steps=0"], "steps is 0, must be from 1 to 1000000"),
        (["--set", "steps=2.5"], "steps is 2.5, must be a whole number from 1 to 1000000"),
        (["--set", "steps=nan"], "must be a whole number"),
        (["--method", "linear", "--set", "steps=3"], "unknown settings of method linear steps; known are none"),
        (["--method", "ebel2021", "--set", "network_input=s2"], "network_input is 's2', must be one of s1, noise"),
    ],
)
def test_a_method_or_setting_that_is_not_there_is_one_line(
    tmp_path: Path, calls: list[dict[str, Any]], capsys: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    assert cli_exit(["run", "input", str(tmp_path / "out"), *options]) == 2
    *_, error = capsys.readouterr().err.splitlines()
    assert error.startswith("decloud: error: ")
    assert message in error
    assert not calls


def test_the_proof_is_varied_in_a_file_and_by_no_option(
    tmp_path: Path, calls: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "settings.toml"
    file.write_text("[validation_settings]\nwhole_dates = 0.5\n")
    assert cli_exit(["run", "input", str(tmp_path / "out"), "--config", str(file)]) == 0
    assert calls[0]["config"].validation == ValidationSettings(whole_dates=0.5)
    assert calls[0]["config"].recorded()["validation_settings"]["whole_dates"] == 0.5
    assert cli_exit(["run", "input", str(tmp_path / "out2"), "--validation-settings", "x"]) == 2
    assert cli_exit(["run", "input", str(tmp_path / "out2"), "--set", "whole_dates=0.5"]) == 2
    file.write_text("[validation_settings]\nwhole_dates = 2\n")
    capsys.readouterr()
    assert cli_exit(["run", "input", str(tmp_path / "out2"), "--config", str(file)]) == 2
    assert "whole_dates is 2, must be from 0.0 to 1.0" in capsys.readouterr().err


def test_methods_and_their_settings_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli_exit(["methods"]) == 0
    shown = capsys.readouterr().out
    assert all(info.name in shown for info in METHODS)
    for info in METHODS:
        assert cli_exit(["methods", info.name]) == 0
        shown = capsys.readouterr().out
        assert all(each.name in shown for each in settings_of(info.settings))
    assert cli_exit(["methods", "paper"]) == 2
    assert "method is 'paper', must be one of" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["toml", "json"])
def test_options_win_over_the_file_and_the_file_over_defaults(
    tmp_path: Path, calls: list[dict[str, Any]], kind: str
) -> None:
    file = tmp_path / f"settings.{kind}"
    toml, values = (
        "seed = 5\nmax_minutes = 3\nfull_prediction = true\n",
        {
            "seed": 5,
            "max_minutes": 3,
            "full_prediction": True,
        },
    )
    file.write_text(toml if kind == "toml" else json.dumps(values))
    assert cli_exit(["run", "input", str(tmp_path / "out"), "--config", str(file), "--seed", "9"]) == 0
    assert calls[0]["config"] == ReconstructionConfig(seed=9, max_minutes=3, full_prediction=True)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.toml", "seed = ", "a.toml: is not valid TOML"),
        ("a.json", "{", "a.json: is not valid JSON"),
        ("a.json", "[1]", "a.json: holds list"),
        ("a.json", '{"sede": 1}', "unknown settings sede"),
        ("a.toml", "seed = -1", "seed is -1, must be from 0"),
        ("a.json", b"\xff\xfe", "a.json: is not valid JSON"),
        (None, "", "cannot be read (No such file or directory)"),
    ],
)
def test_a_wrong_config_file_is_one_line_and_exit_code_2(
    tmp_path: Path,
    calls: list[dict[str, Any]],
    capsys: pytest.CaptureFixture[str],
    name: str | None,
    content: str | bytes,
    message: str,
) -> None:
    if name:
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    file = tmp_path / (name or "missing.toml")
    assert cli_exit(["run", "input", str(tmp_path / "out"), "--config", str(file)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("decloud: error: ")
    assert error.count("\n") == 1
    assert message in error
    assert not calls


def test_a_run_ends_by_naming_picture_and_report_and_the_score_beside_linear(
    tmp_path: Path, calls: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert cli_exit(["run", "input", str(out)]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[0] == "fitting 1/2, loss 0.5"
    assert shown[-3:] == [
        f"Picture  {out}/preview.png",
        f"Report   {out}/report.html",
        "Gain     +4.0 dB (+1.8 to +5.6) over linear interpolation; "
        "measured on 1,234 pixels hidden on 7 dates that were clear (simulated data)",
    ]


def test_quiet_says_nothing(tmp_path: Path, calls: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli_exit(["run", "input", str(tmp_path / "out"), "--quiet", "--overwrite"]) == 0
    assert capsys.readouterr() == ("", "")
    assert calls[0]["overwrite"] is True


def test_an_output_folder_with_something_in_it_is_refused_before_anything_is_loaded(
    tmp_path: Path, calls: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    for extra in ([], ["--overwrite"]):
        assert cli_exit(["run", "input", str(tmp_path), *extra]) == 2
        assert "mine.txt" in capsys.readouterr().err
    assert not calls


def test_an_error_of_the_data_is_one_line_on_stderr(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*_: object, **__: object) -> Path:
        raise InvalidPixelsError("S2/2021-01-01.tif: band B04\nis constant at 0")

    install(monkeypatch, run)
    assert cli_exit(["run", "input", str(tmp_path / "out")]) == 2
    shown = capsys.readouterr()
    assert shown.err == "decloud: error: S2/2021-01-01.tif: band B04 is constant at 0\n"
    assert list(tmp_path.iterdir()) == []


def test_a_bug_of_ours_may_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(*_: object, **__: object) -> Path:
        raise ZeroDivisionError("ours")

    install(monkeypatch, run)
    with pytest.raises(ZeroDivisionError, match="ours"):
        cli.main(["run", "input", str(tmp_path / "out")])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_asks_the_pipeline_to_stop_and_the_user_is_told_how_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], number: int
) -> None:
    def run(*_: object, should_stop: Callable[[], bool], **__: object) -> Path:
        assert not should_stop()
        os.kill(os.getpid(), number)
        deadline = time.monotonic() + 5
        while not should_stop() and time.monotonic() < deadline:
            time.sleep(0.01)
        raise Stopped("step 40 of 300")

    install(monkeypatch, run)
    handlers = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]
    assert cli_exit(["run", "input", str(tmp_path / "out")]) == 130
    assert handlers == [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]
    assert "the same command goes on from the checkpoint (step 40 of 300)" in capsys.readouterr().err


def test_a_second_signal_ends_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(*_: object, **__: object) -> Path:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(5)
        raise AssertionError("the second signal was ignored")

    install(monkeypatch, run)
    assert cli_exit(["run", "input", str(tmp_path / "out")]) == 130


def test_simulate_writes_what_inspect_reads(sequence: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli_exit(["inspect", str(sequence), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["simulated"] is True
    assert found["bands"] == ["B02", "B03", "B04", "B08"]
    assert found["grid"] == {"crs": "EPSG:32631", "width": 24, "height": 24, "gsd_m": 10.0, "pixel": "10 m"}
    assert len(found["dates"]) == len(found["cloud_fraction"]) == len(found["s1"]["dates"]) == 4
    assert found["mask_source"] == "user"
    assert found["radiometry"]["dtype"] == "uint16"
    assert found["estimate"]["seconds"] > 0
    assert found["estimate"]["memory_gb"] > 0


def test_inspect_shows_every_date_and_trains_nothing(sequence: Path) -> None:
    script = (
        "import sys; from seq2seq.commands.main import main\n"
        f"try: main(['inspect', {str(sequence)!r}])\n"
        "except SystemExit: assert 'torch' not in sys.modules"
    )
    finished = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    dates = [path.stem for path in (sequence / "S2").iterdir()]
    assert all(date in finished.stdout for date in dates)
    assert "EPSG:32631" in finished.stdout
    assert "on 2 CPU cores" in finished.stdout


def on_grid(root: Path, crs: str, transform: Affine) -> Path:
    """A sequence of two dates."""
    for date, pixels in zip(("2020-08-01", "2020-08-11"), s2_dn(2), strict=True):
        write_tif(root / "S2" / f"{date}.tif", pixels, bands=("B02", "B03", "B04", "B08"), crs=crs, transform=transform)
    return root


def test_a_grid_in_degrees_is_shown_in_degrees(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = on_grid(tmp_path / "fields", "EPSG:4326", from_origin(5.0, 50.0, 0.0001, 0.0001))
    assert cli_exit(["inspect", str(root)]) == 0
    assert "0.0001° (11.1 m), EPSG:4326" in capsys.readouterr().out
    assert cli_exit(["inspect", str(root), "--json"]) == 0
    grid = json.loads(capsys.readouterr().out)["grid"]
    assert grid["gsd_degrees"] == pytest.approx(0.0001)
    assert grid["gsd_m"] == pytest.approx(11.132)


def test_a_grid_in_feet_is_shown_in_metres_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = on_grid(tmp_path / "fields", "EPSG:2229", from_origin(2e6, 6e5, 40, 40))
    assert cli_exit(["inspect", str(root)]) == 0
    assert "(12.2 m), EPSG:2229" in capsys.readouterr().out


def test_inspect_of_nothing_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli_exit(["inspect", str(tmp_path / "nowhere")]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_simulate_writes_into_no_folder_that_holds_something(
    sequence: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli_exit(["simulate", str(sequence)]) == 2
    assert "is not empty" in capsys.readouterr().err
