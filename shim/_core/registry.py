"""The registry: the only place that reaches a backend."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import pluggy

from shim.flags.names import suggestion
from shim.flags.resolver import unknown_backend
from shim.spi.capabilities import TIERS, Capability, Component
from shim.spi.errors import BackendContractError, BackendUnavailableError, FlagConfigError
from shim.spi.hookspecs import ENTRY_POINT_GROUP, PROJECT, Hooks
from shim.spi.records import BackendInfo, ProbeResult

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

logger = logging.getLogger(__name__)

KNOWN_INSTALLS = {"native": "pip install webrtc-shim", "legacy": "pip install webrtc-shim-legacy"}
"""How to get the backends of this project, which cannot say it themselves when they are not there."""

FACTORIES = {
    Component.PEER: "shim_create_peer_engine",
    Component.VIDEO_CONVERT: "shim_create_video_converter",
    Component.AUDIO_RESAMPLE: "shim_create_audio_resampler",
    Component.AUDIO_PROCESS: "shim_create_audio_processor",
    Component.VIDEO_ENCODE: "shim_create_video_encoder",
    Component.VIDEO_DECODE: "shim_create_video_decoder",
    Component.SCREEN_CAPTURE: "shim_create_screen_capturer",
    Component.DATA_TRANSPORT: "shim_create_data_transport",
    Component.SURFACE: "shim_create_surface",
}
"""The hook that a backend needs for each component."""

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")


@dataclass(frozen=True, slots=True)
class BrokenPlugin:
    """An installed entry point that could not be used.

    :param name: its name.
    :param value: what it points at.
    :param error: why it failed, one line.
    """

    name: str
    value: str
    error: str


class _NarrowedHooks:
    """The hooks of one backend, with every plugin that is no backend still around them."""

    def __init__(self, manager: pluggy.PluginManager, others: Callable[[], list[object]]) -> None:
        self._manager = manager
        self._others = others

    def __getattr__(self, name: str) -> pluggy.HookCaller:
        return self._manager.subset_hook_caller(name, self._others())


class Registry:
    """All plugins: backends, and observers that only watch.

    Entry points are loaded on first use. A broken one is logged and kept in `broken`; it never disturbs another.
    Any thread.

    :param entry_points: what is installed; `None` for the group ``shim.backends`` of this environment.
    """

    def __init__(self, entry_points: Callable[[], Iterable[EntryPoint]] | None = None) -> None:
        self._find = entry_points or _installed
        self._lock = threading.RLock()
        self._loaded = False
        self._manager = pluggy.PluginManager(PROJECT)
        self._manager.add_hookspecs(Hooks)
        self._backends: dict[str, tuple[object, BackendInfo]] = {}
        self._probed: dict[str, ProbeResult] = {}
        self._broken: dict[str, BrokenPlugin] = {}

    # --- plugins -------------------------------------------------------------------------------------

    def register(self, plugin: object, name: str | None = None) -> str:
        """Add a plugin, a backend if it has a `shim_backend_info`; returns the name it is known by.

        :param plugin: a module or an object with hook implementations.
        :param name: must be the backend's own; `None` takes that.
        :raises BackendContractError: a hook is misspelt or has another signature, the description contradicts the
            contract, or the name is taken. The registry is as before.
        """
        with self._ready():
            return self._register(plugin, name)

    def unregister(self, name: str) -> None:
        """Remove a plugin.

        :raises BackendUnavailableError: there is none of this name.
        """
        with self._ready():
            entry = self._backends.pop(name, None)
            self._probed.pop(name, None)
            plugin = entry[0] if entry else self._manager.get_plugin(name)
            if plugin is None:
                raise BackendUnavailableError(f"no plugin {name!r} is registered", backend=name)
            self._manager.unregister(plugin)

    def names(self) -> tuple[str, ...]:
        """Return the backends that are installed, sorted."""
        with self._ready():
            return tuple(sorted(self._backends))

    def known_names(self) -> frozenset[str]:
        """Return every name that means something: installed, broken, or one that we know how to install."""
        with self._ready():
            return frozenset(self._backends) | frozenset(self._broken) | frozenset(KNOWN_INSTALLS)

    @property
    def broken(self) -> tuple[BrokenPlugin, ...]:
        """Entry points that could not be used."""
        with self._ready():
            return tuple(self._broken.values())

    # --- backends ------------------------------------------------------------------------------------

    def info(self, name: str) -> BackendInfo:
        """Return what a backend says of itself.

        :raises BackendUnavailableError: it is not installed, or broken; says how to get it.
        :raises FlagConfigError: nobody knows the name.
        """
        with self._ready():
            self._require(name)
            return self._backends[name][1]

    def probe(self, name: str) -> ProbeResult:
        """Find out whether a backend can run here; asked once, then remembered. Raises as `info` does."""
        with self._ready():
            self._require(name)
            if name not in self._probed:
                self._probed[name] = self._probe(name)
            return self._probed[name]

    def hook_for(self, name: str) -> Hooks:
        """Return the hooks of one backend, to be called with keywords. Raises as `info` does.

        Other backends are taken out; observers stay, so their wrappers see every creation.
        """
        with self._ready():
            self._require(name)
            return self._narrowed(self._backends[name][0])

    def tell(self, hook: str, **news: object) -> None:
        """Notify every plugin, one by one: what one raises is logged and keeps nothing from the others."""
        with self._ready():
            plugins = [plugin for _, plugin in self._manager.list_name_plugin() if plugin is not None]
        for plugin in plugins:
            caller = self._manager.subset_hook_caller(hook, [other for other in plugins if other is not plugin])
            try:
                caller(**news)
            except Exception:
                logger.exception("plugin %r failed in %s", plugin, hook)

    # --- inside: the lock is held --------------------------------------------------------------------

    @contextmanager
    def _ready(self) -> Iterator[None]:
        with self._lock:
            if not self._loaded:
                self._loaded = True  # first: a plugin may look into the registry while it is loaded
                for entry_point in self._find():
                    self._load(entry_point)
            yield

    def _load(self, entry_point: EntryPoint) -> None:
        try:
            self._register(entry_point.load(), entry_point.name)
        except Exception as exc:
            error = str(exc) if isinstance(exc, BackendContractError) else f"{type(exc).__name__}: {exc}"
            self._broken[entry_point.name] = BrokenPlugin(entry_point.name, entry_point.value, " ".join(error.split()))
            logger.warning("backend entry point %s = %s is broken: %s", entry_point.name, entry_point.value, error)

    def _register(self, plugin: object, name: str | None) -> str:
        was_registered = self._manager.is_registered(plugin)
        try:
            registered = self._add(plugin, name)
            if self._is_backend(plugin):
                info = self._described(plugin)
                registered = info.name
                self._check(info, plugin, name)
                self._backends[registered] = (plugin, info)
        except BackendContractError:
            if self._manager.is_registered(plugin) and not was_registered:
                self._manager.unregister(plugin)
            raise
        return registered

    def _add(self, plugin: object, name: str | None) -> str:
        try:
            hash(plugin)  # pluggy narrows hooks with sets of plugins
            registered = self._manager.register(plugin, name)
            self._manager.check_pending()
        except (pluggy.PluginValidationError, ValueError, TypeError) as exc:
            raise BackendContractError(f"plugin {name or plugin!r} was refused: {exc}{_hook_hint(exc)}") from exc
        return registered or str(name)

    def _is_backend(self, plugin: object) -> bool:
        return plugin in self._implementers("shim_backend_info")

    def _implementers(self, hook: str) -> list[object]:
        caller: pluggy.HookCaller = getattr(self._manager.hook, hook)
        return [impl.plugin for impl in caller.get_hookimpls() if not (impl.wrapper or impl.hookwrapper)]

    def _narrowed(self, plugin: object) -> Hooks:
        def others() -> list[object]:
            with self._lock:
                return [other for other, _ in self._backends.values() if other is not plugin]

        return cast("Hooks", _NarrowedHooks(self._manager, others))

    def _described(self, plugin: object) -> BackendInfo:
        try:
            info: object = self._narrowed(plugin).shim_backend_info()
        except Exception as exc:
            raise BackendContractError(f"shim_backend_info of {plugin!r} raised {type(exc).__name__}: {exc}") from exc
        if not isinstance(info, BackendInfo):
            raise BackendContractError(f"shim_backend_info of {plugin!r} returned {info!r}, not a BackendInfo")
        return info

    def _check(self, info: BackendInfo, plugin: object, name: str | None) -> None:
        problem = (
            self._name_problem(info, name)
            or _declaration_problem(info)
            or next((f"it has no hook {hook}" for hook in _needed(info) if plugin not in self._implementers(hook)), "")
        )
        if problem:
            raise BackendContractError(f"backend {info.name!r} breaks the contract: {problem}", backend=info.name)

    def _name_problem(self, info: BackendInfo, name: str | None) -> str:
        if not _NAME.fullmatch(info.name):
            return "its name must be lower case letters, digits, '_' and '-'"
        if name is not None and name != info.name:
            return f"it is registered as {name!r} but calls itself {info.name!r}"
        return "another backend has this name" if info.name in self._backends else ""

    def _require(self, name: str) -> None:
        if name in self._backends:
            return
        broken = self._broken.get(name)
        if broken:
            message = f"backend {name!r} is installed but broken: {broken.error}. {self.how_to_get(name)}"
            raise BackendUnavailableError(message.strip(), backend=name)
        if name in KNOWN_INSTALLS:
            message = f"backend {name!r} is not installed. Install it with: {KNOWN_INSTALLS[name]}"
            raise BackendUnavailableError(message, backend=name)
        raise FlagConfigError(unknown_backend(name, self.known_names()), backend=name)

    def how_to_get(self, name: str) -> str:
        """Return a sentence with the line that installs a backend; empty if nobody knows it."""
        line = self._backends[name][1].install if name in self._backends else KNOWN_INSTALLS.get(name)
        return f"(Re)install it with: {line}" if line else ""

    def _probe(self, name: str) -> ProbeResult:
        try:
            result: object = self._narrowed(self._backends[name][0]).shim_probe()
        except Exception as exc:
            logger.warning("shim_probe of backend %s raised", name, exc_info=True)
            return ProbeResult(False, f"its probe raised {type(exc).__name__}: {exc}")
        if isinstance(result, ProbeResult):
            return result
        return ProbeResult(False, f"its probe returned {result!r}, not a ProbeResult")


def _installed() -> Iterable[EntryPoint]:
    from importlib.metadata import entry_points

    # A set: one distribution may be seen twice, e.g. installed editable and again through the path.
    return sorted(set(entry_points(group=ENTRY_POINT_GROUP)), key=lambda entry_point: entry_point.name)


def _needed(info: BackendInfo) -> list[str]:
    return ["shim_probe", *(FACTORIES[component] for component in sorted(info.components))]


def _declaration_problem(info: BackendInfo) -> str:
    if not info.components <= set(Component):
        return f"its components {sorted(map(str, info.components - set(Component)))} are unknown"
    if not info.capabilities <= set(Capability):
        return f"its capabilities {sorted(map(str, info.capabilities - set(Capability)))} are unknown"
    if info.tier not in TIERS:
        return f"its tier {info.tier!r} is none of {', '.join(TIERS)}"
    missing = TIERS[info.tier] - info.capabilities
    if Component.PEER in info.components and missing:
        return f"it serves peer without the core capabilities {', '.join(sorted(missing))}"
    return ""


def _hook_hint(exc: Exception) -> str:
    unknown = re.search(r"unknown hook '(\w+)'", str(exc))
    if not unknown:
        return ""
    return suggestion(unknown[1], [name for name in vars(Hooks) if name.startswith("shim_")])


_registry: Registry | None = None
_registry_lock = threading.Lock()


def get_registry() -> Registry:
    """Return the registry of this process."""
    global _registry  # noqa: PLW0603 - created on first use, because importing must do nothing
    if _registry is None:
        with _registry_lock:
            if _registry is None:
                _registry = Registry()
    return _registry
