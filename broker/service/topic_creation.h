// Topics that come into being by their first use: by a send (copied from a
// default topic), or as the retry and dead letter topics of consumer groups.
#ifndef TOTORA_BROKER_SERVICE_TOPIC_CREATION_H_
#define TOTORA_BROKER_SERVICE_TOPIC_CREATION_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "broker/service/command_log.h"
#include "broker/service/topics.h"
#include "store/commands.h"
#include "store/state_machine.h"

namespace totora::service {

// Thread safety: confined to the replica's executor.
class TopicCreation {
 public:
  // Of kAutoCreateTopic, unless an administrator changes it.
  static constexpr uint32_t kDefaultQueues = 8;

  using Found = absl::AnyInvocable<void(absl::StatusOr<store::TopicConfig> config)>;

  TopicCreation(CommandLog* log, const store::StateMachine* state, Topics* topics,
                bool creates_on_send)
      : log_(log), state_(state), topics_(topics), creates_on_send_(creates_on_send) {}

  // The topic; if there is none, one like `default_topic` is made, with as many
  // queues as the client asks for and the default topic has, whichever is less.
  // Only a default topic whose permission has the inherit bit may be copied;
  // kAutoCreateTopic also depends on the setting.
  // Errors: kTopicNotFound, kIllegalTopic, those of the log.
  void ForSend(const std::string& name, const std::string& default_topic, int32_t queues,
               absl::Duration give_up, Found found);

  // The retry or dead letter topic of a consumer group, made if it is missing, to
  // read and to write: one queue, or as many as the group wants for its retries.
  void ForConsumerGroup(const std::string& name, absl::Duration give_up, Found found);

  // The setting, from now on.
  void SetCreatesOnSend(bool creates) { creates_on_send_ = creates; }

  // Makes kAutoCreateTopic, if it is missing and the setting wants it.
  void EnsureDefaultTopic(absl::Duration give_up, absl::AnyInvocable<void(absl::Status)> done);

 private:
  // What a topic that is missing should be like; or why it may not be made.
  using Template = absl::AnyInvocable<absl::StatusOr<store::TopicConfig>()>;

  void FindOrMake(const std::string& name, absl::Duration give_up, Template like, Found found);
  void Make(const std::string& name, absl::Duration give_up, Template like);
  void Made(const std::string& name, const absl::Status& status);
  absl::StatusOr<store::TopicConfig> Copy(const std::string& name, const std::string& default_topic,
                                          int32_t queues) const;

  CommandLog* const log_;
  const store::StateMachine* const state_;  // The directory learns later.
  Topics* const topics_;
  bool creates_on_send_;
  // Who waits for a topic that is being made. Each is a request that a client
  // has open, so their number is bounded where requests are.
  absl::flat_hash_map<std::string, std::vector<Found>> making_;
};

}  // namespace totora::service

#endif  // TOTORA_BROKER_SERVICE_TOPIC_CREATION_H_
