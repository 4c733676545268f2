#include "store/topic_table.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "store/key_codec.h"
#include "store/payload.h"

namespace totora::store {

Topic* TopicTable::Find(absl::string_view name) const {
  auto it = by_name_.find(name);
  return it == by_name_.end() ? nullptr : it->second;
}

Topic* TopicTable::Find(TopicId id) const {
  auto it = by_id_.find(id);
  return it == by_id_.end() ? nullptr : it->second.get();
}

absl::StatusOr<Topic*> TopicTable::Put(const TopicConfig& config) {
  if (config.name.empty() || config.name.size() > kNameBytesMax) {
    return absl::InvalidArgumentError("a topic's name is empty or too long");
  }
  const uint32_t queues = std::max(config.read_queues, config.write_queues);
  if (queues < 1 || queues > kQueuesPerTopicMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("a topic has 1 to ", kQueuesPerTopicMax, " queues"));
  }
  Topic* topic = Find(config.name);
  if (topic != nullptr && topic->config == config) return nullptr;
  const size_t had = topic == nullptr ? 0 : topic->queues.size();
  const size_t more = queues > had ? queues - had : 0;
  if (queue_count_ + more > kQueuesMax || (topic == nullptr && by_id_.size() >= kTopicsMax)) {
    return absl::ResourceExhaustedError("the group has as many topics or queues as it can");
  }
  if (topic == nullptr) {
    const TopicId id(next_id_++);
    std::unique_ptr<Topic>& owner = by_id_[id];
    owner = std::make_unique<Topic>();
    owner->id = id;
    topic = owner.get();
    by_name_[config.name] = topic;
  }
  topic->config = config;
  if (more > 0) topic->queues.resize(queues);
  queue_count_ += more;
  ++version_;
  dirty_.insert(topic->id);
  return topic;
}

bool TopicTable::Delete(absl::string_view name) {
  auto it = by_name_.find(name);
  if (it == by_name_.end()) return false;
  const TopicId id = it->second->id;
  queue_count_ -= it->second->queues.size();
  by_name_.erase(it);
  by_id_.erase(id);
  ++version_;
  dirty_.erase(id);
  dropped_.insert(id);
  return true;
}

void TopicTable::Freeze(std::vector<CheckpointWrite>* rows) {
  for (TopicId id : dirty_) {
    const Topic* topic = Find(id);
    std::string row = topic->config.Encode();
    AppendU32(&row, static_cast<uint32_t>(topic->queues.size()));
    rows->push_back({TopicKey(id), std::move(row)});
  }
  for (TopicId id : dropped_) {
    rows->push_back({TopicKey(id), std::nullopt});
    rows->push_back({DeadTopicKey(id), std::string()});
  }
  dirty_.clear();
  dropped_.clear();
}

absl::Status TopicTable::LoadRow(TopicId id, absl::string_view payload) {
  constexpr size_t kCountBytes = 4;
  if (payload.size() < kCountBytes) return absl::DataLossError("checkpoint: damaged topic");
  const size_t config_bytes = payload.size() - kCountBytes;
  absl::StatusOr<TopicConfig> config = TopicConfig::Decode(payload.substr(0, config_bytes));
  if (!config.ok()) return config.status();
  const uint32_t queues = GetAt<uint32_t>(payload.data() + config_bytes);
  if (queues > kQueuesPerTopicMax || by_name_.contains(config->name)) {
    return absl::DataLossError("checkpoint: damaged topic");
  }
  auto topic = std::make_unique<Topic>();
  topic->id = id;
  topic->config = *std::move(config);
  topic->queues.resize(queues);
  queue_count_ += queues;
  by_name_[topic->config.name] = topic.get();
  by_id_[id] = std::move(topic);
  return absl::OkStatus();
}

void TopicTable::LoadCounters(uint64_t version, uint32_t next_id) {
  version_ = version;
  next_id_ = next_id;
}

}  // namespace totora::store
