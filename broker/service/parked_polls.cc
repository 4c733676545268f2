#include "broker/service/parked_polls.h"

#include <utility>

#include "broker/service/refusal.h"
#include "common/check.h"

namespace totora::service {

PollLine* ParkedPolls::Open(absl::string_view topic, absl::string_view consumer_group) {
  std::unique_ptr<PollLine>& line = lines_[topic][consumer_group];
  if (line == nullptr) {
    line = std::make_unique<PollLine>();
    line->topic = std::string(topic);
    line->consumer_group = std::string(consumer_group);
  }
  ++line->open;
  return line.get();
}

void ParkedPolls::Close(PollLine* line) {
  TOTORA_CHECK(line->open > 0);
  if (--line->open > 0) return;
  TOTORA_DCHECK(line->parked.empty());
  auto by_topic = lines_.find(line->topic);
  by_topic->second.erase(by_topic->second.find(line->consumer_group));
  if (by_topic->second.empty()) lines_.erase(by_topic);
}

std::vector<PollLine*> ParkedPolls::LinesOf(absl::string_view topic) const {
  std::vector<PollLine*> lines;
  auto it = lines_.find(topic);
  if (it == lines_.end()) return lines;
  for (const auto& [group, line] : it->second) lines.push_back(line.get());
  return lines;
}

std::vector<PollLine*> ParkedPolls::Lines() const {
  std::vector<PollLine*> lines;
  for (const auto& [topic, by_group] : lines_) {
    for (const auto& [group, line] : by_group) lines.push_back(line.get());
  }
  return lines;
}

PollLine* ParkedPolls::Find(absl::string_view topic, absl::string_view consumer_group) const {
  auto by_topic = lines_.find(topic);
  if (by_topic == lines_.end()) return nullptr;
  auto it = by_topic->second.find(consumer_group);
  return it == by_topic->second.end() ? nullptr : it->second.get();
}

absl::Status ParkedPolls::Park(PollLine* line, int32_t queue_id, PollId poll) {
  if (places_.size() >= limits_.total_max) {
    return Refuse(Refusal::kTooManyPolls, "too many polls wait at this broker");
  }
  auto it = line->parked.find(queue_id);
  if (it == line->parked.end()) {
    it = line->parked.emplace(queue_id, std::list<PollId>()).first;
  } else if (it->second.size() >= limits_.per_queue_max) {
    return Refuse(Refusal::kTooManyPolls, "too many polls of this consumer group wait here");
  }
  it->second.push_back(poll);
  places_[poll] = Place{line, queue_id, std::prev(it->second.end())};
  return absl::OkStatus();
}

std::optional<PollId> ParkedPolls::Take(PollLine* line, int32_t queue_id) {
  auto it = line->parked.find(queue_id);
  if (it == line->parked.end()) return std::nullopt;
  const PollId poll = it->second.front();
  Remove(poll);
  return poll;
}

bool ParkedPolls::Remove(PollId poll) {
  auto it = places_.find(poll);
  if (it == places_.end()) return false;
  const Place place = it->second;
  places_.erase(it);
  auto queue = place.line->parked.find(place.queue_id);
  queue->second.erase(place.at);
  if (queue->second.empty()) place.line->parked.erase(queue);
  return true;
}

}  // namespace totora::service
