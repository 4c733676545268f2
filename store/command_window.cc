#include "store/command_window.h"

#include <algorithm>
#include <utility>

#include "store/key_codec.h"
#include "store/payload.h"
#include "store/schema.h"

namespace totora::store {

CommandWindow::Entry CommandWindow::See(const raft::Command& command) {
  Entry entry;
  Life& life = lives_[command.id.replica];
  if (command.id.incarnation < life.incarnation) {
    entry.verdict = Verdict::kStale;
    return entry;
  }
  dirty_.insert(command.id.replica);
  if (command.id.incarnation > life.incarnation) {
    entry.is_new_incarnation = true;
    life = Life();
    life.incarnation = command.id.incarnation;
  }
  const uint64_t sequence = command.id.sequence;
  life.highest = std::max(life.highest, sequence);
  if (sequence <= life.low_watermark) {
    entry.verdict = Verdict::kForgotten;
    return entry;
  }
  auto known = life.results.find(sequence);
  if (known != life.results.end()) {
    entry.verdict = Verdict::kRepeated;
    entry.result = known->second;
    return entry;
  }
  // A command cannot be answered before it was applied, whatever it claims.
  const uint64_t low = std::min(command.low_watermark, sequence - 1);
  if (low > life.low_watermark) {
    life.low_watermark = low;
    life.results.erase(life.results.begin(), life.results.upper_bound(low));
  }
  return entry;
}

absl::string_view CommandWindow::Store(const raft::CommandId& id, std::string result) {
  Life& life = lives_[id.replica];
  if (life.results.size() >= kCommandResultsMax) {
    // More than a replica ever has outstanding, so the oldest one is answered.
    life.low_watermark = life.results.begin()->first;
    life.results.erase(life.results.begin());
  }
  std::string& kept = life.results[id.sequence];
  kept = std::move(result);
  return kept;
}

void CommandWindow::Freeze(std::vector<CheckpointWrite>* rows) {
  for (ReplicaId replica : dirty_) {
    const Life& life = lives_[replica];
    std::string row;
    AppendU64(&row, life.incarnation.value());
    AppendU64(&row, life.low_watermark);
    AppendU64(&row, life.highest);
    AppendU32(&row, static_cast<uint32_t>(life.results.size()));
    for (const auto& [sequence, result] : life.results) {
      AppendU64(&row, sequence);
      AppendBytes(&row, result);
    }
    rows->push_back({CommandWindowKey(replica), std::move(row)});
  }
  dirty_.clear();
}

absl::Status CommandWindow::LoadRow(ReplicaId replica, absl::string_view payload) {
  PayloadReader reader(payload);
  Life& life = lives_[replica];
  life.incarnation = Incarnation(reader.U64());
  life.low_watermark = reader.U64();
  life.highest = reader.U64();
  const size_t count = reader.Count(8 + 4);
  for (size_t i = 0; i < count; ++i) {
    const uint64_t sequence = reader.U64();
    reader.Require(sequence > life.low_watermark && sequence <= life.highest);
    life.results[sequence] = std::string(reader.Prefixed());
  }
  if (!reader.done() || life.results.size() != count) {
    return absl::DataLossError("checkpoint: damaged window of commands");
  }
  return absl::OkStatus();
}

}  // namespace totora::store
