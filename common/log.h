// Logging: one line an event, in logfmt, behind a level a module.
//
//   TOTORA_LOG(kInfo, "raft") << Field("term", term) << Field("leader", id) << "elected";
//
// prints   2026-11-21T10:00:00.123Z info raft core.cc:42 term=7 leader=2 msg="elected"
//
// Levels: error = someone must act; warn = degraded, heals by itself; info =
// changes that an operator follows; debug = per request, off by default.
// Never a message body, never a secret. What a client can provoke at will goes
// through TOTORA_LOG_LIMITED.
#ifndef TOTORA_COMMON_LOG_H_
#define TOTORA_COMMON_LOG_H_

#include <atomic>
#include <cstdint>
#include <sstream>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace totora {

enum class LogLevel { kDebug, kInfo, kWarn, kError, kOff };

// Sets levels from text such as "info" or "info,raft=debug,store=warn".
// Thread safety: any thread.
absl::Status SetLogLevels(absl::string_view spec);

// Sends lines to standard error (default) or, if `path` is not empty, appends them to a file.
absl::Status SetLogFile(const std::string& path);

bool LogEnabled(LogLevel level, absl::string_view module);

template <typename T>
struct LogField {
  absl::string_view key;
  const T& value;
};
template <typename T>
LogField<T> Field(absl::string_view key, const T& value) {
  return {key, value};
}

namespace internal {

// Collects one line and writes it in its destructor.
class LogLine {
 public:
  LogLine(LogLevel level, absl::string_view module, const char* file, int line);
  ~LogLine();

  template <typename T>
  LogLine& operator<<(const LogField<T>& field) {
    std::ostringstream value;
    value << field.value;
    AddField(field.key, value.str());
    return *this;
  }
  template <typename T>
  LogLine& operator<<(const T& text) {
    message_ << text;
    return *this;
  }

 private:
  void AddField(absl::string_view key, const std::string& value);

  const LogLevel level_;
  std::string head_;
  std::ostringstream message_;
};

struct LogVoid {
  void operator&(LogLine&) const {}
  void operator&(LogLine&&) const {}
};

// True at most `per_second` times a second.
class RateLimit {
 public:
  bool Allow(int per_second);

 private:
  std::atomic<int64_t> second_{0};
  std::atomic<int> count_{0};
};

}  // namespace internal
}  // namespace totora

#define TOTORA_LOG_IF(level, module, condition)                                          \
  !((condition) && ::totora::LogEnabled(::totora::LogLevel::level, module))              \
      ? (void)0                                                                          \
      : ::totora::internal::LogVoid() &                                                  \
            ::totora::internal::LogLine(::totora::LogLevel::level, module, __FILE__, __LINE__)
#define TOTORA_LOG(level, module) TOTORA_LOG_IF(level, module, true)
// At most ten lines a second from this place.
#define TOTORA_LOG_LIMITED(level, module)                        \
  TOTORA_LOG_IF(level, module, ([] {                             \
                  static ::totora::internal::RateLimit limit;    \
                  return limit.Allow(10);                        \
                }()))

#endif  // TOTORA_COMMON_LOG_H_
