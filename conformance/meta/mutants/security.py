"""DTLS and ICE that trust whom they should not, or say something untrue about who is there."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import ClassVar, Final

from conformance.meta.catalogue import Topic
from conformance.meta.proxies import EngineProxy
from shim.spi.engines import EngineConfig, SessionDescription, TransportInfo

TOPIC: Final = Topic("security", "test_dtls.py", "test_ice.py", "test_configuration.py")


class _Trusting(EngineProxy):
    """Puts what a peer of this process really said in place of what the description says.

    :cvar attribute: what of the remote description is not checked.
    """

    attribute: ClassVar[str]
    _said: ClassVar[dict[str, str]] = {}

    def _created(self, original: SessionDescription) -> SessionDescription:
        for section in _sections(original.sdp):
            if (ufrag := _value(section, "ice-ufrag")) and (value := _value(section, self.attribute)):
                self._said[ufrag] = value
        return super()._created(original)

    async def set_remote_description(self, description: SessionDescription) -> None:
        sdp = "".join(self._corrected(section) for section in _sections(description.sdp))
        await super().set_remote_description(replace(description, sdp=sdp))

    def _corrected(self, section: str) -> str:
        value = self._said.get(_value(section, "ice-ufrag"))
        return re.sub(rf"(a={self.attribute}:)\S.*?(?=\r|\n)", rf"\g<1>{value}", section) if value else section


def _sections(sdp: str) -> list[str]:
    return re.split(r"(?m)^(?=m=)", sdp)


def _value(section: str, attribute: str) -> str:
    found = re.search(rf"a={attribute}:(\S.*?)\r?\n", section)
    return found[1] if found else ""


@TOPIC.proxy
class FingerprintNotChecked(_Trusting):
    """Connect to whoever answers, whatever certificate was announced."""

    attribute = "fingerprint"


@TOPIC.proxy
class FingerprintOfOfferNotChecked(_Trusting):
    """Connect to whoever offers, whatever certificate was announced."""

    attribute = "fingerprint"

    async def set_remote_description(self, description: SessionDescription) -> None:
        if description.type == "offer":
            await super().set_remote_description(description)
        else:
            await EngineProxy.set_remote_description(self, description)


@TOPIC.proxy
class PasswordNotChecked(_Trusting):
    """Connect to whoever answers, whatever the ICE password."""

    attribute = "ice-pwd"


@TOPIC.proxy
class CertificateIgnored(EngineProxy):
    """Use a new certificate instead of the configured one."""

    def configured(self, config: EngineConfig) -> EngineConfig:
        return replace(config, certificates=())


@TOPIC.proxy
class RemoteCertificateChanged(EngineProxy):
    """Report a certificate that is not the remote's."""

    def transports(self) -> tuple[TransportInfo, ...]:
        return tuple(
            replace(t, remote_certificates=tuple(c[::-1] for c in t.remote_certificates)) for t in super().transports()
        )


@TOPIC.proxy
class RemoteCertificateUnknown(EngineProxy):
    """Report no certificate of the remote."""

    def transports(self) -> tuple[TransportInfo, ...]:
        return tuple(replace(t, remote_certificates=()) for t in super().transports())


@TOPIC.proxy
class DtlsStateStuck(EngineProxy):
    """Say that DTLS is still connecting, always."""

    def transports(self) -> tuple[TransportInfo, ...]:
        return tuple(
            replace(t, dtls_state="connecting") if t.dtls_state == "connected" else t for t in super().transports()
        )


@TOPIC.description
def always_active(description: SessionDescription) -> SessionDescription:
    """Answer with the DTLS role "active" whatever was offered."""
    return replace(description, sdp=description.sdp.replace("a=setup:passive", "a=setup:active"))
