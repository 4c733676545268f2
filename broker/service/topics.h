// The topic table: what administrators do with it.
#ifndef TOTORA_BROKER_SERVICE_TOPICS_H_
#define TOTORA_BROKER_SERVICE_TOPICS_H_

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
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
  // What a topic shall be, out of what it is; empty: there is none.
  using Edit = absl::AnyInvocable<absl::StatusOr<store::TopicConfig>(
      const std::optional<store::TopicConfig>& existing)>;
  // Calls `told` on the executor, soon: when whoever tells clients of topics knows
  // of all changes that were applied until now, or is not worth waiting for.
  using WhenTold = std::function<void(absl::AnyInvocable<void()> told)>;

  // `own_names` are of the cluster and the group: topics in RocketMQ, too.
  Topics(CommandLog* log, TopicDirectory* directory, std::vector<std::string> own_names)
      : log_(log), directory_(directory), own_names_(std::move(own_names)) {}

  // Before the first call of a client; without it nobody has to be told.
  void SetWhenTold(WhenTold when_told) { when_told_ = std::move(when_told); }

  // Errors: kTopicNotFound, after a read barrier; Unavailable.
  void Find(const std::string& name, absl::Duration give_up, Found found);
  std::vector<store::TopicConfig> All() const { return directory_->All(); }

  // Topics with a meaning to RocketMQ itself, which classic tools list apart and
  // cannot change. Errors: kIllegalTopic.
  std::vector<std::string> SystemNames() const;
  absl::Status CheckNotSystem(absl::string_view name) const;

  // Creates or changes. Errors: kIllegalTopic; InvalidArgument (queue numbers,
  // permission); those of the log.
  void Put(const store::TopicConfig& config, absl::Duration give_up, Done done);

  // For administrators: makes each topic what its edit says, all of them or, if an
  // edit or its result is refused, none. Edits run on the executor, after a read
  // barrier. An edit that changes nothing is no command. Clients who ask after
  // `done` find the topics.
  // Errors: those of Put and of the edits.
  void Change(std::vector<std::pair<std::string, Edit>> edits, absl::Duration give_up, Done done);

  // Clients who ask after `done` do not find it.
  // Errors: kTopicNotFound; those of the log.
  void Delete(const std::string& name, absl::Duration give_up, Done done);

 private:
  absl::StatusOr<std::vector<store::TopicConfig>> Results(
      std::vector<std::pair<std::string, Edit>>* edits) const;
  void Tell(absl::Status status, Done done);

  CommandLog* const log_;
  TopicDirectory* const directory_;
  const std::vector<std::string> own_names_;
  WhenTold when_told_;
};

}  // namespace totora::service

#endif  // TOTORA_BROKER_SERVICE_TOPICS_H_
