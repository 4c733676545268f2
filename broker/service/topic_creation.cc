#include "broker/service/topic_creation.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "broker/service/refusal.h"
#include "message/topic.h"

namespace totora::service {
namespace {

constexpr uint32_t kReadWrite = message::kPermissionRead | message::kPermissionWrite;

store::TopicConfig DefaultTopic() {
  store::TopicConfig config;
  config.name = message::kAutoCreateTopic;
  config.read_queues = config.write_queues = TopicCreation::kDefaultQueues;
  config.permission = kReadWrite | message::kPermissionInherit;
  return config;
}

absl::Status NotThere(const std::string& name) {
  return Refuse(Refusal::kTopicNotFound, absl::StrCat("no topic ", name));
}

}  // namespace

void TopicCreation::ForSend(const std::string& name, const std::string& default_topic,
                            int32_t queues, absl::Duration give_up, Found found) {
  FindOrMake(
      name, give_up,
      [this, name, default_topic, queues] { return Copy(name, default_topic, queues); },
      std::move(found));
}

void TopicCreation::ForConsumerGroup(const std::string& name, absl::Duration give_up, Found found) {
  FindOrMake(
      name, give_up,
      [this, name]() -> absl::StatusOr<store::TopicConfig> {
        store::TopicConfig config;
        config.name = name;
        config.read_queues = config.write_queues = 1;
        if (message::IsRetryTopic(name)) {
          const auto group = state_->FindConsumerGroup(*message::ConsumerGroupOf(name));
          if (group.has_value()) config.read_queues = config.write_queues = group->retry_queues;
        }
        config.permission = kReadWrite;
        return config;
      },
      std::move(found));
}

void TopicCreation::EnsureDefaultTopic(absl::Duration give_up,
                                       absl::AnyInvocable<void(absl::Status)> done) {
  if (!creates_on_send_) {
    done(absl::OkStatus());
    return;
  }
  FindOrMake(
      message::kAutoCreateTopic, give_up,
      []() -> absl::StatusOr<store::TopicConfig> { return DefaultTopic(); },
      [done = std::move(done)](const absl::StatusOr<store::TopicConfig>& config) mutable {
        done(config.status());
      });
}

absl::StatusOr<store::TopicConfig> TopicCreation::Copy(const std::string& name,
                                                       const std::string& default_topic,
                                                       int32_t queues) const {
  if (default_topic == message::kAutoCreateTopic && !creates_on_send_) return NotThere(name);
  store::TopicConfig config;
  if (const auto from = state_->FindTopic(default_topic)) {
    config = *from;
  } else if (default_topic == message::kAutoCreateTopic) {
    config = DefaultTopic();  // The leader has not made it yet.
  } else {
    return NotThere(name);
  }
  if ((config.permission & message::kPermissionInherit) == 0) return NotThere(name);
  config.name = name;
  config.is_ordered = false;
  config.permission &= ~message::kPermissionInherit;
  const uint32_t asked = queues < 1 ? 1 : static_cast<uint32_t>(queues);
  config.read_queues = config.write_queues = std::clamp(asked, 1u, config.write_queues);
  return config;
}

void TopicCreation::FindOrMake(const std::string& name, absl::Duration give_up, Template like,
                               Found found) {
  if (const auto config = state_->FindTopic(name)) {
    found(*config);
    return;
  }
  std::vector<Found>& waiting = making_[name];
  waiting.push_back(std::move(found));
  if (waiting.size() > 1) return;
  // It may have been made, otherwise, where this replica has not applied it yet.
  log_->ReadBarrier(give_up,
                    [this, name, give_up, like = std::move(like)](absl::Status status) mutable {
                      if (!status.ok() || state_->FindTopic(name).has_value()) {
                        Made(name, status);
                      } else {
                        Make(name, give_up, std::move(like));
                      }
                    });
}

void TopicCreation::Make(const std::string& name, absl::Duration give_up, Template like) {
  const absl::StatusOr<store::TopicConfig> config = like();
  if (!config.ok()) {
    Made(name, config.status());
    return;
  }
  topics_->Put(*config, give_up, [this, name](const absl::Status& status) { Made(name, status); });
}

void TopicCreation::Made(const std::string& name, const absl::Status& status) {
  auto it = making_.find(name);
  std::vector<Found> waiting = std::move(it->second);
  making_.erase(it);
  const std::optional<store::TopicConfig> config = state_->FindTopic(name);
  for (Found& found : waiting) {
    if (!status.ok()) {
      found(status);
    } else if (config.has_value()) {
      found(*config);
    } else {
      found(NotThere(name));  // Deleted again at once.
    }
  }
}

}  // namespace totora::service
