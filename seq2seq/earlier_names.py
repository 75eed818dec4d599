"""Settings that were called otherwise, understood for one more release. Whoever removes them removes this file."""

from collections.abc import Mapping
from typing import Any

from seq2seq.errors import ConfigError

RECIPE = "recipe"
# Values of `recipe` that are methods today.
RECIPES = {"internal": "guided", "paper": "ebel2021"}
# Settings of all runs that are of one method today, and what they are called there.
METHOD = "ebel2021"
OF_METHOD = {"schedule_factor": "schedule_factor", "paper_input": "network_input"}


def with_present_names(values: Mapping[str, Any]) -> dict[str, Any]:
    """Returns `values` with the names of today. Raises `ConfigError` where both are there and differ."""
    present = {name: value for name, value in values.items() if name not in (RECIPE, *OF_METHOD)}
    recipe = values.get(RECIPE)
    if recipe is not None:
        method = RECIPES.get(recipe, recipe) if isinstance(recipe, str) else recipe
        if present.setdefault("method", method) != method:
            raise ConfigError(f"recipe is {recipe!r} and method is {present['method']!r}: recipe is an earlier name")
    of_method = {now: values[name] for name, now in OF_METHOD.items() if values.get(name) is not None}
    if of_method and present.get("method") == METHOD:  # no other method ever had them
        present["method_settings"] = {**of_method, **(present.get("method_settings") or {})}
    return present
