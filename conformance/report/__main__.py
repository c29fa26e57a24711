"""``python -m conformance.report DIR``: make the report of a run whose process died, from its journal."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from conformance.report.journal import document_of
from conformance.report.writing import HTML, write_files


def main() -> int:
    """Write the files; exit status 2 if there is nothing to write of."""
    parser = argparse.ArgumentParser(prog="python -m conformance.report", description=__doc__)
    parser.add_argument("folder", type=Path, help="what --conformance-report named")
    parser.add_argument("--death", default="the process that ran the tests", help="what ended it")
    arguments = parser.parse_args()
    try:
        document = document_of(arguments.folder, arguments.death)
    except (OSError, ValueError) as exc:
        print(f"conformance.report: {exc}", file=sys.stderr)
        return 2
    write_files(document, arguments.folder)
    print(f"{document['verdict']['line']}\nreport: {arguments.folder / HTML}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
