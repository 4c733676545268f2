#include "store/consumer_group_table.h"

#include <utility>

#include "store/key_codec.h"

namespace totora::store {

const ConsumerGroup* ConsumerGroupTable::Find(absl::string_view name) const {
  auto it = by_name_.find(name);
  return it == by_name_.end() ? nullptr : it->second;
}

absl::Status ConsumerGroupTable::Put(const ConsumerGroupConfig& config) {
  if (config.name.empty() || config.name.size() > kNameBytesMax) {
    return absl::InvalidArgumentError("a consumer group's name is empty or too long");
  }
  ConsumerGroup*& group = by_name_[config.name];
  if (group == nullptr) {
    if (by_id_.size() >= kConsumerGroupsMax) {
      by_name_.erase(config.name);
      return absl::ResourceExhaustedError("the group has as many consumer groups as it can");
    }
    const ConsumerGroupId id(next_id_++);
    std::unique_ptr<ConsumerGroup>& owner = by_id_[id];
    owner = std::make_unique<ConsumerGroup>();
    owner->id = id;
    group = owner.get();
  }
  group->config = config;
  dirty_.insert(group->id);
  return absl::OkStatus();
}

bool ConsumerGroupTable::Delete(absl::string_view name) {
  auto it = by_name_.find(name);
  if (it == by_name_.end()) return false;
  const ConsumerGroupId id = it->second->id;
  by_name_.erase(it);
  by_id_.erase(id);
  dirty_.insert(id);
  return true;
}

void ConsumerGroupTable::Freeze(std::vector<CheckpointWrite>* rows) {
  for (ConsumerGroupId id : dirty_) {
    auto it = by_id_.find(id);
    if (it == by_id_.end()) {
      rows->push_back({ConsumerGroupKey(id), std::nullopt});
    } else {
      rows->push_back({ConsumerGroupKey(id), it->second->config.Encode()});
    }
  }
  dirty_.clear();
}

absl::Status ConsumerGroupTable::LoadRow(ConsumerGroupId id, absl::string_view payload) {
  absl::StatusOr<ConsumerGroupConfig> config = ConsumerGroupConfig::Decode(payload);
  if (!config.ok()) return config.status();
  ConsumerGroup*& group = by_name_[config->name];
  if (group != nullptr) return absl::DataLossError("checkpoint: a consumer group twice");
  auto owner = std::make_unique<ConsumerGroup>(ConsumerGroup{id, *std::move(config)});
  group = owner.get();
  by_id_[id] = std::move(owner);
  return absl::OkStatus();
}

}  // namespace totora::store
