"""The file source: ``shim.toml``, or ``[tool.webrtc-shim]`` in ``pyproject.toml``."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from shim.flags.names import suggestion
from shim.spi.capabilities import Component

FILE_NAME = "shim.toml"
PYPROJECT = "pyproject.toml"
KEYS = ("backend", "components", "fallback", "rollout")


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """What a file says.

    :param path: where it is.
    :param table: its keys, unchecked but for their names.
    :param problems: what is wrong with it, one line each; such keys are left out of `table`.
    """

    path: Path
    table: Mapping[str, object] = field(default_factory=dict)
    problems: tuple[str, ...] = ()

    def section(self, name: str) -> Mapping[str, object]:
        """Return a sub-table, empty if there is none."""
        section = self.table.get(name, {})
        return section if isinstance(section, dict) else {}


class ConfigReader:
    """Finds and reads configuration files. A file is parsed once, and again only when it has changed."""

    def __init__(self) -> None:
        self._parsed: dict[Path, tuple[tuple[int, int], ConfigFile | None]] = {}

    def find(self, directory: Path | None, override: str | None) -> ConfigFile | None:
        """Return the file that applies, or `None`.

        :param directory: where to start looking, upwards; `None` for the current directory.
        :param override: the path in ``SHIM_CONFIG``: no search then.
        """
        if override:
            path = Path(override).expanduser()
            try:
                return self._read(path) or ConfigFile(path, problems=("there is no [tool.webrtc-shim] table in it",))
            except FileNotFoundError:
                return ConfigFile(path, problems=("SHIM_CONFIG names a file that does not exist",))
        return next(self._search(directory), None)

    def _search(self, directory: Path | None) -> Iterator[ConfigFile]:
        try:
            start = (directory or Path.cwd()).absolute()
        except OSError:  # the current directory has been removed
            return
        for folder in (start, *start.parents):
            for name in (FILE_NAME, PYPROJECT):
                try:
                    found = self._read(folder / name)
                except FileNotFoundError:
                    continue
                if found:
                    yield found

    def _read(self, path: Path) -> ConfigFile | None:
        try:
            status = path.stat()
            stamp = (status.st_mtime_ns, status.st_size)
            known = self._parsed.get(path)
            if known is None or known[0] != stamp:
                known = stamp, _parse(path)
                self._parsed[path] = known
            return known[1]
        except NotADirectoryError:
            raise FileNotFoundError(path) from None
        except FileNotFoundError:
            raise
        except OSError as exc:
            return ConfigFile(path, problems=(f"it cannot be read: {exc.strerror or exc}",))


def _parse(path: Path) -> ConfigFile | None:
    pyproject = path.name == PYPROJECT
    try:
        table: object = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        # A broken pyproject.toml on the way up belongs to other tools.
        return None if pyproject else ConfigFile(path, problems=(f"it is not valid TOML: {exc}",))
    if pyproject:
        tool = table.get("tool") if isinstance(table, dict) else None
        table = tool.get("webrtc-shim") if isinstance(tool, dict) else None
    return _checked(path, table) if isinstance(table, dict) else None


def _checked(path: Path, table: Mapping[str, object]) -> ConfigFile:
    good: dict[str, object] = {}
    problems: list[str] = []
    for key, value in table.items():
        if key not in KEYS:
            problems.append(f"the key {key!r} is not known.{suggestion(key, KEYS)}")
        elif key in {"components", "rollout"}:
            good[key] = _checked_section(key, value, problems)
        else:
            good[key] = value
    return ConfigFile(path, good, tuple(problems))


def _checked_section(key: str, value: object, problems: list[str]) -> Mapping[str, object]:
    if not isinstance(value, dict):
        problems.append(f"{key!r} is not a table")
        return {}
    known = set(Component)
    problems += [f"{key}.{name} names no component.{suggestion(name, known)}" for name in value if name not in known]
    return {name: entry for name, entry in value.items() if name in known}
