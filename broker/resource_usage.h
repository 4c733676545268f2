// What this process has used of the machine, read from the kernel.
#ifndef TOTORA_BROKER_RESOURCE_USAGE_H_
#define TOTORA_BROKER_RESOURCE_USAGE_H_

#include <cstdint>

namespace totora::broker {

struct ResourceUsage {
  uint64_t cpu_user_us = 0;
  uint64_t cpu_system_us = 0;
  uint64_t rss_bytes = 0;
  uint64_t rss_max_bytes = 0;
  uint32_t threads = 0;
  uint32_t open_files = 0;
  uint64_t disk_read_bytes = 0;
  uint64_t disk_written_bytes = 0;
};

// Figures that the kernel does not give stay 0. Any thread.
ResourceUsage ReadResourceUsage();

}  // namespace totora::broker

#endif  // TOTORA_BROKER_RESOURCE_USAGE_H_
