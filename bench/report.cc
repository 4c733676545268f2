#include "bench/report.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "absl/strings/str_format.h"

namespace totora::bench {
namespace {

using Json = nlohmann::ordered_json;

double Rounded(double value) { return std::round(value * 1000) / 1000; }
double Micros(uint64_t nanos) { return Rounded(static_cast<double>(nanos) / 1000); }

double CpuMicrosPerMessage(const CpuUse& use, uint64_t messages) {
  return messages == 0 ? 0 : absl::ToDoubleMicroseconds(use.used) / static_cast<double>(messages);
}

}  // namespace

double Report::MessagesPerSecond() const {
  const double seconds = absl::ToDoubleSeconds(elapsed);
  return seconds <= 0 ? 0 : static_cast<double>(messages) / seconds;
}

std::string ReportJson(const Report& report) {
  Json json;
  json["bench"] = report.name;
  json["seconds"] = Rounded(absl::ToDoubleSeconds(report.elapsed));
  json["messages"] = report.messages;
  json["messages_per_second"] = Rounded(report.MessagesPerSecond());
  json["loop"] = report.is_open_loop ? "open" : "closed";
  json["latency_us"] = {{"p50", Micros(report.latency.Quantile(0.5))},
                        {"p99", Micros(report.latency.Quantile(0.99))},
                        {"p99.9", Micros(report.latency.Quantile(0.999))},
                        {"max", Micros(report.latency.max())},
                        {"min", Micros(report.latency.min())},
                        {"mean", Rounded(report.latency.mean() / 1000)}};
  json["longest_gap_ms"] = Rounded(absl::ToDoubleMilliseconds(report.longest_gap));
  Json cpu = Json::object();
  double total = 0;
  for (const CpuUse& use : report.cpu) total += CpuMicrosPerMessage(use, report.messages);
  cpu["total"] = Rounded(total);
  for (const CpuUse& use : report.cpu) {
    // A process that ended was not measured: null, never a flattering zero.
    cpu[use.name] = use.is_complete ? Json(Rounded(CpuMicrosPerMessage(use, report.messages)))
                                    : Json(nullptr);
  }
  json["cpu_us_per_message"] = cpu;
  json["errors"] = report.errors;
  json["retries"] = report.retries;
  if (!report.first_error.empty()) json["first_error"] = report.first_error;
  for (const auto& [key, value] : report.extra) json[key] = Rounded(value);
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string ReportText(const Report& report) {
  std::string text = absl::StrFormat(
      "%s: %.0f messages/s (%d messages in %.2f s, %d errors, %d retries)\n"
      "latency (%s): p50 %.1f us, p99 %.1f us, p99.9 %.1f us, max %.1f us; longest gap %.0f ms\n",
      report.name, report.MessagesPerSecond(), report.messages,
      absl::ToDoubleSeconds(report.elapsed), report.errors, report.retries,
      report.is_open_loop ? "from the intended time" : "closed loop",
      Micros(report.latency.Quantile(0.5)), Micros(report.latency.Quantile(0.99)),
      Micros(report.latency.Quantile(0.999)), Micros(report.latency.max()),
      absl::ToDoubleMilliseconds(report.longest_gap));
  double total = 0;
  std::string parts;
  for (const CpuUse& use : report.cpu) {
    total += CpuMicrosPerMessage(use, report.messages);
    if (use.is_complete) {
      absl::StrAppendFormat(&parts, ", %s %.2f", use.name,
                            CpuMicrosPerMessage(use, report.messages));
    } else {
      absl::StrAppendFormat(&parts, ", %s ended", use.name);
    }
  }
  if (!report.cpu.empty()) {
    absl::StrAppendFormat(&text, "CPU us per message: total %.2f%s\n", total, parts);
  }
  for (const auto& [key, value] : report.extra) absl::StrAppendFormat(&text, "%s: %.2f\n", key, value);
  if (!report.first_error.empty()) {
    absl::StrAppendFormat(&text, "first error: %s\n", report.first_error);
  }
  return text;
}

}  // namespace totora::bench
