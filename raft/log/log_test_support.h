// What the tests of the log share: frames that continue a history, and an
// executor that runs when told to.
#ifndef TOTORA_RAFT_LOG_LOG_TEST_SUPPORT_H_
#define TOTORA_RAFT_LOG_LOG_TEST_SUPPORT_H_

#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/clock.h"
#include "common/crc32c.h"
#include "common/executor.h"
#include "common/memory_file_system.h"
#include "raft/log/log_store.h"

namespace totora::raft {

// Thread safety: confined.
class QueueExecutor : public Executor {
 public:
  void Post(Task task) override { tasks_.push_back(std::move(task)); }
  void PostAfter(absl::Duration, Task task) override { tasks_.push_back(std::move(task)); }
  const Clock& clock() const override { return *Clock::System(); }

  // Also what the tasks post.
  void RunAll() {
    while (!tasks_.empty()) RunOne();
  }
  void RunOne() {
    Task task = std::move(tasks_.front());
    tasks_.pop_front();
    task();
  }
  bool empty() const { return tasks_.empty(); }

 private:
  std::deque<Task> tasks_;
};

struct FrameSpec {
  uint64_t term = 1;
  std::string body;
  bool begins_segment = false;
};

// The frame that follows one with the header `previous` (of zeros: the first).
inline Frame NextFrame(const FrameHeader& previous, FrameSpec spec) {
  FrameHeader header;
  header.index = previous.index.Next();
  header.term = Term(spec.term);
  header.start = previous.index.value() == 0 ? BytePosition(0) : previous.end();
  header.body_bytes = static_cast<uint32_t>(spec.body.size());
  header.body_crc = Crc32c(spec.body);
  header.type = spec.body.empty() ? EntryType::kNoop : EntryType::kCommands;
  header.begins_segment = spec.begins_segment || previous.index.value() == 0;
  header.passed_ms = static_cast<int64_t>(header.index.value());
  header.timestamp_ms = 1'700'000'000'000 + static_cast<int64_t>(header.index.value());
  header.chain_crc = ChainCrc(previous.chain_crc, header);
  return {header, SharedBytes(std::move(spec.body))};
}

inline bool SameFrame(const Frame& a, const Frame& b) {
  return a.header == b.header && a.body.view() == b.body.view();
}

inline LogOptions SmallLog() {
  LogOptions options;
  options.directory = "/data/log";
  options.segment_bytes = 4096;
  options.group_fingerprint = 0x1234;
  options.prepare_segments = false;
  return options;
}

}  // namespace totora::raft

#endif  // TOTORA_RAFT_LOG_LOG_TEST_SUPPORT_H_
