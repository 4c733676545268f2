#include "tests/integration/evidence.h"

#include <deque>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "tests/integration/command.h"

namespace totora::integration {
namespace {

constexpr size_t kLastLines = 12;

std::string TextOf(const std::filesystem::path& path) {
  std::ifstream file(path);
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  return std::string(absl::StripSuffix(text, "\n"));
}

std::string LastLines(const std::string& path) {
  std::ifstream file(path);
  std::deque<std::string> lines;
  for (std::string line; std::getline(file, line);) {
    lines.push_back(line);
    if (lines.size() > kLastLines) lines.pop_front();
  }
  std::string text;
  for (const std::string& line : lines) absl::StrAppend(&text, "\n    ", line);
  return text;
}

}  // namespace

std::string EvidenceOf(pid_t pid, const std::vector<std::string>& files) {
  std::string text = absl::StrCat("process ", pid, IsRunning(pid) ? " runs" : " does not run");
  std::error_code error;
  for (const auto& thread :
       std::filesystem::directory_iterator(absl::StrCat("/proc/", pid, "/task"), error)) {
    const std::string stat = TextOf(thread.path() / "stat");
    const size_t name_end = stat.rfind(") ");
    if (name_end == std::string::npos) continue;  // Gone.
    absl::StrAppend(&text, "\n    thread ", TextOf(thread.path() / "comm"), ": ",
                    stat.substr(name_end + 2, 1), " in ", TextOf(thread.path() / "wchan"),
                    ", system call ", TextOf(thread.path() / "syscall"));
  }
  for (const std::string& file : files) {
    if (!std::filesystem::exists(file, error)) continue;
    absl::StrAppend(&text, "\n  ", file, " ends with", LastLines(file));
  }
  return text;
}

}  // namespace totora::integration
