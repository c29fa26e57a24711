"""Runs the suite against every mutant: ``python -m conformance.meta``. Fails if one survives."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from conformance.meta.catalogue import all_mutants
from conformance.meta.hunt import Hunt, read_hints, write_hints


def main() -> int:
    """Parse the command line, hunt, and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m conformance.meta", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="mutants or topics; default: all")
    parser.add_argument("--jobs", type=int, default=4, help="how many to run at the same time; many only wait")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results to this file too")
    parser.add_argument("--unhinted", action="store_true", help="do not begin with the tests that caught them last")
    parser.add_argument("--keep-hints", type=Path, metavar="FILE", help="only take such results as the next hints")
    parser.add_argument("--list", action="store_true", help="only list the mutants")
    options = parser.parse_args()
    if options.keep_hints:
        write_hints(options.keep_hints)
        return 0
    known = all_mutants()
    wrong = set(options.names) - {word for mutant in known.values() for word in (mutant.name, mutant.topic)}
    if wrong:
        parser.error(f"no mutant or topic is called {', '.join(sorted(wrong))}; --list names them")
    chosen = [m for m in known.values() if not options.names or {m.name, m.topic} & set(options.names)]
    if options.list:
        print(*(f"{mutant.name:32} {mutant.topic:20} {mutant.description}" for mutant in chosen), sep="\n")
        return 0
    hints = {} if options.unhinted else read_hints()
    return Hunt(chosen, options.jobs, hints=hints).run(options.json)


if __name__ == "__main__":
    sys.exit(main())
