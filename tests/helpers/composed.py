"""docker-compose.yml and Dockerfile as tests read them: variables put in, stages and their instructions apart."""

import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from locations import ROOT

from worker.settings import Settings, load_settings

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
# The names that settings have in an environment.
SETTINGS = {f"DECLOUD_{name.upper()}": name for name in Settings.model_fields}
# ${NAME}, ${NAME:-default} and ${NAME:?message}, also one in the default of another; $$ is a dollar.
_VARIABLE = re.compile(r"\$\$|\$\{(?P<name>\w+)(?::(?P<what>[-?])(?P<rest>(?:[^{}]|\$\{[^{}]*\})*))?\}")


class MissingVariable(Exception):  # noqa: N818
    """${NAME:?message} without a NAME."""


def interpolated(text: str, variables: dict[str, str]) -> str:
    """As `docker compose` does it: an empty variable is none."""

    def value(match: re.Match[str]) -> str:
        if match[0] == "$$":
            return "$"
        if found := variables.get(match["name"], ""):
            return found
        if match["what"] == "?":
            raise MissingVariable(f"{match['name']} {match['rest']}")
        return interpolated(match["rest"] or "", variables)

    return _VARIABLE.sub(value, text)


def variables_of(text: str) -> set[str]:
    """What a compose file asks for, also in defaults."""
    names: set[str] = set()
    for match in _VARIABLE.finditer(text):
        names |= {match["name"]} if match["name"] else set()
        names |= variables_of(match["rest"] or "")
    return names


def compose(variables: dict[str, str]) -> dict[str, Any]:
    """The whole file."""
    content: dict[str, Any] = _each_text(yaml.safe_load((ROOT / "docker-compose.yml").read_text()), variables)
    return content


def _each_text(value: Any, variables: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {name: _each_text(item, variables) for name, item in value.items()}
    if isinstance(value, list):
        return [_each_text(item, variables) for item in value]
    return interpolated(value, variables) if isinstance(value, str) else value


def env_file(path: Path) -> dict[str, str]:
    """Its NAME=value lines."""
    lines = path.read_text().splitlines()
    return {match[1]: match[2] for line in lines if (match := re.fullmatch(r"(\w+)=(.*)", line))}


# .env as an operator makes it.
FILLED_IN = {**env_file(ROOT / ".env.example"), "POSTGRES_PASSWORD": "aaa111", "REDIS_PASSWORD": "bbb222"}
COMPOSE = compose(FILLED_IN)
SERVICES: dict[str, Any] = COMPOSE["services"]
OURS = tuple(name for name in SERVICES if "build" in SERVICES[name])
WORKERS = tuple(name for name in OURS if name != "api")


def environment(service: str) -> dict[str, str]:
    """What the container of one of ours sees: `environment` goes before `env_file`."""
    assert SERVICES[service]["env_file"] == ".env"
    return {**FILLED_IN, **SERVICES[service]["environment"]}


def settings_of(service: str) -> Settings:
    """What one of ours makes of its environment."""
    values = environment(service)
    return load_settings(**{SETTINGS[name]: values[name] for name in values if name in SETTINGS and values[name]})


def seconds(text: str) -> int:
    """Of 90s or 2m."""
    return int(text[:-1]) * {"s": 1, "m": 60}[text[-1]]


@dataclass
class Stage:
    """One FROM of the Dockerfile. does: (instruction, what follows), without those of the image it begins with."""

    name: str
    image: str
    does: list[tuple[str, str]] = field(default_factory=list)

    def all(self, instruction: str) -> list[str]:
        """What follows each such instruction."""
        return [rest for name, rest in self.does if name == instruction]


def dockerfile() -> dict[str, Stage]:
    """Its stages by name; lines that end in a backslash are one."""
    text = "\n".join(line for line in (ROOT / "Dockerfile").read_text().splitlines() if not line.startswith("#"))
    found: dict[str, Stage] = {}
    for line in text.replace("\\\n", " ").splitlines():
        instruction, _, rest = line.strip().partition(" ")
        if instruction == "FROM":
            image, name = rest.split(" AS ")
            found[name] = Stage(name, image)
        elif instruction:
            list(found.values())[-1].does.append((instruction, rest.strip()))
    return found


def lineage(name: str) -> list[Stage]:
    """A stage and those it begins with, itself first."""
    stages = dockerfile()
    chain = [stages[name]]
    while chain[-1].image in stages:
        chain.append(stages[chain[-1].image])
    return chain


def last(name: str, instruction: str) -> str:
    """The one that holds in the image."""
    return next(rest for stage in lineage(name) for rest in reversed(stage.all(instruction)))


def sources(name: str) -> set[str]:
    """Names of all stages whose files can be in this one."""
    found: set[str] = set()
    for stage in lineage(name):
        found.add(stage.name)
        for rest in stage.all("COPY"):
            if match := re.match(r"--from=(\S+)", rest):
                found |= sources(match[1])
    return found
