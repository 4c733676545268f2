#include "raft/submitter.h"

#include <algorithm>
#include <utility>

namespace totora::raft {

void Submitter::Add(uint16_t kind, absl::string_view payload, absl::Duration give_up,
                    SubmitCallback done) {
  if (commands_.size() >= commands_max_ || bytes_ + payload.size() > bytes_max_) {
    done(absl::ResourceExhaustedError("too many commands wait for the log"));
    return;
  }
  const uint64_t sequence = first_ + commands_.size();
  Outstanding& outstanding = commands_.emplace_back();
  outstanding.encoded = Encode(sequence, kind, payload);
  outstanding.done = std::move(done);
  bytes_ += outstanding.encoded.size();
  if (give_up == absl::InfiniteDuration()) return;
  if (deadlines_in_order_.empty() || deadlines_in_order_.back().at <= give_up) {
    deadlines_in_order_.push_back({give_up, sequence});
  } else {
    other_deadlines_.push({give_up, sequence});
  }
}

SharedBytes Submitter::Encode(uint64_t sequence, uint16_t kind, absl::string_view payload) const {
  Command command;
  command.id = {self_, incarnation_, sequence};
  command.low_watermark = low_watermark();
  command.kind = kind;
  command.payload = payload;
  std::string encoded;
  encoded.reserve(kCommandHeaderBytes + payload.size());
  AppendCommand(command, &encoded);
  return SharedBytes(std::move(encoded));
}

void Submitter::Applied(const CommandId& id, absl::string_view result) {
  if (id.replica != self_ || id.incarnation != incarnation_) return;
  if (id.sequence < first_ || id.sequence >= first_ + commands_.size()) return;
  Outstanding& outstanding = commands_[id.sequence - first_];
  if (outstanding.is_settled) return;
  ++applied_count_;
  SubmitCallback done = std::move(outstanding.done);
  outstanding.done = nullptr;
  Settle(id.sequence);
  if (done) done(result);
}

void Submitter::Settle(uint64_t sequence) {
  Outstanding& outstanding = commands_[sequence - first_];
  outstanding.is_settled = true;
  bytes_ -= outstanding.encoded.size();
  outstanding.encoded = SharedBytes();
  while (!commands_.empty() && commands_.front().is_settled) {
    commands_.pop_front();
    ++first_;
  }
  next_unsent_ = std::max(next_unsent_, first_);
  while (!deadlines_in_order_.empty() && deadlines_in_order_.front().sequence < first_) {
    deadlines_in_order_.pop_front();
  }
}

uint64_t Submitter::TakeDue(absl::Duration now) {
  if (!deadlines_in_order_.empty() && deadlines_in_order_.front().at <= now) {
    const uint64_t sequence = deadlines_in_order_.front().sequence;
    deadlines_in_order_.pop_front();
    return sequence;
  }
  if (!other_deadlines_.empty() && other_deadlines_.top().at <= now) {
    const uint64_t sequence = other_deadlines_.top().sequence;
    other_deadlines_.pop();
    return sequence;
  }
  return 0;
}

void Submitter::GiveUp(absl::Duration now) {
  while (const uint64_t sequence = TakeDue(now)) {
    if (sequence < first_) continue;
    Outstanding& outstanding = commands_[sequence - first_];
    if (!outstanding.done) continue;
    SubmitCallback done = std::exchange(outstanding.done, nullptr);
    if (outstanding.was_sent) {
      // It stays outstanding: its id must not be forgotten while it may be applied.
      bytes_ -= outstanding.encoded.size();
      outstanding.encoded = Encode(sequence, kVoidCommand, absl::string_view());
      bytes_ += outstanding.encoded.size();
      done(absl::DeadlineExceededError("the log did not answer in time; the outcome is unknown"));
    } else {
      Settle(sequence);
      done(absl::UnavailableError("no leader was found in time; nothing happened"));
    }
  }
}

std::vector<SharedBytes> Submitter::TakeUnsent(uint64_t bytes_max) {
  std::vector<SharedBytes> taken;
  uint64_t bytes = 0;
  while (has_unsent()) {
    Outstanding& outstanding = commands_[next_unsent_ - first_];
    if (!outstanding.is_settled) {
      if (!taken.empty() && bytes + outstanding.encoded.size() > bytes_max) break;
      bytes += outstanding.encoded.size();
      outstanding.was_sent = true;
      taken.push_back(outstanding.encoded);
    }
    ++next_unsent_;
  }
  return taken;
}

void Submitter::Abort(const absl::Status& status) {
  std::deque<Outstanding> commands = std::exchange(commands_, {});
  first_ += commands.size();
  next_unsent_ = first_;
  bytes_ = 0;
  for (Outstanding& outstanding : commands) {
    if (outstanding.done) outstanding.done(status);
  }
}

}  // namespace totora::raft
