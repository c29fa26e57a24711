"""Events that are lost, early, late or untrue."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from conformance.meta.catalogue import Topic
from conformance.meta.proxies import SinkProxy
from shim.spi import events as ev

TOPIC: Final = Topic("events", "test_events.py")


@TOPIC.proxy
class ConnectedBeforeIce(SinkProxy):
    """Tell that the connection is up before ICE is."""

    def tell(self, event: ev.Event) -> None:
        if isinstance(event, ev.IceConnectionChanged) and event.state == "connected":
            super().tell(ev.ConnectionChanged("connected"))
        super().tell(event)


@TOPIC.proxy
class ConnectingNotTold(SinkProxy):
    """Go from "new" to "connected" at once."""

    def tell(self, event: ev.Event) -> None:
        if event != ev.ConnectionChanged("connecting"):
            super().tell(event)


@TOPIC.proxy
class CheckingNotTold(SinkProxy):
    """Check candidates and do not tell."""

    def tell(self, event: ev.Event) -> None:
        if event != ev.IceConnectionChanged("checking"):
            super().tell(event)


@TOPIC.proxy
class IceChecksAgain(SinkProxy):
    """Tell that ICE is checking after it has connected."""

    def tell(self, event: ev.Event) -> None:
        super().tell(event)
        if isinstance(event, ev.IceConnectionChanged) and event.state in {"connected", "completed"}:
            super().tell(ev.IceConnectionChanged("checking"))
            super().tell(event)


@TOPIC.proxy
class ClosedNeverFires(SinkProxy):
    """Never tell that the remote has closed."""

    def tell(self, event: ev.Event) -> None:
        if event != ev.ConnectionChanged("closed"):
            super().tell(event)


@TOPIC.proxy
class EndOfCandidatesNotTold(SinkProxy):
    """Never say that there are no more candidates."""

    def tell(self, event: ev.Event) -> None:
        if event != ev.CandidateFound(None):
            super().tell(event)


@TOPIC.proxy
class GatheringNotTold(SinkProxy):
    """Gather candidates and tell only the end of it."""

    def tell(self, event: ev.Event) -> None:
        if event != ev.IceGatheringChanged("gathering"):
            super().tell(event)


@TOPIC.proxy
class GatheringCompleteEarly(SinkProxy):
    """Tell that gathering is complete before telling the candidates."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._held: list[ev.Event] = []

    def tell(self, event: ev.Event) -> None:
        if isinstance(event, ev.CandidateFound):
            self._held.append(event)
            return
        super().tell(event)
        if event == ev.IceGatheringChanged("complete"):
            for held in self._held:
                super().tell(held)
            self._held.clear()


@TOPIC.proxy
class CandidateOfAnotherSection(SinkProxy):
    """Tell candidates with the mid of no section."""

    def tell(self, event: ev.Event) -> None:
        if isinstance(event, ev.CandidateFound) and event.candidate is not None:
            event = ev.CandidateFound(replace(event.candidate, sdp_mid="9"))
        super().tell(event)


@TOPIC.proxy
class ClosingNotTold(SinkProxy):
    """Go from "open" to "closed" at once when the remote closes a channel."""

    def tell(self, event: ev.Event) -> None:
        if not isinstance(event, ev.ChannelClosing):
            super().tell(event)


@TOPIC.proxy
class OpenNeverFires(SinkProxy):
    """Never tell that a channel can be used."""

    def tell(self, event: ev.Event) -> None:
        if not isinstance(event, ev.ChannelOpened):
            super().tell(event)


@TOPIC.proxy
class ChannelNeverAnnounced(SinkProxy):
    """Never tell that the remote has opened a channel."""

    def tell(self, event: ev.Event) -> None:
        if not isinstance(event, ev.ChannelAnnounced):
            super().tell(event)


TOPIC.on("legacy", "connected-before-ice", "end-of-candidates-not-told")
