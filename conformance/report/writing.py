"""The files of a report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from conformance.report.schema import ReportDocument

JSON: Final = "report.json"
HTML: Final = "report.html"
JUNIT: Final = "junit.xml"


def write_files(document: ReportDocument, folder: Path) -> None:
    """Write the JSON and the page."""
    from conformance.report.page import render

    (folder / JSON).write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    (folder / HTML).write_text(render(document), encoding="utf-8")
