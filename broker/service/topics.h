// The topic table: what administrators do with it.
#ifndef TOTORA_BROKER_SERVICE_TOPICS_H_
#define TOTORA_BROKER_SERVICE_TOPICS_H_

#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "broker/service/command_log.h"
#include "broker/service/topic_directory.h"
#include "store/commands.h"

namespace totora::service {

// Thread safety: any thread; callbacks run on the replica's executor, or on the
// calling thread when the answer is known at once.
class Topics {
 public:
  // A topic never has more queues than this.
  static constexpr uint32_t kQueuesMax = 1024;

  using Found = absl::AnyInvocable<void(absl::StatusOr<store::TopicConfig> config)>;
  using Done = absl::AnyInvocable<void(absl::Status)>;

  Topics(CommandLog* log, TopicDirectory* directory) : log_(log), directory_(directory) {}

  // Errors: kTopicNotFound, after a read barrier; Unavailable.
  void Find(const std::string& name, absl::Duration give_up, Found found);
  std::vector<store::TopicConfig> All() const { return directory_->All(); }

  // Creates or changes. Errors: kIllegalTopic; InvalidArgument (queue numbers,
  // permission); those of the log.
  void Put(const store::TopicConfig& config, absl::Duration give_up, Done done);
  // Errors: kTopicNotFound; those of the log.
  void Delete(const std::string& name, absl::Duration give_up, Done done);

 private:
  CommandLog* const log_;
  TopicDirectory* const directory_;
};

}  // namespace totora::service

#endif  // TOTORA_BROKER_SERVICE_TOPICS_H_
