// Codecs, encodings and the rest of RTP parameters, as JSON and back.
#include "parameters.h"

#include <api/video_codecs/scalability_mode.h>
#include <modules/video_coding/svc/scalability_mode_util.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "factory.h"
#include "handles.h"
#include "json.h"
#include "transceiver.h"

namespace rtc_shim {
namespace {

constexpr double kMaxScale = 1000.0;

using FmtpParameters = std::map<std::string, std::string>;

std::string FmtpLine(const FmtpParameters& parameters) {
  std::string line;
  for (const auto& [key, value] : parameters) {
    if (!line.empty()) line += ';';
    line += key.empty() ? value : key + "=" + value;
  }
  return line;
}

std::string Trimmed(const std::string& text) {
  const size_t begin = text.find_first_not_of(" \t\r");
  if (begin == std::string::npos) return std::string();
  return text.substr(begin, text.find_last_not_of(" \t\r") - begin + 1);
}

std::vector<std::string> Split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(separator, begin), text.size());
    parts.push_back(Trimmed(text.substr(begin, end - begin)));
    begin = end + 1;
  }
  return parts;
}

FmtpParameters ParseFmtp(const std::string& line) {
  FmtpParameters parameters;
  for (const std::string& part : Split(line, ';')) {
    if (part.empty()) continue;
    const size_t equals = part.find('=');
    if (equals == std::string::npos) {
      parameters[""] = part;
    } else {
      parameters[Trimmed(part.substr(0, equals))] = Trimmed(part.substr(equals + 1));
    }
  }
  return parameters;
}

template <typename Codec>
void WriteCodec(Json& json, const Codec& codec) {
  json.Field("mimeType", codec.mime_type()).FieldIfSet("clockRate", codec.clock_rate);
  json.FieldIfSet("channels", codec.num_channels);
  if (!codec.parameters.empty()) json.Field("sdpFmtpLine", FmtpLine(codec.parameters));
}

void WriteCapabilities(Json& json, const webrtc::RtpCapabilities& capabilities) {
  json.BeginObject().Key("codecs").BeginArray();
  for (const auto& codec : capabilities.codecs) {
    json.BeginObject();
    WriteCodec(json, codec);
    if (!codec.scalability_modes.empty()) {
      json.Key("scalabilityModes").BeginArray();
      for (const auto mode : codec.scalability_modes) {
        const absl::string_view name = webrtc::ScalabilityModeToString(mode);
        json.Value(std::string_view(name.data(), name.size()));
      }
      json.EndArray();
    }
    json.EndObject();
  }
  json.EndArray().Key("headerExtensions").BeginArray();
  for (const auto& extension : capabilities.header_extensions) {
    const bool used = extension.direction != webrtc::RtpTransceiverDirection::kStopped;
    json.BeginObject()
        .Field("uri", extension.uri)
        .Field("direction", used ? "sendrecv" : "stopped")
        .EndObject();
  }
  json.EndArray().EndObject();
}

const char* NetworkPriorityName(webrtc::Priority priority) {
  static constexpr const char* kNames[] = {"very-low", "low", "medium", "high"};
  return kNames[static_cast<int>(priority)];
}

const char* DegradationName(webrtc::DegradationPreference preference) {
  static constexpr const char* kNames[] = {"disabled", "maintain-framerate", "maintain-resolution",
                                           "balanced"};
  return kNames[static_cast<int>(preference)];
}

void WriteEncoding(Json& json, const webrtc::RtpEncodingParameters& encoding) {
  json.BeginObject().FieldIfSet("ssrc", encoding.ssrc);
  if (!encoding.rid.empty()) json.Field("rid", encoding.rid);
  json.Field("active", encoding.active)
      .FieldIfSet("maxBitrate", encoding.max_bitrate_bps)
      .FieldIfSet("minBitrate", encoding.min_bitrate_bps)
      .FieldIfSet("maxFramerate", encoding.max_framerate)
      .FieldIfSet("scaleResolutionDownBy", encoding.scale_resolution_down_by)
      .FieldIfSet("scalabilityMode", encoding.scalability_mode)
      .Field("priority", encoding.bitrate_priority)
      .Field("networkPriority", NetworkPriorityName(encoding.network_priority))
      .EndObject();
}

// libwebrtc leaves parameters.mid empty.
std::string Describe(const webrtc::RtpParameters& parameters, const Transceiver& transceiver) {
  Json json;
  json.BeginObject().Field("transactionId", parameters.transaction_id);
  json.FieldOrNull("mid", transceiver.get().mid());
  json.Key("encodings").BeginArray();
  for (const auto& encoding : parameters.encodings) WriteEncoding(json, encoding);
  json.EndArray().Key("codecs").BeginArray();
  for (const auto& codec : parameters.codecs) {
    json.BeginObject().Field("payloadType", codec.payload_type);
    WriteCodec(json, codec);
    json.EndObject();
  }
  json.EndArray().Key("headerExtensions").BeginArray();
  for (const auto& extension : parameters.header_extensions) {
    json.BeginObject().Field("uri", extension.uri).Field("id", extension.id);
    json.Field("encrypted", extension.encrypt).EndObject();
  }
  json.EndArray().Key("rtcp").BeginObject().Field("cname", parameters.rtcp.cname);
  json.Field("reducedSize", parameters.rtcp.reduced_size)
      .FieldIfSet("ssrc", parameters.rtcp.ssrc)
      .EndObject();
  if (parameters.degradation_preference) {
    json.Field("degradationPreference", DegradationName(*parameters.degradation_preference));
  }
  return json.EndObject().Take();
}

std::string DescribeSources(const std::vector<webrtc::RtpSource>& sources) {
  Json json;
  json.BeginArray();
  for (const auto& source : sources) {
    json.BeginObject()
        .Field("type", source.source_type() == webrtc::RtpSourceType::SSRC ? "ssrc" : "csrc")
        .Field("source", source.source_id())
        .Field("timestampMs", source.timestamp_ms())
        .Field("rtpTimestamp", source.rtp_timestamp());
    if (const auto level = source.audio_level()) {
      // The wire has -dBov, 127 is silence; W3C wants it linear.
      json.Field("audioLevel", *level >= 127 ? 0.0 : std::pow(10.0, -*level / 20.0));
    }
    json.EndObject();
  }
  return json.EndArray().Take();
}

void SetParameters(Transceiver& transceiver, const std::string& transaction_id,
                   const std::vector<rtc_encoding>& encodings, int degradation) {
  if (!transceiver.parameters || transceiver.parameters->transaction_id != transaction_id) {
    throw Error(RTC_ERR_INVALID_MODIFICATION, "stale transaction id: get the parameters again");
  }
  webrtc::RtpParameters wanted = *transceiver.parameters;
  if (wanted.encodings.size() != encodings.size()) {
    throw Error(RTC_ERR_INVALID_MODIFICATION, "the number of encodings cannot change");
  }
  for (size_t i = 0; i < encodings.size(); ++i) ApplyEncoding(encodings[i], &wanted.encodings[i]);
  wanted.degradation_preference.reset();
  if (degradation != RTC_DEGRADATION_UNSET) {
    wanted.degradation_preference = static_cast<webrtc::DegradationPreference>(degradation);
  }
  transceiver.parameters.reset();
  ThrowIfError(transceiver.get().sender()->SetParameters(wanted));
}

std::string Lowered(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

// One line of rtc_transceiver_set_codec_preferences.
struct CodecWish {
  explicit CodecWish(const std::string& line) {
    const size_t blank = line.find(' ');
    const auto parts = Split(line.substr(0, blank), '/');
    if (parts.size() < 2) throw Error(RTC_ERR_INVALID_ARGUMENT, "not a codec: " + line);
    mime_type = Lowered(parts[0] + "/" + parts[1]);
    if (parts.size() > 2) clock_rate = std::atoi(parts[2].c_str());
    if (parts.size() > 3) channels = std::atoi(parts[3].c_str());
    if (blank != std::string::npos) fmtp = ParseFmtp(line.substr(blank + 1));
  }

  bool Matches(const webrtc::RtpCodecCapability& codec) const {
    return Lowered(codec.mime_type()) == mime_type && (clock_rate == 0 || codec.clock_rate == clock_rate) &&
           (channels == 0 || codec.num_channels.value_or(1) == channels) &&
           (fmtp.empty() || codec.parameters == fmtp);
  }

  std::string mime_type;
  int clock_rate = 0;
  int channels = 0;
  FmtpParameters fmtp;
};

// Sender and receiver describe the same codec with different extras, such as scalability modes.
bool SameCodec(const webrtc::RtpCodecCapability& a, const webrtc::RtpCodecCapability& b) {
  return a.name == b.name && a.clock_rate == b.clock_rate && a.num_channels == b.num_channels &&
         a.parameters == b.parameters;
}

bool Contains(const std::vector<webrtc::RtpCodecCapability>& codecs,
              const webrtc::RtpCodecCapability& wanted) {
  return std::any_of(codecs.begin(), codecs.end(),
                     [&](const auto& codec) { return SameCodec(codec, wanted); });
}

std::vector<webrtc::RtpCodecCapability> Select(const std::vector<webrtc::RtpCodecCapability>& known,
                                               const std::vector<std::string>& lines) {
  std::vector<webrtc::RtpCodecCapability> selected;
  for (const std::string& line : lines) {
    const CodecWish wish(line);
    bool found = false;
    for (const auto& codec : known) {
      if (!wish.Matches(codec)) continue;
      found = true;
      if (!Contains(selected, codec)) selected.push_back(codec);
    }
    if (!found) throw Error(RTC_ERR_INVALID_MODIFICATION, "unknown codec: " + line);
  }
  return selected;
}

void SetCodecPreferences(Transceiver& transceiver, const std::vector<std::string>& lines) {
  auto& factory = *transceiver.peer()->factory().get();
  const auto kind = transceiver.is_audio() ? cricket::MEDIA_TYPE_AUDIO : cricket::MEDIA_TYPE_VIDEO;
  auto known = factory.GetRtpReceiverCapabilities(kind).codecs;
  for (const auto& codec : factory.GetRtpSenderCapabilities(kind).codecs) {
    if (!Contains(known, codec)) known.push_back(codec);
  }
  auto selected = Select(known, lines);
  ThrowIfError(transceiver.get().SetCodecPreferences(selected));
}

}  // namespace

void ApplyEncoding(const rtc_encoding& from, webrtc::RtpEncodingParameters* to) {
  Require(std::isfinite(from.max_framerate) && std::isfinite(from.bitrate_priority),
          "a number is not finite");
  Require(std::isfinite(from.scale_resolution_down_by) && from.scale_resolution_down_by <= kMaxScale,
          "scale_resolution_down_by is above 1000");
  Require(from.network_priority >= -1 && from.network_priority <= RTC_PRIORITY_HIGH,
          "unknown network priority");
  to->active = from.active;
  to->max_bitrate_bps.reset();
  to->min_bitrate_bps.reset();
  to->max_framerate.reset();
  to->scale_resolution_down_by.reset();
  to->scalability_mode.reset();
  if (from.max_bitrate_bps > 0) to->max_bitrate_bps = from.max_bitrate_bps;
  if (from.min_bitrate_bps > 0) to->min_bitrate_bps = from.min_bitrate_bps;
  if (from.max_framerate >= 0) to->max_framerate = from.max_framerate;
  if (from.scale_resolution_down_by >= 1.0) to->scale_resolution_down_by = from.scale_resolution_down_by;
  if (from.scalability_mode) to->scalability_mode = from.scalability_mode;
  to->bitrate_priority = from.bitrate_priority > 0 ? from.bitrate_priority : webrtc::kDefaultBitratePriority;
  to->network_priority = from.network_priority < 0 ? webrtc::Priority::kLow
                                                   : static_cast<webrtc::Priority>(from.network_priority);
}

}  // namespace rtc_shim

using namespace rtc_shim;

extern "C" {

int64_t rtc_factory_capabilities(int64_t factory, int kind, int is_sender) {
  return Guard([&] {
    Require(kind == RTC_KIND_AUDIO || kind == RTC_KIND_VIDEO, "unknown kind");
    const auto object = Find<Factory>(factory);
    object->RequireMedia();
    const auto type = kind == RTC_KIND_AUDIO ? cricket::MEDIA_TYPE_AUDIO : cricket::MEDIA_TYPE_VIDEO;
    Json json;
    WriteCapabilities(json, is_sender ? object->get()->GetRtpSenderCapabilities(type)
                                      : object->get()->GetRtpReceiverCapabilities(type));
    return NewString(json.Take());
  });
}

int rtc_transceiver_set_codec_preferences(int64_t transceiver, const char* lines) {
  return Guard([&] {
    const auto wishes = SplitLines(lines);
    WithTransceiver(transceiver, [&](Transceiver& object) { SetCodecPreferences(object, wishes); });
    return int{RTC_OK};
  });
}

int64_t rtc_sender_get_parameters(int64_t transceiver) {
  return Guard([&] {
    return NewString(WithTransceiver(transceiver, [](Transceiver& object) {
      object.parameters = object.get().sender()->GetParameters();
      return Describe(*object.parameters, object);
    }));
  });
}

int64_t rtc_receiver_get_parameters(int64_t transceiver) {
  return Guard([&] {
    return NewString(WithTransceiver(transceiver, [](Transceiver& object) {
      return Describe(object.get().receiver()->GetParameters(), object);
    }));
  });
}

int rtc_sender_set_parameters(int64_t transceiver, const char* transaction_id, const rtc_encoding* encodings,
                              int encodings_count, int degradation) {
  return Guard([&] {
    Require(transaction_id, "transaction_id is NULL");
    Require(encodings_count >= 0 && (encodings || encodings_count == 0),
            "encodings is NULL or its count negative");
    Require(degradation >= RTC_DEGRADATION_UNSET && degradation <= RTC_DEGRADATION_BALANCED,
            "unknown degradation preference");
    const std::vector<rtc_encoding> wanted(encodings, encodings + encodings_count);
    const std::string id = transaction_id;
    WithTransceiver(transceiver,
                    [&](Transceiver& object) { SetParameters(object, id, wanted, degradation); });
    return int{RTC_OK};
  });
}

int64_t rtc_receiver_get_sources(int64_t transceiver) {
  return Guard([&] {
    return NewString(WithTransceiver(transceiver, [](Transceiver& object) {
      return DescribeSources(object.get().receiver()->GetSources());
    }));
  });
}

}  // extern "C"
