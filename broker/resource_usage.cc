#include "broker/resource_usage.h"

#include <sys/resource.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace totora::broker {

ResourceUsage ReadResourceUsage() {
  ResourceUsage usage;
  rusage self{};
  if (getrusage(RUSAGE_SELF, &self) == 0) {
    usage.cpu_user_us = static_cast<uint64_t>(self.ru_utime.tv_sec) * 1'000'000 +
                        static_cast<uint64_t>(self.ru_utime.tv_usec);
    usage.cpu_system_us = static_cast<uint64_t>(self.ru_stime.tv_sec) * 1'000'000 +
                          static_cast<uint64_t>(self.ru_stime.tv_usec);
  }
  std::ifstream status("/proc/self/status");
  std::string key;
  uint64_t value = 0;
  for (std::string line; std::getline(status, line);) {
    const size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    key = line.substr(0, colon);
    value = std::strtoull(line.c_str() + colon + 1, nullptr, 10);
    if (key == "VmRSS") usage.rss_bytes = value * 1024;
    if (key == "VmHWM") usage.rss_max_bytes = value * 1024;
    if (key == "Threads") usage.threads = static_cast<uint32_t>(value);
  }
  std::ifstream io("/proc/self/io");
  for (std::string name; io >> name >> value;) {
    if (name == "read_bytes:") usage.disk_read_bytes = value;
    if (name == "write_bytes:") usage.disk_written_bytes = value;
  }
  std::error_code error;
  for (std::filesystem::directory_iterator it("/proc/self/fd", error), end; !error && it != end;
       it.increment(error)) {
    ++usage.open_files;
  }
  return usage;
}

}  // namespace totora::broker
