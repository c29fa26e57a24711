"""What the pytest fixture `netsim` is."""

from __future__ import annotations

from conformance.netsim.model import Link
from conformance.netsim.network import Network


class NetworkMaker:
    """Makes networks for one test; they are closed at its end.

    :param seed: of networks that are given none.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._made: list[Network] = []

    def __call__(
        self,
        a_to_b: Link | None = None,
        b_to_a: Link | None = None,
        *,
        seed: int | None = None,
        host: str = "127.0.0.1",
    ) -> Network:
        """Make a network; see :class:`~conformance.netsim.Network` for the parameters."""
        network = Network(self._seed if seed is None else seed, a_to_b, b_to_a, host=host)
        self._made.append(network)
        return network

    def close(self) -> None:
        """Close all of them."""
        for network in self._made:
            network.close()
