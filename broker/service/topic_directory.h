// The topic table as every thread may ask it: what the hot paths of sends and
// routes look at without a hop to the replica's executor.
//
// It follows the state machine's table (BrokerService feeds it), so "not
// there" is no answer yet: only a read barrier makes it one.
#ifndef TOTORA_BROKER_SERVICE_TOPIC_DIRECTORY_H_
#define TOTORA_BROKER_SERVICE_TOPIC_DIRECTORY_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "common/mutex.h"
#include "store/commands.h"

namespace totora::service {

// Thread safety: monitor.
class TopicDirectory {
 public:
  // One topic. The config is constant; a change makes a new Topic.
  struct Topic {
    Topic(store::TopicConfig the_config, uint32_t first)
        : config(std::move(the_config)), next_queue(first) {}
    const store::TopicConfig config;
    std::atomic<uint32_t> next_queue;  // Round robin of sends.
  };

  // Null if the topic is not known here (yet).
  std::shared_ptr<Topic> Find(absl::string_view name) const ABSL_LOCKS_EXCLUDED(mu_);

  // The topic is now as `config` says; an empty one removes it.
  void Set(absl::string_view name, const std::optional<store::TopicConfig>& config)
      ABSL_LOCKS_EXCLUDED(mu_);

  std::vector<store::TopicConfig> All() const ABSL_LOCKS_EXCLUDED(mu_);

 private:
  mutable Mutex mu_;  // Leaf.
  absl::flat_hash_map<std::string, std::shared_ptr<Topic>> topics_ ABSL_GUARDED_BY(mu_);
};

}  // namespace totora::service

#endif  // TOTORA_BROKER_SERVICE_TOPIC_DIRECTORY_H_
