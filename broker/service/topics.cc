#include "broker/service/topics.h"

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
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

void Topics::Delete(const std::string& name, absl::Duration give_up, Done done) {
  log_->Submit(store::CommandKind::kDeleteTopic, store::NameCommand{name}.Encode(), give_up,
               [name, done = std::move(done)](absl::StatusOr<absl::string_view> bytes) mutable {
                 absl::Status status = PlainOutcome(bytes);
                 done(absl::IsNotFound(status) ? NotThere(name) : status);
               });
}

}  // namespace totora::service
