#include "broker/service/topic_directory.h"

#include <utility>

namespace totora::service {

std::shared_ptr<TopicDirectory::Topic> TopicDirectory::Find(absl::string_view name) const {
  MutexLock lock(&mu_);
  auto it = topics_.find(name);
  return it == topics_.end() ? nullptr : it->second;
}

void TopicDirectory::Set(absl::string_view name, const std::optional<store::TopicConfig>& config) {
  // Topics of one replica begin at different queues, so that many topics with
  // little traffic do not all fill queue 0.
  static std::atomic<uint32_t> start{0};
  std::shared_ptr<Topic> topic;
  if (config.has_value()) topic = std::make_shared<Topic>(*config, start.fetch_add(1));
  MutexLock lock(&mu_);
  if (topic == nullptr) {
    topics_.erase(name);
  } else {
    topics_[name] = std::move(topic);
  }
}

std::vector<store::TopicConfig> TopicDirectory::All() const {
  std::vector<store::TopicConfig> all;
  MutexLock lock(&mu_);
  all.reserve(topics_.size());
  for (const auto& [name, topic] : topics_) all.push_back(topic->config);
  return all;
}

}  // namespace totora::service
