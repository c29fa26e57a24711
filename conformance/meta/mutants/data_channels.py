"""Data channels that lose, change, reorder or misreport."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from typing import Any, Final

from conformance.meta.catalogue import Topic
from conformance.meta.proxies import ChannelProxy, EngineProxy, SinkProxy
from shim.spi import events as ev
from shim.spi.engines import DataChannelEngine, DataChannelInit
from shim.spi.errors import ChannelIdInUseError

TOPIC: Final = Topic("data channels", "test_datachannels.py")


@TOPIC.proxy
class LastByteDropped(ChannelProxy):
    """Drop the last byte of messages of 16384 bytes."""

    def send(self, data: bytes | str) -> None:
        super().send(data[:-1] if len(data) == 16384 else data)


@TOPIC.proxy
class EmptyMessageLost(ChannelProxy):
    """Send no empty message."""

    def send(self, data: bytes | str) -> None:
        if data:
            super().send(data)


@TOPIC.proxy
class EmptyTextAsBytes(SinkProxy):
    """Deliver empty text as empty bytes."""

    def tell(self, event: ev.Event) -> None:
        if isinstance(event, ev.ChannelMessage) and event.data == "":
            event = replace(event, data=b"")
        super().tell(event)


@TOPIC.proxy
class TextAsBytes(SinkProxy):
    """Deliver text as its UTF-8 bytes."""

    def tell(self, event: ev.Event) -> None:
        if isinstance(event, ev.ChannelMessage) and isinstance(event.data, str):
            event = replace(event, data=event.data.encode())
        super().tell(event)


@TOPIC.proxy
class AstralTextMangled(ChannelProxy):
    """Send question marks instead of what is outside the basic plane."""

    def send(self, data: bytes | str) -> None:
        super().send("".join("?" if ord(c) > 0xFFFF else c for c in data) if isinstance(data, str) else data)


class _Counting(SinkProxy):
    """Numbers the messages of each channel, from 1."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._counts: Counter[DataChannelEngine] = Counter()

    def tell(self, event: ev.Event) -> None:
        if isinstance(event, ev.ChannelMessage):
            self._counts[event.channel] += 1
            self.numbered(event, self._counts[event.channel])
        else:
            self.inner.post(event)

    def numbered(self, event: ev.ChannelMessage, number: int) -> None:
        self.inner.post(event)


@TOPIC.proxy
class MessagesSwapped(_Counting):
    """Deliver the hundredth and the next message of a channel in the wrong order."""

    _held: ev.ChannelMessage | None = None

    def numbered(self, event: ev.ChannelMessage, number: int) -> None:
        if number == 100:
            self._held = event
            return
        self.inner.post(event)
        if number == 101 and self._held is not None:
            self.inner.post(self._held)


@TOPIC.proxy
class MessageDuplicated(_Counting):
    """Deliver the hundredth message of a channel twice."""

    def numbered(self, event: ev.ChannelMessage, number: int) -> None:
        for _ in range(2 if number == 100 else 1):
            self.inner.post(event)


@TOPIC.proxy
class MessageLost(_Counting):
    """Lose the hundredth message of a channel."""

    def numbered(self, event: ev.ChannelMessage, number: int) -> None:
        if number != 100:
            self.inner.post(event)


@TOPIC.proxy
class LabelTruncated(EngineProxy):
    """Cut labels after 255 characters."""

    def create_data_channel(self, init: DataChannelInit) -> DataChannelEngine:
        return super().create_data_channel(replace(init, label=init.label[:255]))


@TOPIC.proxy
class LabelInAscii(EngineProxy):
    """Send labels without what is not ASCII."""

    def create_data_channel(self, init: DataChannelInit) -> DataChannelEngine:
        return super().create_data_channel(replace(init, label=init.label.encode("ascii", "ignore").decode()))


class _Announcing(SinkProxy):
    """Changes how a channel of the remote is described."""

    def tell(self, event: ev.Event) -> None:
        super().tell(
            replace(event, init=self.described(event.init)) if isinstance(event, ev.ChannelAnnounced) else event
        )

    def described(self, init: DataChannelInit) -> DataChannelInit:
        return init


@TOPIC.proxy
class ProtocolLost(_Announcing):
    """Announce channels without their protocol."""

    def described(self, init: DataChannelInit) -> DataChannelInit:
        return replace(init, protocol="")


@TOPIC.proxy
class OrderedFlagLies(_Announcing):
    """Announce every channel as ordered."""

    def described(self, init: DataChannelInit) -> DataChannelInit:
        return replace(init, ordered=True)


@TOPIC.proxy
class LifetimeAsRetransmits(_Announcing):
    """Announce the maximum lifetime as the number of retransmissions."""

    def described(self, init: DataChannelInit) -> DataChannelInit:
        return replace(init, max_packet_life_time=None, max_retransmits=init.max_packet_life_time)


@TOPIC.proxy
class BufferedAmountZero(ChannelProxy):
    """Say that nothing is buffered, ever."""

    @property
    def buffered_amount(self) -> int:
        return 0


@TOPIC.proxy
class BufferedAmountNeverFalls(ChannelProxy):
    """Say that everything sent is still buffered."""

    _sent = 0

    @property
    def buffered_amount(self) -> int:
        return self._sent

    def send(self, data: bytes | str) -> None:
        super().send(data)
        self._sent += len(data)


@TOPIC.proxy
class LowEventNever(SinkProxy):
    """Never tell that the buffer has emptied."""

    def tell(self, event: ev.Event) -> None:
        if not isinstance(event, ev.ChannelBufferedAmountLow):
            super().tell(event)


@TOPIC.proxy
class LowEventTwice(SinkProxy):
    """Tell twice that the buffer has emptied."""

    def tell(self, event: ev.Event) -> None:
        for _ in range(2 if isinstance(event, ev.ChannelBufferedAmountLow) else 1):
            super().tell(event)


@TOPIC.proxy
class ThresholdIgnored(ChannelProxy):
    """Tell that the buffer is low only when it is empty."""

    def set_buffered_amount_low_threshold(self, threshold: int) -> None:
        super().set_buffered_amount_low_threshold(0)


@TOPIC.proxy
class CloseEventNever(SinkProxy):
    """Never tell that a channel has closed."""

    def tell(self, event: ev.Event) -> None:
        if not isinstance(event, ev.ChannelClosed):
            super().tell(event)


@TOPIC.proxy
class CloseIsLocal(ChannelProxy):
    """Tell nobody that a channel was closed."""

    def close(self) -> None:
        pass


@TOPIC.proxy
class UnsentDroppedByClose(ChannelProxy):
    """Drop the message that was sent last when a channel closes."""

    _waiting: tuple[bytes | str, asyncio.Handle] | None = None

    @property
    def buffered_amount(self) -> int:
        return self.inner.buffered_amount + (len(self._waiting[0]) if self._waiting else 0)

    def send(self, data: bytes | str) -> None:
        self._flush()
        self._waiting = data, asyncio.get_running_loop().call_soon(self._flush)

    def close(self) -> None:
        if self._waiting is not None:
            self._waiting[1].cancel()
        super().close()

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting[1].cancel()
            self.inner.send(waiting[0])


@TOPIC.proxy
class UsedIdAccepted(EngineProxy):
    """Take another id when the wanted one is taken."""

    def create_data_channel(self, init: DataChannelInit) -> DataChannelEngine:
        try:
            return super().create_data_channel(init)
        except ChannelIdInUseError:
            return self.create_data_channel(replace(init, id=(init.id or 0) + 2))


@TOPIC.proxy
class WantedIdIgnored(EngineProxy):
    """Choose the id of a channel that is not negotiated, whatever was wanted."""

    def create_data_channel(self, init: DataChannelInit) -> DataChannelEngine:
        return super().create_data_channel(init if init.negotiated else replace(init, id=None))


@TOPIC.proxy
class IdOffByOne(ChannelProxy):
    """Report the id of the next stream."""

    @property
    def id(self) -> int | None:
        return None if self.inner.id is None else self.inner.id + 1


@TOPIC.proxy
class NegotiatedAnnounced(SinkProxy):
    """Announce channels that the application created itself."""

    def tell(self, event: ev.Event) -> None:
        super().tell(event)
        if isinstance(event, ev.ChannelOpened) and isinstance(event.channel, ChannelProxy):
            init = event.channel.init
            if init.negotiated:
                super().tell(ev.ChannelAnnounced(ChannelProxy(event.channel.inner, init), init))


@TOPIC.proxy
class MessageBeforeAnnouncement(SinkProxy):
    """Announce a channel after its first message."""

    _announced: ev.ChannelAnnounced | None = None

    def tell(self, event: ev.Event) -> None:
        if isinstance(event, ev.ChannelAnnounced):
            self._announced = event
            return
        super().tell(event)
        if self._announced is not None and isinstance(event, ev.ChannelMessage):
            super().tell(self._announced)
            self._announced = None


@TOPIC.proxy
class MessageLimitTooHigh(SinkProxy):
    """Say that the remote takes messages four times as large as it does."""

    def tell(self, event: ev.Event) -> None:
        if isinstance(event, ev.SctpChanged) and event.max_message_size:
            event = replace(event, max_message_size=event.max_message_size * 4)
        if isinstance(event, ev.SessionChanged) and event.state.max_message_size:
            event = ev.SessionChanged(replace(event.state, max_message_size=event.state.max_message_size * 4))
        super().tell(event)
