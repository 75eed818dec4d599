"""What is typed wrongly: one line that names the option, what was given, what may be, and what is near."""

import pytest

from api.commands import main as cli
from seq2seq.config import SETTINGS, ReconstructionConfig
from seq2seq.errors import ConfigError
from seq2seq.methods import METHODS
from seq2seq.settings import settings_of

RUN = "decloud run [OPTIONS] INPUT OUT"
NAMES = ", ".join(info.name for info in METHODS)


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line, which is all that is printed, with exit code 2."""
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    shown = capsys.readouterr()
    assert ended.value.code == 2
    assert shown.out == ""
    assert shown.err.startswith("decloud: error: ")
    assert shown.err.endswith("\n")
    assert shown.err.count("\n") == 1
    return shown.err.removeprefix("decloud: error: ").rstrip("\n")


@pytest.mark.parametrize(
    ("typed", "line"),
    [
        ("rum", "there is no command rum; did you mean run?"),
        ("xyzzy", "there is no command xyzzy; decloud --help shows them all"),
        ("keys lst", "there is no command lst; did you mean list?"),
        ("--verson", "there is no option --verson; did you mean --version?"),
        ("run", f"INPUT is missing: {RUN}"),
        ("run a", f"OUT is missing: {RUN}"),
        ("run a b c", f"c is too much: {RUN}"),
        ("run a b c d", f"c d is too much: {RUN}"),
        ("run a b --max-minuts 5", "there is no option --max-minuts; did you mean --max-minutes?"),
        ("run a b --zzz", "there is no option --zzz; decloud run --help shows them all"),
        ("run a b --seed", "--seed needs a value"),
        ("run a b --quiet=yes", "--quiet takes no value"),
        ("run a b --method Guidd", f"method is 'Guidd', must be one of {NAMES}; did you mean guided?"),
        ("run a b --recipe Papr", "--recipe is 'Papr', must be one of internal, paper; did you mean paper?"),
        ("run a b --set steps", "--set steps: must be NAME=VALUE"),
        ("run a b --set steps=0", "steps is 0, must be from 1 to 1000000"),
        ("run a b --set steps=few", "steps is 'few', must be a whole number from 1 to 1000000"),
        ("run a b --s1-units feet", "--s1-units is 'feet', must be one of auto, db, linear"),
        ("run a b --seed x", "--seed is 'x', must be a whole number from 0 to 2147483647"),
        ("run a b --seed 1.5", "--seed is 1.5, must be a whole number from 0 to 2147483647"),
        ("run a b --max-minutes soon", "--max-minutes is 'soon', must be a number from 0.1 to 10080"),
        ("simulate o --dates 1", "--dates is 1, must be a whole number from 2 to 1000"),
        ("simulate o --cloud 1.5", "--cloud is 1.5, must be a number from 0.0 to 0.95"),
        ("simulate o --bands l2a", "--bands is 'l2a', must be one of L1C, L2A, L2A_10, 10m; did you mean L2A?"),
        ("jobs --limit 0", "--limit is 0, must be a whole number from 1"),
        ("serve --port 99999", "--port is 99999, must be a whole number from 0 to 65535"),
        ("submit a --priority high", "--priority is 'high', must be a whole number"),
    ],
)
def test_it_is_one_line_with_the_remedy(typed: str, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, *typed.split()) == line


@pytest.mark.parametrize("typed", ["", "keys"])
def test_nothing_but_a_program_that_needs_more_shows_its_help(typed: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(typed.split())
    shown = capsys.readouterr()
    assert ended.value.code == 2
    assert "Usage: decloud" in shown.out + shown.err
    assert "error" not in shown.err


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({"method": "guidd"}, f"method is 'guidd', must be one of {NAMES}; did you mean guided?"),
        ({"method": ["guided"]}, "method is ['guided'], must be text"),
        ({"recipe": "guidd"}, f"method is 'guidd', must be one of {NAMES}; did you mean guided?"),
        ({"recipe": ["paper"]}, "method is ['paper'], must be text"),
        (
            {"recipe": "paper", "method": "guided"},
            "recipe is 'paper' and method is 'guided': recipe is an earlier name",
        ),
        ({"method_settings": 5}, "method_settings is 5, must hold settings of method guided by name"),
        ({"method_settings": {"steps": 1.5}}, "steps is 1.5, must be a whole number from 1 to 1000000"),
        ({"seed": "7"}, "seed is '7', must be a whole number from 0 to 2147483647"),
        ({"seed": 7.5}, "seed is 7.5, must be a whole number from 0 to 2147483647"),
        ({"seed": True}, "seed is True, must be a whole number from 0 to 2147483647"),
        ({"seed": None}, "seed is None, must be a whole number from 0 to 2147483647"),
        ({"max_minutes": "5"}, "max_minutes is '5', must be a number from 0.1 to 10080"),
        ({"max_minutes": float("nan")}, "max_minutes is nan, must be a number from 0.1 to 10080"),
        ({"tile_px": 100.5}, "tile_px is 100.5, must be a whole number from 32 to 8192"),
        ({"full_prediction": "yes"}, "full_prediction is 'yes', must be true or false"),
        ({"false_colour": 1}, "false_colour is 1, must be true or false"),
        ({"device": 5}, "device is 5, must be text"),
        ({"vgg16_weights": []}, "vgg16_weights is [], must be text"),
    ],
)
def test_a_setting_of_the_wrong_kind_is_said_alike_in_a_file_and_in_a_program(
    values: dict[str, object], line: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        ReconstructionConfig.from_dict(values)
    assert str(caught.value) == line


def test_an_unknown_setting_is_told_which_one_is_near() -> None:
    with pytest.raises(ConfigError, match=r"unknown settings sede; known are .*; did you mean seed\?$"):
        ReconstructionConfig.from_dict({"sede": 1})
    unknown = r"unknown settings of method guided stepps; known are .*; did you mean steps\?$"
    with pytest.raises(ConfigError, match=unknown):
        ReconstructionConfig.from_dict({"method_settings": {"stepps": 1}})


def test_a_whole_number_may_be_written_with_a_point() -> None:
    config = ReconstructionConfig.from_dict({"seed": 5.0, "tile_px": 128.0, "max_minutes": 3})
    assert config == ReconstructionConfig(seed=5, tile_px=128, max_minutes=3)
    assert isinstance(config.seed, int)
    settings = ReconstructionConfig.from_dict({"method_settings": {"steps": 5.0}}).resolved_settings
    assert (settings.steps, type(settings.steps)) == (5, int)


def test_every_number_has_a_range_that_holds_its_default() -> None:
    numbers = [
        each
        for settings in (SETTINGS, *(settings_of(info.settings) for info in METHODS))
        for each in settings
        if each.kind in (int, float)
    ]
    assert {"seed", "max_minutes", "mlp_steps", "schedule_factor"} <= {each.name for each in numbers}
    for each in numbers:
        assert each.low is not None, each.name
        assert each.high is not None, each.name
        assert each.low < each.high, each.name
        assert each.default is None or each.low <= each.default <= each.high, each.name
