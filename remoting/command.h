// One frame of the classic protocol, as received: code, flags, fields, body.
//
// Everything in a Command points into one block that holds the whole frame;
// the block is shared, so a body may outlive its command without being copied.
#ifndef TOTORA_REMOTING_COMMAND_H_
#define TOTORA_REMOTING_COMMAND_H_

#include <cstddef>
#include <cstdint>
#include <optional>

#include "absl/container/inlined_vector.h"
#include "absl/strings/string_view.h"
#include "common/shared_bytes.h"

namespace totora::remoting {

// How the header of a frame is written; byte 4 of the frame.
enum class Serializer : uint8_t {
  kJson = 0,
  kCompact = 1,  // RocketMQ calls it "ROCKETMQ".
};

// The program at the other end (mirrors LanguageCode.java). What a newer peer
// may add is kUnknown, never an error.
enum class Language : uint8_t {
  kJava = 0,
  kCpp = 1,
  kDotnet = 2,
  kPython = 3,
  kDelphi = 4,
  kErlang = 5,
  kRuby = 6,
  kOther = 7,
  kHttp = 8,
  kGo = 9,
  kPhp = 10,
  kOms = 11,
  kRust = 12,
  kNodeJs = 13,
  kUnknown = 255,
};

// "JAVA", "GO" and so on; "OTHER" for kUnknown.
absl::string_view LanguageName(Language language);
Language LanguageFromName(absl::string_view name);
Language LanguageFromCode(uint8_t code);

// Bits of Command::flag. Go never sets kFlagOneway on what it sends one-way:
// a clear bit does not mean that somebody waits.
inline constexpr int32_t kFlagResponse = 1;
inline constexpr int32_t kFlagOneway = 2;

// The version that we announce, an ordinal of MQVersion.java: V5_3_3. At or
// above 317 clients use what we serve.
inline constexpr int32_t kVersion5_3_3 = 479;
// Clients above it understand GO_AWAY.
inline constexpr int32_t kVersion5_3_1 = 475;

// The custom fields of a received header, in the order received. A name
// appears once: as in Java's map the last of several wins, and null (for the
// compact header also the empty text) is the same as absent.
//
// Thread safety: external.
class FieldList {
 public:
  struct Field {
    absl::string_view name;
    absl::string_view value;
  };

  size_t size() const { return fields_.size(); }
  bool empty() const { return fields_.empty(); }
  auto begin() const { return fields_.begin(); }
  auto end() const { return fields_.end(); }

  std::optional<absl::string_view> Find(absl::string_view name) const {
    size_t hint = 0;
    return Find(name, &hint);
  }
  // The same, beginning at `*hint`, which moves behind what was found: peers
  // send fields in the order in which their headers list them.
  std::optional<absl::string_view> Find(absl::string_view name, size_t* hint) const;

  // Adds or replaces. `name` and `value` must outlive the list.
  void Put(absl::string_view name, absl::string_view value);
  void Erase(absl::string_view name);

 private:
  // One of 64 places by the name's first letter and length.
  static uint64_t MarkOf(absl::string_view name) {
    if (name.empty()) return 1;
    return uint64_t{1} << ((static_cast<uint8_t>(name[0]) + 11 * name.size()) % 64);
  }

  absl::InlinedVector<Field, 16> fields_;
  // Marks of all names that were ever put in: a new mark is a new name.
  uint64_t marks_ = 0;
};

// Thread safety: external; copies share the block, whose bytes no longer change.
struct Command {
  int32_t code = 0;
  Language language = Language::kUnknown;
  int32_t version = 0;
  int32_t opaque = 0;  // Ties a response to its request.
  int32_t flag = 0;
  Serializer serializer = Serializer::kJson;
  absl::string_view remark{};  // Empty if there is none.
  FieldList fields{};
  SharedBytes body{};
  SharedBytes frame{};  // The whole frame; what the views point into.

  bool is_response() const { return (flag & kFlagResponse) != 0; }
  bool is_oneway() const { return (flag & (kFlagResponse | kFlagOneway)) == kFlagOneway; }
};

}  // namespace totora::remoting

#endif  // TOTORA_REMOTING_COMMAND_H_
