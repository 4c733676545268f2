#include "broker/service/consumer_groups.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "broker/service/joined.h"
#include "broker/service/plain_result.h"
#include "broker/service/refusal.h"
#include "broker/service/topics.h"
#include "message/topic.h"

namespace totora::service {
namespace {

absl::StatusOr<store::ConsumerGroupConfig> Usable(store::ConsumerGroupConfig config) {
  if (!config.is_enabled) {
    return Refuse(Refusal::kConsumerGroupDisabled,
                  absl::StrCat("consumer group ", config.name, " is disabled"));
  }
  return config;
}

absl::Status NotThere(const std::string& name) {
  return Refuse(Refusal::kConsumerGroupNotFound, absl::StrCat("no consumer group ", name));
}

absl::Status CheckName(const std::string& name) {
  const absl::Status status = message::CheckConsumerGroupName(name);
  return status.ok() ? status : Refuse(Refusal::kIllegalConsumerGroup, status.message());
}

absl::Status CheckConfig(const store::ConsumerGroupConfig& config) {
  if (absl::Status legal = CheckName(config.name); !legal.ok()) return legal;
  if (config.max_attempts == 0 || config.max_attempts > ConsumerGroups::kAttemptsMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("a message is tried 1 to ", ConsumerGroups::kAttemptsMax, " times"));
  }
  if (config.retry_queues == 0 || config.retry_queues > Topics::kQueuesMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("a retry topic has 1 to ", Topics::kQueuesMax, " queues"));
  }
  return absl::OkStatus();
}

}  // namespace

void ConsumerGroups::FindForUse(const std::string& name, absl::Duration give_up, Found found) {
  if (std::optional<store::ConsumerGroupConfig> config = state_->FindConsumerGroup(name)) {
    found(Usable(*std::move(config)));
    return;
  }
  if (!creates_on_use_) {
    Find(name, give_up, std::move(found));
    return;
  }
  if (absl::Status legal = CheckName(name); !legal.ok()) {
    found(std::move(legal));
    return;
  }
  std::vector<Found>& waiting = creating_[name];
  waiting.push_back(std::move(found));
  if (waiting.size() > 1) return;
  // An administrator may have made it, with settings of its own, where this
  // replica has not yet applied it.
  log_->ReadBarrier(give_up, [this, name, give_up](absl::Status status) {
    if (!status.ok() || state_->FindConsumerGroup(name).has_value()) {
      Created(name, status);
    } else {
      Create(name, give_up);
    }
  });
}

void ConsumerGroups::Create(const std::string& name, absl::Duration give_up) {
  store::ConsumerGroupConfig config;
  config.name = name;
  log_->Submit(store::CommandKind::kPutConsumerGroup, config.Encode(), give_up,
               [this, name](absl::StatusOr<absl::string_view> bytes) {
                 Created(name, PlainOutcome(bytes));
               });
}

void ConsumerGroups::Created(const std::string& name, const absl::Status& status) {
  auto it = creating_.find(name);
  std::vector<Found> waiting = std::move(it->second);
  creating_.erase(it);
  const std::optional<store::ConsumerGroupConfig> config = state_->FindConsumerGroup(name);
  for (Found& found : waiting) {
    if (!status.ok()) {
      found(status);
    } else if (config.has_value()) {
      found(Usable(*config));
    } else {
      found(NotThere(name));  // Deleted again at once.
    }
  }
}

void ConsumerGroups::Find(const std::string& name, absl::Duration give_up, Found found) {
  FindConfig(
      name, give_up,
      [found = std::move(found)](absl::StatusOr<store::ConsumerGroupConfig> config) mutable {
        found(config.ok() ? Usable(*std::move(config)) : std::move(config));
      });
}

void ConsumerGroups::FindConfig(const std::string& name, absl::Duration give_up, Found found) {
  if (std::optional<store::ConsumerGroupConfig> config = state_->FindConsumerGroup(name)) {
    found(*std::move(config));
    return;
  }
  log_->ReadBarrier(give_up, [this, name, found = std::move(found)](absl::Status status) mutable {
    std::optional<store::ConsumerGroupConfig> config = state_->FindConsumerGroup(name);
    if (config.has_value()) {
      found(*std::move(config));
    } else {
      found(status.ok() ? NotThere(name) : status);
    }
  });
}

void ConsumerGroups::Put(const store::ConsumerGroupConfig& config, absl::Duration give_up,
                         Done done) {
  PutAll({config}, give_up, std::move(done));
}

void ConsumerGroups::PutAll(const std::vector<store::ConsumerGroupConfig>& configs,
                            absl::Duration give_up, Done done) {
  absl::Status legal;
  for (const store::ConsumerGroupConfig& config : configs) legal.Update(CheckConfig(config));
  if (!legal.ok() || configs.empty()) {
    done(std::move(legal));
    return;
  }
  const auto one_done = Joined(configs.size(), std::move(done));
  for (const store::ConsumerGroupConfig& config : configs) {
    log_->Submit(
        store::CommandKind::kPutConsumerGroup, config.Encode(), give_up,
        [one_done](absl::StatusOr<absl::string_view> bytes) { one_done(PlainOutcome(bytes)); });
  }
}

void ConsumerGroups::Delete(const std::string& name, absl::Duration give_up, Done done) {
  log_->Submit(store::CommandKind::kDeleteConsumerGroup, store::DeleteConsumerGroupCommand{name}.Encode(), give_up,
               [name, done = std::move(done)](absl::StatusOr<absl::string_view> bytes) mutable {
                 absl::Status status = PlainOutcome(bytes);
                 done(absl::IsNotFound(status) ? NotThere(name) : status);
               });
}

}  // namespace totora::service
