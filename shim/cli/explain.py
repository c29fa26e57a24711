"""``shim explain``: a decision and how it came about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from shim._core.dispatch import Explanation
    from shim.spi.records import Decision


def explain(
    component: Annotated[str, typer.Option(help="Part of the SDK to decide for.")] = "peer",
    backend: Annotated[str | None, typer.Option(help="Decide as if the program had asked for this one.")] = None,
    key: Annotated[str | None, typer.Option(help="Targeting key of a rollout, e.g. a user id.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Decide as a program started here and now would, and print every step.

    :raises ShimError: no backend can serve.
    """
    from shim._core.dispatch import get_dispatcher
    from shim.flags.names import as_component

    explanation = get_dispatcher().explain(as_component(component), backend=backend, targeting_key=key)
    if as_json:
        print(_as_json(explanation))
    else:
        _print_steps(explanation)
    if explanation.error:
        raise explanation.error


def _as_json(explanation: Explanation) -> str:
    import json
    from dataclasses import asdict

    decision = explanation.decision
    return json.dumps(
        {
            "decision": asdict(decision) if decision else None,
            "error": str(explanation.error) if explanation.error else None,
            "trace": [asdict(step) for step in explanation.trace],
        },
        indent=2,
    )


def _print_steps(explanation: Explanation) -> None:
    width = max((len(step.source) for step in explanation.trace), default=0)
    for number, step in enumerate(explanation.trace, 1):
        value = "" if step.value is None else f"{step.value}: "
        print(f"{number:3}. {step.source:{width}}  {value}{step.outcome}")
    if explanation.decision:
        print(in_words(explanation.decision))


def in_words(decision: Decision) -> str:
    """Return a decision as one sentence."""
    if decision.reason == "fallback":
        asked = "by default" if decision.source == "default" else f"by the {decision.source} source"
        return (
            f"{decision.component}: {decision.backend} serves in place of {decision.fallback_from}, "
            f"which was asked for {asked} and cannot serve."
        )
    how = {
        "explicit": "the program asks for it",
        "context": "a `with use_backend(...)` asks for it",
        "provider": "the OpenFeature provider says so",
        "environment": "the environment says so",
        "file": "the configuration file says so",
        "default": "nobody asked for another, and it is the default",
    }[decision.source]
    drawn = " (drawn by a rollout)" if decision.reason == "rollout" else ""
    return f"{decision.component}: {decision.backend} serves, because {how}{drawn}."
