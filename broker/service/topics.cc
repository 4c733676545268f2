#include "broker/service/topics.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "broker/service/joined.h"
#include "broker/service/plain_result.h"
#include "broker/service/refusal.h"
#include "message/topic.h"

namespace totora::service {
namespace {

constexpr uint32_t kPermissionBits = 7;  // Read 4, write 2, inherit 1 (RocketMQ's PermName).

absl::Status NotThere(const std::string& name) {
  return Refuse(Refusal::kTopicNotFound, absl::StrCat("no topic ", name));
}

absl::Status CheckConfig(const store::TopicConfig& config) {
  if (const absl::Status legal = message::CheckTopicName(config.name); !legal.ok()) {
    return Refuse(Refusal::kIllegalTopic, legal.message());
  }
  if (config.read_queues == 0 || config.read_queues > Topics::kQueuesMax ||
      config.write_queues == 0 || config.write_queues > Topics::kQueuesMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("a topic has 1 to ", Topics::kQueuesMax, " queues"));
  }
  if ((config.permission & ~kPermissionBits) != 0) {
    return absl::InvalidArgumentError("permission is a sum of 4 (read) and 2 (write)");
  }
  return absl::OkStatus();
}

}  // namespace

void Topics::Find(const std::string& name, absl::Duration give_up, Found found) {
  if (const auto topic = directory_->Find(name)) {
    found(topic->config);
    return;
  }
  log_->ReadBarrier(give_up, [this, name, found = std::move(found)](absl::Status status) mutable {
    if (const auto topic = directory_->Find(name)) {
      found(topic->config);
    } else {
      found(status.ok() ? NotThere(name) : status);
    }
  });
}

void Topics::Put(const store::TopicConfig& config, absl::Duration give_up, Done done) {
  if (absl::Status legal = CheckConfig(config); !legal.ok()) {
    done(std::move(legal));
    return;
  }
  log_->Submit(store::CommandKind::kPutTopic, config.Encode(), give_up,
               [done = std::move(done)](absl::StatusOr<absl::string_view> bytes) mutable {
                 done(PlainOutcome(bytes));
               });
}

std::vector<std::string> Topics::SystemNames() const {
  std::vector<std::string> names = message::SystemTopics();
  names.insert(names.end(), own_names_.begin(), own_names_.end());
  return names;
}

absl::Status Topics::CheckNotSystem(absl::string_view name) const {
  if (!message::IsSystemTopic(name) &&
      std::find(own_names_.begin(), own_names_.end(), name) == own_names_.end()) {
    return absl::OkStatus();
  }
  return Refuse(Refusal::kIllegalTopic,
                absl::StrCat("The topic[", name, "] is conflict with system topic."));
}

absl::StatusOr<std::vector<store::TopicConfig>> Topics::Results(
    std::vector<std::pair<std::string, Edit>>* edits) const {
  std::vector<store::TopicConfig> changed;
  for (auto& [name, edit] : *edits) {
    const auto topic = directory_->Find(name);
    std::optional<store::TopicConfig> existing;
    if (topic != nullptr) existing = topic->config;
    absl::StatusOr<store::TopicConfig> config = edit(existing);
    if (!config.ok()) return config.status();
    if (existing.has_value() && *config == *existing) continue;
    if (absl::Status legal = CheckConfig(*config); !legal.ok()) return legal;
    changed.push_back(*std::move(config));
  }
  return changed;
}

void Topics::Change(std::vector<std::pair<std::string, Edit>> edits, absl::Duration give_up,
                    Done done) {
  log_->ReadBarrier(give_up, [this, edits = std::move(edits), give_up,
                              done = std::move(done)](absl::Status status) mutable {
    if (!status.ok()) {
      done(std::move(status));
      return;
    }
    const absl::StatusOr<std::vector<store::TopicConfig>> changed = Results(&edits);
    if (!changed.ok() || changed->empty()) {
      done(changed.status());
      return;
    }
    const auto one_done =
        Joined(changed->size(), [this, done = std::move(done)](absl::Status status) mutable {
          Tell(std::move(status), std::move(done));
        });
    for (const store::TopicConfig& config : *changed) Put(config, give_up, one_done);
  });
}

void Topics::Tell(absl::Status status, Done done) {
  if (!status.ok() || when_told_ == nullptr) {
    done(std::move(status));
    return;
  }
  when_told_([done = std::move(done)]() mutable { done(absl::OkStatus()); });
}

void Topics::Delete(const std::string& name, absl::Duration give_up, Done done) {
  log_->Submit(
      store::CommandKind::kDeleteTopic, store::NameCommand{name}.Encode(), give_up,
      [this, name, done = std::move(done)](absl::StatusOr<absl::string_view> bytes) mutable {
        absl::Status status = PlainOutcome(bytes);
        if (absl::IsNotFound(status)) status = NotThere(name);
        Tell(std::move(status), std::move(done));
      });
}

}  // namespace totora::service
