// What classic clients were told, and what must hold of it at the end.
#ifndef TOTORA_TESTS_SIM_CLASSIC_RECORDS_H_
#define TOTORA_TESTS_SIM_CLASSIC_RECORDS_H_

#include <compare>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "message/codec.h"
#include "raft/log/frame.h"
#include "tests/sim/process.h"

namespace totora::sim {

// Thread safety: confined to the scheduler.
class ClassicRecords {
 public:
  using Violation = std::function<void(const std::string&)>;
  explicit ClassicRecords(Violation violation) : violation_(std::move(violation)) {}

  struct Place {
    uint32_t queue = 0;
    uint64_t offset = 0;
    friend auto operator<=>(const Place&, const Place&) = default;
  };

  // --- Sends ----------------------------------------------------------------

  // One call of a program: may be tried several times. A Message object keeps its
  // id, so several calls may share one.
  struct Call {
    bool is_distinct = false;  // Nobody can take it for a retry of an earlier one.
    std::optional<Place> place;
  };
  // A call begins; its number among those of this id.
  size_t Begin(const std::string& id);
  void Acknowledged(const std::string& id, size_t call, const Place& place, bool is_distinct);
  // A message that waits; it is due at `due_ms` of log time or later.
  void BeginDelayed(const std::string& id, int64_t due_ms);
  void AcknowledgedDelayed(const std::string& id) { delayed_acknowledged_.insert(id); }

  // An entry was applied somewhere.
  void EntryApplied(const raft::FrameHeader& entry, absl::Duration now);
  // Whatever is submitted from now on is applied when so much has passed, or more.
  int64_t passed_ms() const { return newest_.passed_ms; }
  // How often log time was further than what had passed by the window of retries, at once.
  uint64_t steps() const { return steps_; }

  // --- Pulls ----------------------------------------------------------------

  // `offset` of a queue showed this message.
  void Seen(const std::string& topic, uint32_t queue, const message::StoredMessageView& message);
  // A member of the group has it.
  void Consumed(const std::string& topic, uint32_t queue, uint64_t offset) {
    consumed_[{topic, queue}].insert(offset);
  }
  // All of a tag up to `end` (exclusive) were shown, and those were `offsets`.
  void Filtered(uint32_t queue, const std::string& tag, uint64_t end,
                const std::set<uint64_t>& offsets) {
    filtered_[{queue, tag}] = {end, offsets};
  }
  // One behind the last message of a queue that somebody was told of.
  uint64_t KnownEnd(const std::string& topic, uint32_t queue) const;

  // --- Offsets of the group ---------------------------------------------------

  using QueueKey = std::pair<std::string, uint32_t>;
  void OffsetReported(const QueueKey& queue, uint64_t offset);
  void OffsetStored(const QueueKey& queue, uint64_t offset);
  // What had been stored for certain when a question was asked.
  std::optional<uint64_t> StoredOffset(const QueueKey& queue) const;
  void OffsetFound(const QueueKey& queue, std::optional<uint64_t> stored_before,
                   std::optional<uint64_t> found);

  // --- Retries ------------------------------------------------------------------

  // The message `id` was sent back after so many attempts; may come back at
  // `due_ms` of log time or later.
  void SendBack(const std::string& id, int32_t reconsume_times, int64_t due_ms);
  void SentBack(const std::string& id, int32_t reconsume_times);

  // --- Locks ------------------------------------------------------------------

  // `client` was given the lock of a queue and trusts in it until `until`.
  void Locked(uint32_t queue, const std::string& client, absl::Duration now,
              absl::Duration until);
  void Unlocked(uint32_t queue, const std::string& client);

  // All that was recorded against what a replica has at the end. Returns how many
  // dead letters there are.
  uint64_t Check(Process* process);

 private:
  struct Stored {
    std::string id;
    std::string tag;
    BytePosition position;
    int32_t reconsume_times = 0;
    int64_t store_time_ms = 0;
  };
  using Queue = std::vector<Stored>;
  struct BackAndForth {
    uint64_t asked = 0, done = 0;
    int64_t due_ms = 0;
  };

  Queue ReadQueue(Process* process, const std::string& topic, uint32_t queue);
  void CheckSends(const std::map<uint32_t, Queue>& queues);
  void CheckSeen(const std::string& topic, uint32_t number, const Queue& queue);
  void CheckConsumed(const std::string& topic, uint32_t number, const Queue& queue);
  void CheckDelayed(const Queue& queue);
  void CheckRetries(const Queue& retries, const Queue& dead);
  void CheckFiltered(const std::map<uint32_t, Queue>& queues);

  const Violation violation_;
  std::map<std::string, std::vector<Call>> calls_;
  LogIndex newest_index_;
  raft::LogTimes newest_;   // Of the newest entry.
  uint64_t steps_ = 0;
  std::map<std::string, int64_t> delayed_;
  std::set<std::string> delayed_acknowledged_;
  std::map<QueueKey, std::map<uint64_t, BytePosition>> seen_;
  std::map<QueueKey, std::set<uint64_t>> consumed_;
  std::map<std::pair<uint32_t, std::string>, std::pair<uint64_t, std::set<uint64_t>>> filtered_;
  std::map<QueueKey, uint64_t> ends_;
  std::map<QueueKey, uint64_t> reported_, stored_;
  std::map<std::pair<std::string, int32_t>, BackAndForth> sent_back_;
  std::map<uint32_t, std::pair<std::string, absl::Duration>> locks_;
};

}  // namespace totora::sim

#endif  // TOTORA_TESTS_SIM_CLASSIC_RECORDS_H_
