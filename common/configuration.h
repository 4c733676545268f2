// A program's settings: rows that say what there is, and a file of
// `key = value` lines that says what the operator wants.
//
// Lines beginning with '#' are comments. A row's aliases are RocketMQ's own
// names for it. A RocketMQ key without a meaning here is a warning that says
// why; any other unknown key is an error with line and nearest name.
#ifndef TOTORA_COMMON_CONFIGURATION_H_
#define TOTORA_COMMON_CONFIGURATION_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"

namespace totora {

enum class SettingKind {
  kText,
  kCount,     // A number.
  kBytes,     // 1024, 64KiB, 256MiB, 1GiB.
  kDuration,  // 10ms, 30s, 5m, 1h.
  kBool,      // true or false.
};

struct SettingRow {
  const char* name;
  SettingKind kind;
  const char* fallback;  // Empty text: must be set, unless is_optional.
  const char* min;       // Bounds, both included; empty: none.
  const char* max;
  const char* help;      // What it does, and what more or less of it costs.
  std::vector<const char*> aliases = {};
  bool is_optional = true;
};

// A key that RocketMQ knows and we do not need.
struct IgnoredKey {
  const char* name;
  const char* reason;
};

// Values of all rows. Immutable after Load.
class Configuration {
 public:
  // Reads `text`, the content of `path` (used in messages only).
  // Errors: InvalidArgument that names file, line and what is wrong there.
  static absl::StatusOr<Configuration> Parse(absl::string_view path, absl::string_view text,
                                             absl::Span<const SettingRow> rows,
                                             absl::Span<const IgnoredKey> ignored);

  // REQUIRES for all: a row of this name and kind.
  const std::string& Text(absl::string_view name) const;
  int64_t Count(absl::string_view name) const;
  uint64_t Bytes(absl::string_view name) const;
  absl::Duration Duration(absl::string_view name) const;
  bool Bool(absl::string_view name) const;

  // Every setting as it was written, by name; and by RocketMQ's names for it, where
  // sizes are numbers of bytes, as in RocketMQ.
  std::map<std::string, std::string> Texts() const;
  // The same as RocketMQ's tools read them.
  std::string Properties() const;

  // Of ignored keys, for the log.
  const std::vector<std::string>& warnings() const { return warnings_; }

 private:
  struct Value {
    SettingKind kind;
    std::string text;
    int64_t number = 0;  // Count, bytes, or nanoseconds.
  };
  const Value& Find(absl::string_view name, SettingKind kind) const;
  static absl::Status ParseValue(const SettingRow& row, absl::string_view text, Value* value);

  std::map<std::string, Value, std::less<>> values_;
  std::map<std::string, std::string> aliases_;  // Names of settings.
  std::vector<std::string> warnings_;
};

// Lines key=value, by the rules of java.util.Properties.
std::string PropertiesText(const std::map<std::string, std::string>& values);

// A page of Markdown that lists `rows`.
std::string DescribeSettings(absl::Span<const SettingRow> rows);

}  // namespace totora

#endif  // TOTORA_COMMON_CONFIGURATION_H_
