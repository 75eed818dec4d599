"""A contract for import-linter: each folder may import what its line allows, and nothing else of ours.

A line is "folder: folder, folder"; the name of a package alone stands for the modules that lie in it directly. Folders
have their own modules in any case, and every folder has to have a line, so a new module needs none.
"""

from collections.abc import Iterator
from typing import Any

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output


class FolderContract(Contract):
    """The table `allowed` of pyproject.toml, held against all direct imports."""

    type_name = "folders"

    allowed = fields.ListField(subfield=fields.StringField())
    ignore_imports = fields.SetField(subfield=fields.StringField(), required=False)

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        """Kept where every import is allowed and every folder has its line."""
        table = dict(_line(str(text)) for text in self.allowed)  # type: ignore[attr-defined]
        ignored = {str(text) for text in self.ignore_imports or ()}  # type: ignore[attr-defined]
        ours = {name.split(".")[0] for name in table}
        modules = {module for module in graph.modules if module.split(".")[0] in ours}
        imports = sorted(
            (importer, imported)
            for importer in modules
            for imported in graph.find_modules_directly_imported_by(importer) & modules
        )
        folders = {folder_of(module, modules) for module in modules}
        breaches = [f"{folder} has no line" for folder in sorted(folders - set(table))]
        breaches += [f"{folder} has a line and does not exist" for folder in sorted(set(table) - folders)]
        for importer, imported in imports:
            source, target = folder_of(importer, modules), folder_of(imported, modules)
            if source != target and target not in table.get(source, ()) and f"{importer} -> {imported}" not in ignored:
                breaches.append(f"{importer} imports {imported}: {source} may not import {target}")
        return ContractCheck(kept=not breaches, metadata={"breaches": breaches})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """A line for each breach."""
        for breach in check.metadata["breaches"]:
            output.print_error(breach)


def folder_of(module: str, modules: Any) -> str:
    """`package.folder` of a module that lies in one, else `package`."""
    parts = module.split(".")
    first = ".".join(parts[:2])
    inside = len(parts) > 2 or any(other.startswith(first + ".") for other in modules)
    return first if inside and len(parts) > 1 else parts[0]


def _line(text: str) -> tuple[str, tuple[str, ...]]:
    folder, _, targets = text.partition(":")
    return folder.strip(), tuple(_names(targets))


def _names(text: str) -> Iterator[str]:
    return (name.strip() for name in text.split(",") if name.strip())
