"""DTLS certificates: generated ones, and those of the configuration."""

from __future__ import annotations

from aiortc.rtcdtlstransport import RTCCertificate
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from backends.native.errors import BACKEND
from backends.native.private import certificate_from
from shim.spi.engines import Certificate, EngineConfig
from shim.spi.errors import InvalidAccessError, NotSupportedError


def certificate_of(config: EngineConfig) -> RTCCertificate:
    """Return the certificate to use: the first one configured, or a fresh ECDSA one.

    :raises InvalidAccessError: a certificate and its key cannot be read or do not match.
    :raises NotSupportedError: the key is not an elliptic-curve key.
    """
    if not config.certificates:
        return RTCCertificate.generateCertificate()
    return _load(config.certificates[0])


def _load(pem: Certificate) -> RTCCertificate:
    try:
        key = load_pem_private_key(pem.private_key.encode(), password=None)
        certificate = x509.load_pem_x509_certificate(pem.certificate.encode())
    except (ValueError, TypeError) as exc:
        raise InvalidAccessError(f"certificates: the PEM text cannot be read: {exc}", backend=BACKEND) from exc
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        message = "certificates: this backend offers ECDSA cipher suites only. Use an elliptic-curve key, e.g. P-256."
        raise NotSupportedError(message, backend=BACKEND)
    if certificate.public_key() != key.public_key():
        raise InvalidAccessError("certificates: the key does not belong to the certificate", backend=BACKEND)
    return certificate_from(key, certificate)
