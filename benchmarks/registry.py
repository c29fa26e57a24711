"""Which metrics there are: every module of :mod:`benchmarks.metrics`."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterable
from importlib import import_module

from benchmarks import metrics
from benchmarks.metric import GROUPS, Metric


class UnknownMetricError(ValueError):
    """Nothing that is measured has this name."""


def all_metrics() -> dict[str, tuple[str, Metric]]:
    """Return name -> (module, metric), in the order of the report."""
    found = [
        (module.name, metric)
        for module in pkgutil.iter_modules(metrics.__path__, f"{metrics.__name__}.")
        for metric in import_module(module.name).METRICS
    ]
    ordered = sorted(found, key=lambda one: GROUPS.index(one[1].group) if one[1].group in GROUPS else len(GROUPS))
    return {metric.name: (module, metric) for module, metric in ordered}


def chosen(only: Iterable[str]) -> dict[str, tuple[str, Metric]]:
    """Return the metrics of these names, groups, or beginnings of names; all of them if there are none.

    :raises UnknownMetricError: nothing is called so.
    """
    known, wanted = all_metrics(), list(only)
    result: dict[str, tuple[str, Metric]] = {}
    for name in wanted:
        matching = {key: one for key, one in known.items() if key.startswith(name) or one[1].group == name}
        if not matching:
            raise UnknownMetricError(f"no metric or group is called {name!r}. There are: {', '.join(known)}")
        result |= matching
    return {key: one for key, one in known.items() if key in result} if wanted else known


def load(module: str, name: str) -> Metric:
    """Return one metric, importing nothing but its module.

    :raises UnknownMetricError: the module has none of this name.
    """
    found: dict[str, Metric] = {metric.name: metric for metric in import_module(module).METRICS}
    if name not in found:
        raise UnknownMetricError(f"{module} has no metric {name!r}. It has: {', '.join(found)}")
    return found[name]
