#include "broker/service/direct_log.h"

#include <algorithm>
#include <utility>

#include "common/check.h"
#include "common/clock.h"
#include "common/crc32c.h"
#include "raft/command.h"
#include "raft/log/frame.h"

namespace totora::service {

DirectLog::DirectLog(store::StateMachine* state, Executor* executor)
    : state_(state), executor_(executor) {}

size_t DirectLog::CountApplied(store::CommandKind kind) const {
  return static_cast<size_t>(std::count(applied_kinds_.begin(), applied_kinds_.end(), kind));
}

int64_t DirectLog::LogTimeNowMs() const {
  return std::max(log_time_ms_, WallMillis(executor_->clock()));
}

void DirectLog::SetLeader(bool has_leader) {
  has_leader_ = has_leader;
  while (has_leader_ && !waiting_.empty()) {
    Waiting next = std::move(waiting_.begin()->second);
    waiting_.erase(waiting_.begin());
    Apply(std::move(next));
  }
}

void DirectLog::HoldResults(bool holds) {
  holds_results_ = holds;
  if (holds) return;
  std::vector<std::pair<Done, std::string>> held = std::move(held_);
  held_.clear();
  for (auto& [done, result] : held) done(absl::string_view(result));
}

void DirectLog::Submit(store::CommandKind kind, std::string payload, absl::Duration give_up,
                       Done done) {
  executor_->Post(
      [this, give_up,
       command = Waiting{kind, std::move(payload), std::move(done), nullptr}]() mutable {
        uint64_t ticket;
        {
          MutexLock lock(&mu_);
          ticket = next_ticket_++;
        }
        waiting_.emplace(ticket, std::move(command));
        Take(ticket, give_up);
      });
}

void DirectLog::ReadBarrier(absl::Duration give_up, absl::AnyInvocable<void(absl::Status)> done) {
  executor_->Post(
      [this, give_up,
       barrier = Waiting{store::CommandKind::kSend, "", nullptr, std::move(done)}]() mutable {
        uint64_t ticket;
        {
          MutexLock lock(&mu_);
          ticket = next_ticket_++;
        }
        waiting_.emplace(ticket, std::move(barrier));
        Take(ticket, give_up);
      });
}

void DirectLog::Take(uint64_t ticket, absl::Duration give_up) {
  if (has_leader_) {
    auto it = waiting_.find(ticket);
    Waiting command = std::move(it->second);
    waiting_.erase(it);
    Apply(std::move(command));
    return;
  }
  if (give_up == absl::InfiniteDuration()) return;
  const absl::Duration left = give_up - executor_->clock().SteadyNow();
  executor_->PostAfter(std::max(absl::ZeroDuration(), left),
                       [this, ticket] { DropIfWaiting(ticket); });
}

void DirectLog::DropIfWaiting(uint64_t ticket) {
  auto it = waiting_.find(ticket);
  if (it == waiting_.end()) return;
  Waiting command = std::move(it->second);
  waiting_.erase(it);
  const absl::Status status = absl::UnavailableError("nobody leads");
  if (command.barrier) {
    command.barrier(status);
  } else {
    command.done(status);
  }
}

void DirectLog::Apply(Waiting command) {
  if (command.barrier) {
    command.barrier(absl::OkStatus());
    return;
  }
  raft::Command envelope;
  envelope.id = {self(), Incarnation(1), ++sequence_};
  envelope.low_watermark = sequence_ > 1000 ? sequence_ - 1000 : 0;
  envelope.kind = static_cast<uint16_t>(command.kind);
  envelope.payload = command.payload;
  std::string body;
  raft::AppendCommand(envelope, &body);

  raft::Frame frame;
  frame.header.index = LogIndex(++index_);
  frame.header.term = Term(1);
  frame.header.start = BytePosition(end_);
  frame.header.body_bytes = static_cast<uint32_t>(body.size());
  frame.header.timestamp_ms = frame.header.passed_ms = log_time_ms_ = LogTimeNowMs();
  const BytePosition payload_at = frame.header.body_position().Next(raft::kCommandHeaderBytes);
  state_->Stamp(envelope.kind, body.data() + raft::kCommandHeaderBytes,
                body.size() - raft::kCommandHeaderBytes, payload_at, log_time_ms_);
  frame.header.body_crc = Crc32c(body);
  end_ = frame.header.end().value();
  frame.body = SharedBytes(std::move(body));
  {
    MutexLock lock(&mu_);
    entries_.emplace(frame.header.body_position().value(), frame);
  }
  pending_.emplace(sequence_, std::move(command.done));
  applied_kinds_.push_back(command.kind);
  state_->Apply(frame);
}

void DirectLog::CommandApplied(const raft::CommandId& id, absl::string_view result) {
  auto it = pending_.find(id.sequence);
  if (it == pending_.end()) return;
  Done done = std::move(it->second);
  pending_.erase(it);
  if (holds_results_) {
    held_.emplace_back(std::move(done), std::string(result));
  } else {
    done(result);
  }
}

void DirectLog::SendToPeer(ReplicaId to, std::string bytes) {
  if (on_send_to_peer) on_send_to_peer(to, std::move(bytes));
}

absl::StatusOr<std::string> DirectLog::ReadMessage(BytePosition at, size_t size) const {
  MutexLock lock(&mu_);
  auto it = entries_.upper_bound(at.value());
  if (it == entries_.begin()) return absl::NotFoundError("no such position");
  --it;
  const uint64_t from = at.value() - it->first;
  const SharedBytes& body = it->second.body;
  if (from + size > body.size()) return absl::NotFoundError("no such position");
  return std::string(body.view().substr(from, size));
}

absl::StatusOr<store::FoundMessage> DirectLog::FindMessage(const store::EntryRange&,
                                                           BytePosition at) const {
  MutexLock lock(&mu_);
  auto it = entries_.upper_bound(at.value());
  if (it == entries_.begin()) return absl::NotFoundError("no such position");
  return store::FindMessage(std::prev(it)->second, at);
}

}  // namespace totora::service
