// A small JSON writer: compact, escapes properly, replaces what is not UTF-8.
#ifndef BACKENDS_LEGACY_LIBWEBRTC_JSON_H_
#define BACKENDS_LEGACY_LIBWEBRTC_JSON_H_

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace rtc_shim {

class Json {
 public:
  Json& BeginObject() { return Open('{'); }
  Json& EndObject() { return Close('}'); }
  Json& BeginArray() { return Open('['); }
  Json& EndArray() { return Close(']'); }

  Json& Key(std::string_view key) {
    Separate();
    Quote(key);
    out_ += ':';
    after_key_ = true;
    return *this;
  }

  Json& Value(std::string_view text) {
    Separate();
    Quote(text);
    return *this;
  }
  Json& Value(const char* text) { return Value(std::string_view(text)); }
  Json& Value(const std::string& text) { return Value(std::string_view(text)); }
  Json& Value(bool value) { return Raw(value ? "true" : "false"); }
  Json& Value(double value) {
    if (!std::isfinite(value)) return Null();
    char buf[32];
    std::snprintf(buf, sizeof(buf), "%.17g", value);
    return Raw(buf);
  }
  template <typename T, std::enable_if_t<std::is_integral_v<T> && !std::is_same_v<T, bool>, int> = 0>
  Json& Value(T value) {
    return Raw(std::to_string(value));
  }
  Json& Value(const std::vector<std::string>& texts) {
    BeginArray();
    for (const std::string& text : texts) Value(text);
    return EndArray();
  }
  Json& Null() { return Raw("null"); }

  template <typename T>
  Json& Field(std::string_view key, const T& value) {
    return Key(key).Value(value);
  }

  // absl::optional or std::optional: null, or left out.
  template <typename Optional>
  Json& FieldOrNull(std::string_view key, const Optional& value) {
    Key(key);
    return value ? Value(*value) : Null();
  }
  template <typename Optional>
  Json& FieldIfSet(std::string_view key, const Optional& value) {
    return value ? Field(key, *value) : *this;
  }

  std::string Take() { return std::move(out_); }

 private:
  Json& Open(char bracket) {
    Separate();
    out_ += bracket;
    first_ = true;
    return *this;
  }
  Json& Close(char bracket) {
    out_ += bracket;
    first_ = false;
    return *this;
  }
  Json& Raw(std::string_view text) {
    Separate();
    out_ += text;
    return *this;
  }
  void Separate() {
    if (!after_key_ && !first_) out_ += ',';
    after_key_ = false;
    first_ = false;
  }

  // Length of the valid UTF-8 sequence at `at`, or 0.
  static size_t Utf8Length(std::string_view text, size_t at) {
    const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned char lead = byte(at);
    const size_t length = lead < 0x80   ? 1
                          : lead < 0xC2 ? 0
                          : lead < 0xE0 ? 2
                          : lead < 0xF0 ? 3
                          : lead < 0xF5 ? 4
                                        : 0;
    if (length == 0 || at + length > text.size()) return 0;
    for (size_t i = 1; i < length; ++i) {
      if ((byte(at + i) & 0xC0) != 0x80) return 0;
    }
    if (length > 2) {
      const unsigned char second = byte(at + 1);
      const bool overlong = (lead == 0xE0 && second < 0xA0) || (lead == 0xF0 && second < 0x90);
      const bool outside = (lead == 0xED && second > 0x9F) || (lead == 0xF4 && second > 0x8F);
      if (overlong || outside) return 0;
    }
    return length;
  }

  void Quote(std::string_view text) {
    out_ += '"';
    for (size_t i = 0; i < text.size();) {
      const unsigned char c = static_cast<unsigned char>(text[i]);
      const size_t length = Utf8Length(text, i);
      if (c == '"' || c == '\\') {
        out_ += '\\';
        out_ += static_cast<char>(c);
      } else if (c < 0x20 || c == 0x7F) {
        char buf[8];
        std::snprintf(buf, sizeof(buf), "\\u%04x", c);
        out_ += buf;
      } else if (length == 0) {
        out_ += "\xEF\xBF\xBD";
      } else {
        out_.append(text, i, length);
      }
      i += length == 0 ? 1 : length;
    }
    out_ += '"';
  }

  std::string out_;
  bool first_ = true;
  bool after_key_ = false;
};

}  // namespace rtc_shim

#endif  // BACKENDS_LEGACY_LIBWEBRTC_JSON_H_
