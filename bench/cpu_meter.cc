#include "bench/cpu_meter.h"

#include <unistd.h>

#include <fstream>
#include <iterator>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace totora::bench {
namespace {

// Places behind the name, which is field 2 of proc(5): utime is 14, stime 15.
constexpr size_t kUserTime = 14 - 3;
constexpr size_t kSystemTime = 15 - 3;

absl::StatusOr<int64_t> TicksOf(pid_t pid) {
  std::ifstream file(absl::StrCat("/proc/", pid, "/stat"));
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  if (text.empty()) return absl::NotFoundError(absl::StrCat("no process ", pid));
  return CpuTicksOfStat(text);
}

}  // namespace

absl::StatusOr<int64_t> CpuTicksOfStat(absl::string_view stat) {
  const size_t name_end = stat.rfind(") ");
  if (name_end == absl::string_view::npos) return absl::InvalidArgumentError("no process name");
  const std::vector<absl::string_view> fields = absl::StrSplit(stat.substr(name_end + 2), ' ');
  int64_t user = 0;
  int64_t system = 0;
  if (fields.size() <= kSystemTime || !absl::SimpleAtoi(fields[kUserTime], &user) ||
      !absl::SimpleAtoi(fields[kSystemTime], &system)) {
    return absl::InvalidArgumentError("no CPU times");
  }
  return user + system;
}

CpuMeter::CpuMeter(std::vector<WatchedProcess> processes) : processes_(std::move(processes)) {
  for (const WatchedProcess& process : processes_) start_ticks_.push_back(TicksOf(process.pid));
}

std::vector<CpuUse> CpuMeter::Read() const {
  const double ticks_per_second = static_cast<double>(sysconf(_SC_CLK_TCK));
  std::vector<CpuUse> uses;
  for (size_t i = 0; i < processes_.size(); ++i) {
    const absl::StatusOr<int64_t> now = TicksOf(processes_[i].pid);
    CpuUse use{.name = processes_[i].name, .pid = processes_[i].pid, .used = {}, .is_complete = false};
    if (now.ok() && start_ticks_[i].ok()) {
      use.used = absl::Seconds(static_cast<double>(*now - *start_ticks_[i]) / ticks_per_second);
      use.is_complete = true;
    }
    uses.push_back(use);
  }
  return uses;
}

}  // namespace totora::bench
