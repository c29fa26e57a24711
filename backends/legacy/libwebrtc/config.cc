#include "config.h"

#include <p2p/base/p2p_transport_channel.h>
#include <rtc_base/rtc_certificate.h>

#include <functional>
#include <string>
#include <utility>

#include "abi.h"
#include "factory.h"

namespace rtc_shim {
namespace {

using PeerConnection = webrtc::PeerConnectionInterface;

struct Setting {
  int key;
  int least;
  int most;
  void (*apply)(RtcConfiguration& configuration, int value);
};

constexpr int kDay = 24 * 3600 * 1000;

absl::optional<int> Unless(int value, int unset) {
  return value == unset ? absl::optional<int>() : absl::optional<int>(value);
}

webrtc::CryptoOptions& Crypto(RtcConfiguration& configuration) {
  if (!configuration.crypto_options) configuration.crypto_options.emplace();
  return *configuration.crypto_options;
}

PeerConnection::IceTransportsType IceTransports(int value) {
  static constexpr PeerConnection::IceTransportsType kTypes[] = {
      PeerConnection::kAll, PeerConnection::kRelay, PeerConnection::kNoHost, PeerConnection::kNone};
  return kTypes[value];
}

const Setting kSettings[] = {
    {RTC_CONFIG_ICE_TRANSPORT_POLICY, 0, 3, [](auto& c, int v) { c.type = IceTransports(v); }},
    {RTC_CONFIG_BUNDLE_POLICY, 0, 2,
     [](auto& c, int v) { c.bundle_policy = static_cast<PeerConnection::BundlePolicy>(v); }},
    {RTC_CONFIG_RTCP_MUX_POLICY, 0, 1,
     [](auto& c, int v) { c.rtcp_mux_policy = static_cast<PeerConnection::RtcpMuxPolicy>(v); }},
    {RTC_CONFIG_CANDIDATE_POOL_SIZE, 0, 255, [](auto& c, int v) { c.ice_candidate_pool_size = v; }},
    {RTC_CONFIG_PORT_MIN, 0, 65535, [](auto& c, int v) { c.set_min_port(v); }},
    {RTC_CONFIG_PORT_MAX, 0, 65535, [](auto& c, int v) { c.set_max_port(v); }},
    {RTC_CONFIG_IMPLICIT_ROLLBACK, 0, 1, [](auto& c, int v) { c.enable_implicit_rollback = v; }},
    {RTC_CONFIG_TCP_CANDIDATES, 0, 1,
     [](auto& c, int v) {
       c.tcp_candidate_policy =
           v ? PeerConnection::kTcpCandidatePolicyEnabled : PeerConnection::kTcpCandidatePolicyDisabled;
     }},
    {RTC_CONFIG_CONTINUAL_GATHERING, 0, 1,
     [](auto& c, int v) {
       c.continual_gathering_policy = v ? PeerConnection::GATHER_CONTINUALLY : PeerConnection::GATHER_ONCE;
     }},
    {RTC_CONFIG_IPV6, 0, 1, [](auto& c, int v) { c.disable_ipv6 = !v; }},
    {RTC_CONFIG_ICE_RECEIVING_TIMEOUT_MS, -1, kDay,
     [](auto& c, int v) { c.ice_connection_receiving_timeout = v; }},
    {RTC_CONFIG_ICE_BACKUP_PING_MS, -1, kDay,
     [](auto& c, int v) { c.ice_backup_candidate_pair_ping_interval = v; }},
    {RTC_CONFIG_ICE_UNWRITABLE_TIMEOUT_MS, -1, kDay,
     [](auto& c, int v) { c.ice_unwritable_timeout = Unless(v, -1); }},
    {RTC_CONFIG_ICE_UNWRITABLE_MIN_CHECKS, -1, 1000,
     [](auto& c, int v) { c.ice_unwritable_min_checks = Unless(v, -1); }},
    {RTC_CONFIG_ICE_INACTIVE_TIMEOUT_MS, -1, kDay,
     [](auto& c, int v) { c.ice_inactive_timeout = Unless(v, -1); }},
    {RTC_CONFIG_ICE_CHECK_MIN_INTERVAL_MS, -1, kDay,
     [](auto& c, int v) { c.ice_check_min_interval = Unless(v, -1); }},
    {RTC_CONFIG_ICE_CHECK_STRONG_MS, -1, kDay,
     [](auto& c, int v) { c.ice_check_interval_strong_connectivity = Unless(v, -1); }},
    {RTC_CONFIG_ICE_CHECK_WEAK_MS, -1, kDay,
     [](auto& c, int v) { c.ice_check_interval_weak_connectivity = Unless(v, -1); }},
    {RTC_CONFIG_AUDIO_JITTER_MAX_PACKETS, 20, 10000,
     [](auto& c, int v) { c.audio_jitter_buffer_max_packets = v; }},
    {RTC_CONFIG_AUDIO_JITTER_MIN_DELAY_MS, 0, 10000,
     [](auto& c, int v) { c.audio_jitter_buffer_min_delay_ms = v; }},
    {RTC_CONFIG_AUDIO_JITTER_FAST_ACCELERATE, 0, 1,
     [](auto& c, int v) { c.audio_jitter_buffer_fast_accelerate = v; }},
    {RTC_CONFIG_SRTP_GCM, 0, 1, [](auto& c, int v) { Crypto(c).srtp.enable_gcm_crypto_suites = v; }},
    {RTC_CONFIG_SRTP_AES128_SHA1_32, 0, 1,
     [](auto& c, int v) { Crypto(c).srtp.enable_aes128_sha1_32_crypto_cipher = v; }},
    {RTC_CONFIG_SRTP_ENCRYPTED_HEADER_EXTENSIONS, 0, 1,
     [](auto& c, int v) { Crypto(c).srtp.enable_encrypted_rtp_header_extensions = v; }},
    {RTC_CONFIG_STUN_KEEPALIVE_MS, -1, kDay,
     [](auto& c, int v) { c.stun_candidate_keepalive_interval = Unless(v, -1); }},
    {RTC_CONFIG_CPU_ADAPTATION, 0, 1, [](auto& c, int v) { c.set_cpu_adaptation(v); }},
    {RTC_CONFIG_STABLE_PING_INTERVAL_MS, -1, kDay,
     [](auto& c, int v) { c.stable_writable_connection_ping_interval_ms = Unless(v, -1); }},
};

}  // namespace

RtcConfiguration DefaultConfiguration() {
  RtcConfiguration configuration;
  configuration.sdp_semantics = webrtc::SdpSemantics::kUnifiedPlan;
  configuration.enable_implicit_rollback = true;
  configuration.tcp_candidate_policy = PeerConnection::kTcpCandidatePolicyDisabled;
  return configuration;
}

// libwebrtc checks the same, but then destroys a half-made connection on the wrong thread, which aborts the
// process.
void RequireValidIce(const RtcConfiguration& configuration) {
  cricket::IceConfig ice;
  ice.receiving_timeout =
      Unless(configuration.ice_connection_receiving_timeout, RtcConfiguration::kUndefined);
  ice.backup_connection_ping_interval =
      Unless(configuration.ice_backup_candidate_pair_ping_interval, RtcConfiguration::kUndefined);
  ice.stable_writable_connection_ping_interval = configuration.stable_writable_connection_ping_interval_ms;
  ice.ice_check_interval_strong_connectivity = configuration.ice_check_interval_strong_connectivity;
  ice.ice_check_interval_weak_connectivity = configuration.ice_check_interval_weak_connectivity;
  ice.ice_check_min_interval = configuration.ice_check_min_interval;
  ice.ice_unwritable_timeout = configuration.ice_unwritable_timeout;
  ice.ice_unwritable_min_checks = configuration.ice_unwritable_min_checks;
  ice.ice_inactive_timeout = configuration.ice_inactive_timeout;
  ice.stun_keepalive_interval = configuration.stun_candidate_keepalive_interval;
  ThrowIfError(cricket::P2PTransportChannel::ValidateIceConfig(ice));
}

void Config::AddIceServer(const char* url, const char* username, const char* credential) {
  Require(url && *url, "url is empty");
  PeerConnection::IceServer server;
  server.urls.push_back(url);
  server.username = Text(username);
  server.password = Text(credential);
  std::lock_guard<std::mutex> lock(mutex_);
  configuration_.servers.push_back(std::move(server));
}

void Config::SetInt(int key, int value) {
  for (const Setting& setting : kSettings) {
    if (setting.key != key) continue;
    if (value < setting.least || value > setting.most) {
      throw Error(RTC_ERR_INVALID_ARGUMENT, "value " + std::to_string(value) + " of configuration key " +
                                                std::to_string(key) + " is not within " +
                                                std::to_string(setting.least) + " to " +
                                                std::to_string(setting.most));
    }
    std::lock_guard<std::mutex> lock(mutex_);
    setting.apply(configuration_, value);
    return;
  }
  throw Error(RTC_ERR_INVALID_ARGUMENT, "unknown configuration key " + std::to_string(key));
}

void Config::AddCertificate(const char* private_key_pem, const char* certificate_pem) {
  Require(private_key_pem && certificate_pem, "a PEM text is NULL");
  auto certificate = rtc::RTCCertificate::FromPEM(rtc::RTCCertificatePEM(private_key_pem, certificate_pem));
  if (!certificate) throw Error(RTC_ERR_INVALID_PARAMETER, "private key or certificate cannot be parsed");
  std::lock_guard<std::mutex> lock(mutex_);
  configuration_.certificates.push_back(std::move(certificate));
}

RtcConfiguration Config::Copy() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return configuration_;
}

}  // namespace rtc_shim

using rtc_shim::Config;
using rtc_shim::Find;
using rtc_shim::Guard;
using rtc_shim::Registry;

extern "C" {

int64_t rtc_config_new(void) {
  return Guard([] { return Registry::Instance().Add(std::make_shared<Config>()); });
}

int rtc_config_free(int64_t config) {
  return Guard([&] {
    Registry::Instance().Take<Config>(config);
    return int{RTC_OK};
  });
}

int rtc_config_add_ice_server(int64_t config, const char* url, const char* username, const char* credential) {
  return Guard([&] {
    Find<Config>(config)->AddIceServer(url, username, credential);
    return int{RTC_OK};
  });
}

int rtc_config_set_int(int64_t config, int key, int value) {
  return Guard([&] {
    Find<Config>(config)->SetInt(key, value);
    return int{RTC_OK};
  });
}

int rtc_config_add_certificate(int64_t config, const char* private_key_pem, const char* certificate_pem) {
  return Guard([&] {
    Find<Config>(config)->AddCertificate(private_key_pem, certificate_pem);
    return int{RTC_OK};
  });
}

}  // extern "C"
