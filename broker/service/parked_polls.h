// Polls of consumers, by what they wait for: the lines of long polling.
//
// A line holds the polls of one consumer group for one topic. It exists while
// a poll of it is open, parked or not.
#ifndef TOTORA_BROKER_SERVICE_PARKED_POLLS_H_
#define TOTORA_BROKER_SERVICE_PARKED_POLLS_H_

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace totora::service {

using PollId = uint64_t;

// Polls of any queue wait under this number.
inline constexpr int32_t kAnyQueue = -1;

struct PollLine {
  std::string topic;
  std::string consumer_group;
  size_t open = 0;                              // Polls, parked ones included.
  size_t asking = 0;                            // Any-queue polls whose command is on its way.
  uint64_t changes = 0;                         // Grows when something may have become deliverable.
  uint32_t next_queue = 0;                      // Where the next any-queue poll begins to look.
  std::map<int32_t, std::list<PollId>> parked;  // By queue id, oldest first; no empty lists.
};

// Thread safety: confined to the replica's executor.
class ParkedPolls {
 public:
  struct Limits {
    size_t per_queue_max = 1024;  // Of one consumer group, topic and queue id.
    size_t total_max = 100'000;
  };

  explicit ParkedPolls(const Limits& limits) : limits_(limits) {}

  // A poll begins. The line is valid until as many Close as Open were called.
  PollLine* Open(absl::string_view topic, absl::string_view consumer_group);
  // REQUIRES: the poll is not parked.
  void Close(PollLine* line);

  // The lines of `topic`, or all. Valid until the next Open or Close.
  std::vector<PollLine*> LinesOf(absl::string_view topic) const;
  std::vector<PollLine*> Lines() const;
  PollLine* Find(absl::string_view topic, absl::string_view consumer_group) const;

  // Errors: ResourceExhausted at either limit.
  absl::Status Park(PollLine* line, int32_t queue_id, PollId poll);
  // Takes the oldest poll that waits for exactly `queue_id`.
  std::optional<PollId> Take(PollLine* line, int32_t queue_id);
  // False if the poll is not parked.
  bool Remove(PollId poll);

  size_t parked() const { return places_.size(); }

 private:
  struct Place {
    PollLine* line;
    int32_t queue_id;
    std::list<PollId>::iterator at;
  };
  using ByGroup = absl::flat_hash_map<std::string, std::unique_ptr<PollLine>>;

  const Limits limits_;
  absl::flat_hash_map<std::string, ByGroup> lines_;  // By topic.
  absl::flat_hash_map<PollId, Place> places_;        // Of what is parked.
};

}  // namespace totora::service

#endif  // TOTORA_BROKER_SERVICE_PARKED_POLLS_H_
