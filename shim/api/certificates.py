"""DTLS certificates (webrtc-pc section 4.9)."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Final, Self

from shim.api.values import RTCDtlsFingerprint
from shim.spi.engines import Certificate

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

_LIFETIME: Final = datetime.timedelta(days=30)
_DIGESTS: Final = ("sha-256", "sha-384", "sha-512")


class RTCCertificate:
    """A certificate with its private key, used to authenticate a DTLS transport.

    :param key: an elliptic-curve private key of `cryptography`.
    :param cert: the X.509 certificate for it.
    """

    def __init__(self, key: EllipticCurvePrivateKey, cert: x509.Certificate) -> None:
        self._key = key
        self._cert = cert

    @property
    def expires(self) -> datetime.datetime:
        """The moment after which a peer refuses the certificate."""
        return self._cert.not_valid_after_utc

    def getFingerprints(self) -> list[RTCDtlsFingerprint]:
        """Return the SHA-256, SHA-384 and SHA-512 fingerprints (RFC 8122)."""
        return [RTCDtlsFingerprint(algorithm=name, value=self._digest(name)) for name in _DIGESTS]

    @classmethod
    def generateCertificate(cls) -> Self:
        """Generate a key on P-256 and a self-signed certificate, valid for 30 days."""
        from cryptography.hazmat.primitives.asymmetric import ec

        key = ec.generate_private_key(ec.SECP256R1())
        return cls(key, _self_signed(key))

    @property
    def pem(self) -> Certificate:
        """Key and certificate as PEM, for engines."""
        from cryptography.hazmat.primitives import serialization

        key = self._key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return Certificate(key.decode(), self._cert.public_bytes(serialization.Encoding.PEM).decode())

    def _digest(self, name: str) -> str:
        from cryptography.hazmat.primitives import hashes

        algorithms = {"sha-256": hashes.SHA256(), "sha-384": hashes.SHA384(), "sha-512": hashes.SHA512()}
        return self._cert.fingerprint(algorithms[name]).hex(":").upper()


def _self_signed(key: EllipticCurvePrivateKey) -> x509.Certificate:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes

    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "WebRTC")])
    now = datetime.datetime.now(tz=datetime.UTC)
    builder = x509.CertificateBuilder(
        issuer_name=name,
        subject_name=name,
        public_key=key.public_key(),
        serial_number=x509.random_serial_number(),
        not_valid_before=now - datetime.timedelta(days=1),
        not_valid_after=now + _LIFETIME,
    )
    return builder.sign(key, hashes.SHA256())
