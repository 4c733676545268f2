#include "common/log.h"

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <map>
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/mutex.h"

namespace totora {
namespace {

constexpr absl::string_view kLevelNames[] = {"debug", "info", "warn", "error", "off"};

struct Logging {
  Mutex mu;
  std::map<std::string, LogLevel, std::less<>> modules ABSL_GUARDED_BY(mu);
  std::atomic<LogLevel> fallback{LogLevel::kInfo};
  std::atomic<bool> has_modules{false};
  std::shared_ptr<spdlog::logger> sink ABSL_GUARDED_BY(mu);
};

Logging& State() {
  // Never destroyed: threads may log while the process ends.
  static Logging* const state = [] {
    auto* logging = new Logging;
    MutexLock lock(&logging->mu);
    logging->sink = std::make_shared<spdlog::logger>(
        "totora", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    logging->sink->set_pattern("%v");
    logging->sink->flush_on(spdlog::level::trace);
    return logging;
  }();
  return *state;
}

bool ParseLevel(absl::string_view text, LogLevel* level) {
  for (int i = 0; i < 5; ++i) {
    if (text == kLevelNames[i]) {
      *level = static_cast<LogLevel>(i);
      return true;
    }
  }
  return false;
}

}  // namespace

absl::Status SetLogLevels(absl::string_view spec) {
  std::map<std::string, LogLevel, std::less<>> modules;
  LogLevel fallback = LogLevel::kInfo;
  for (absl::string_view part : absl::StrSplit(spec, ',', absl::SkipEmpty())) {
    const std::vector<absl::string_view> pair = absl::StrSplit(part, absl::MaxSplits('=', 1));
    LogLevel level;
    if (!ParseLevel(pair.back(), &level)) {
      return absl::InvalidArgumentError(
          absl::StrCat("log level '", pair.back(), "' is none of debug, info, warn, error, off"));
    }
    if (pair.size() == 1) {
      fallback = level;
    } else {
      modules[std::string(pair[0])] = level;
    }
  }
  Logging& state = State();
  MutexLock lock(&state.mu);
  state.fallback = fallback;
  state.has_modules = !modules.empty();
  state.modules = std::move(modules);
  return absl::OkStatus();
}

absl::Status SetLogFile(const std::string& path) {
  if (path.empty()) return absl::OkStatus();
  std::shared_ptr<spdlog::logger> sink;
  try {
    sink = std::make_shared<spdlog::logger>(
        "totora", std::make_shared<spdlog::sinks::basic_file_sink_mt>(path));
  } catch (const spdlog::spdlog_ex& error) {
    return absl::PermissionDeniedError(absl::StrCat("log file ", path, ": ", error.what()));
  }
  sink->set_pattern("%v");
  sink->flush_on(spdlog::level::trace);
  Logging& state = State();
  MutexLock lock(&state.mu);
  state.sink = std::move(sink);
  return absl::OkStatus();
}

bool LogEnabled(LogLevel level, absl::string_view module) {
  Logging& state = State();
  if (state.has_modules.load(std::memory_order_relaxed)) {
    MutexLock lock(&state.mu);
    const auto it = state.modules.find(std::string_view(module.data(), module.size()));
    if (it != state.modules.end()) return level >= it->second;
  }
  return level >= state.fallback.load(std::memory_order_relaxed);
}

namespace internal {

LogLine::LogLine(LogLevel level, absl::string_view module, const char* file, int line)
    : level_(level) {
  const absl::string_view path(file);
  const absl::string_view name = path.substr(path.rfind('/') + 1);
  head_ = absl::StrCat(absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", absl::Now(), absl::UTCTimeZone()),
                       " ", kLevelNames[static_cast<int>(level)], " ", module, " ", name, ":",
                       line);
}

void LogLine::AddField(absl::string_view key, const std::string& value) {
  const bool plain =
      !value.empty() && value.find_first_of(" \"=\n\r\t") == std::string::npos;
  absl::StrAppend(&head_, " ", key, "=");
  if (plain) {
    absl::StrAppend(&head_, value);
    return;
  }
  head_.push_back('"');
  for (const char c : value) {
    if (c == '"' || c == '\\') head_.push_back('\\');
    head_.push_back(static_cast<unsigned char>(c) < 0x20 ? ' ' : c);
  }
  head_.push_back('"');
}

LogLine::~LogLine() {
  AddField("msg", message_.str());
  Logging& state = State();
  std::shared_ptr<spdlog::logger> sink;
  {
    MutexLock lock(&state.mu);
    sink = state.sink;
  }
  sink->log(level_ == LogLevel::kError ? spdlog::level::err : spdlog::level::info, head_);
}

bool RateLimit::Allow(int per_second) {
  const int64_t now = absl::ToUnixSeconds(absl::Now());
  if (second_.exchange(now) != now) count_ = 0;
  return count_.fetch_add(1) < per_second;
}

}  // namespace internal
}  // namespace totora
