"""Statistics: aiortc's classes and fields, and every other member that an engine reports."""

from __future__ import annotations

import copy
import dataclasses
import datetime
import pickle

import aiortc.stats
import pytest

from shim.api import stats
from shim.spi.errors import BackendContractError

NOW = 1_700_000_000_000.0
RAW = {
    "in": {"type": "inbound-rtp", "timestamp": NOW, "ssrc": 7, "kind": "video", "jitter": 0.25, "framesDecoded": 30},
    "out": {"type": "outbound-rtp", "timestamp": NOW, "ssrc": 8, "mediaSourceId": "source"},
    "source": {"type": "media-source", "timestamp": NOW, "trackIdentifier": "the track"},
    "there": {"type": "remote-outbound-rtp", "timestamp": NOW, "remoteTimestamp": NOW + 1500},
    "pair": {"type": "candidate-pair", "timestamp": NOW, "state": "succeeded", "currentRoundTripTime": 0.01},
}

CLASSES = [name for name, value in vars(aiortc.stats).items() if dataclasses.is_dataclass(value)]


@pytest.mark.parametrize("name", CLASSES)
def test_aiortcs_fields_come_first_and_in_its_order(name: str) -> None:
    theirs = [field.name for field in dataclasses.fields(getattr(aiortc.stats, name))]
    ours = [field.name for field in dataclasses.fields(getattr(stats, name)) if not field.kw_only]
    assert ours == theirs


def test_known_types_have_their_class() -> None:
    report = stats.report_from(RAW)
    assert isinstance(report, stats.RTCStatsReport)
    inbound = report["in"]
    assert isinstance(inbound, stats.RTCInboundRtpStreamStats)
    assert (inbound.id, inbound.ssrc, inbound.kind, inbound.jitter, inbound.packetsLost) == (
        "in",
        7,
        "video",
        0.25,
        None,
    )
    assert inbound.timestamp == datetime.datetime.fromtimestamp(NOW / 1000, datetime.UTC)


def test_other_members_and_types_are_there_too() -> None:
    report = stats.report_from(RAW)
    assert report["in"].framesDecoded == 30
    assert (report["pair"].type, report["pair"].currentRoundTripTime) == ("candidate-pair", 0.01)


def test_a_member_that_the_engine_does_not_give_is_no_attribute() -> None:
    inbound = stats.report_from(RAW)["in"]
    assert not hasattr(inbound, "framesDropped")
    with pytest.raises(AttributeError, match=r"inbound-rtp.*framesDropped"):
        _ = inbound.framesDropped


def test_an_outbound_stream_knows_its_track() -> None:
    outbound = stats.report_from(RAW)["out"]
    assert isinstance(outbound, stats.RTCOutboundRtpStreamStats)
    assert outbound.trackId == "the track"


def test_the_remotes_clock_is_a_time_too() -> None:
    there = stats.report_from(RAW)["there"]
    assert isinstance(there, stats.RTCRemoteOutboundRtpStreamStats)
    assert there.remoteTimestamp is not None
    assert there.remoteTimestamp - there.timestamp == datetime.timedelta(seconds=1.5)


def test_statistics_can_be_copied_and_pickled() -> None:
    report = stats.report_from(RAW)
    assert copy.deepcopy(report) == report
    assert pickle.loads(pickle.dumps(report)) == report


@pytest.mark.parametrize("members", [{}, {"type": "codec"}, {"timestamp": NOW}, {"type": "codec", "timestamp": "now"}])
def test_an_engine_that_leaves_out_type_or_time_breaks_the_contract(members: dict[str, object]) -> None:
    with pytest.raises(BackendContractError, match="'broken'"):
        stats.report_from({"broken": members})
