// Texts that tools leave at a nameserver, by namespace and key (RocketMQ's
// KVConfigManager). Kept in memory: tools write to every nameserver, and say it
// again after a restart.
#ifndef TOTORA_NAMESRV_KV_CONFIG_H_
#define TOTORA_NAMESRV_KV_CONFIG_H_

#include <map>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "common/mutex.h"

namespace totora::namesrv {

// Thread safety: monitor.
class KvConfig {
 public:
  static constexpr size_t kBytesMax = 4 << 20;  // Of all names, keys and values.

  // Errors: ResourceExhausted above kBytesMax.
  absl::Status Put(absl::string_view space, absl::string_view key, absl::string_view value)
      ABSL_LOCKS_EXCLUDED(mu_);
  std::optional<std::string> Get(absl::string_view space, absl::string_view key) const
      ABSL_LOCKS_EXCLUDED(mu_);
  void Delete(absl::string_view space, absl::string_view key) ABSL_LOCKS_EXCLUDED(mu_);
  // Empty if there is no such namespace.
  std::map<std::string, std::string> All(absl::string_view space) const ABSL_LOCKS_EXCLUDED(mu_);

 private:
  using Table = std::map<std::string, std::string>;

  mutable Mutex mu_;  // Leaf.
  std::map<std::string, Table> spaces_ ABSL_GUARDED_BY(mu_);
  size_t bytes_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace totora::namesrv

#endif  // TOTORA_NAMESRV_KV_CONFIG_H_
