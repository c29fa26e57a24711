"""Puts the parts of the report where they belong: the witness where tests run, the collector where the run is led."""

from __future__ import annotations

from pathlib import Path

import pytest

from conformance.report.witness import Witness
from conformance.report.writing import JUNIT


def register_report(config: pytest.Config, folder: Path) -> None:
    """Collect this run's results into a folder."""
    config.pluginmanager.register(Witness(config), "webrtc-conformance-witness")
    if not hasattr(config, "workerinput"):
        from conformance.report.collector import Collector

        folder = folder.absolute()
        if config.option.xmlpath is None:
            config.option.xmlpath = str(folder / JUNIT)
        config.pluginmanager.register(Collector(config, folder), "webrtc-conformance-collector")
