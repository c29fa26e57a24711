#include <rtc_base/rtc_certificate.h>
#include <rtc_base/rtc_certificate_generator.h>
#include <rtc_base/ssl_fingerprint.h>
#include <rtc_base/ssl_identity.h>

#include <string>

#include "abi.h"
#include "handles.h"
#include "json.h"

namespace rtc_shim {
namespace {

rtc::KeyParams KeyParameters(int algorithm) {
  Require(algorithm == RTC_KEY_ECDSA_P256 || algorithm == RTC_KEY_RSA_2048, "unknown key algorithm");
  return algorithm == RTC_KEY_RSA_2048 ? rtc::KeyParams::RSA(2048) : rtc::KeyParams::ECDSA(rtc::EC_NIST_P256);
}

std::string Describe(const rtc::RTCCertificate& certificate) {
  const rtc::RTCCertificatePEM pem = certificate.ToPEM();
  Json json;
  json.BeginObject()
      .Field("privateKey", pem.private_key())
      .Field("certificate", pem.certificate())
      .Field("expires", certificate.Expires())
      .Key("fingerprints")
      .BeginArray();
  for (const char* algorithm : {"sha-256", "sha-384", "sha-512"}) {
    const auto fingerprint = rtc::SSLFingerprint::Create(algorithm, certificate.GetSSLCertificate());
    if (!fingerprint) continue;
    json.BeginObject()
        .Field("algorithm", fingerprint->algorithm)
        .Field("value", fingerprint->GetRfc4572Fingerprint())
        .EndObject();
  }
  return json.EndArray().EndObject().Take();
}

}  // namespace
}  // namespace rtc_shim

extern "C" int64_t rtc_certificate_generate(int algorithm, int64_t expires_ms) {
  using namespace rtc_shim;
  return Guard([&] {
    Require(expires_ms >= 0, "expires_ms is negative");
    absl::optional<uint64_t> expires;
    if (expires_ms > 0) expires = static_cast<uint64_t>(expires_ms);
    const auto certificate =
        rtc::RTCCertificateGenerator::GenerateCertificate(KeyParameters(algorithm), expires);
    if (!certificate) throw Error(RTC_ERR_INTERNAL_ERROR, "the certificate could not be made");
    return NewString(Describe(*certificate));
  });
}
