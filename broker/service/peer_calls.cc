#include "broker/service/peer_calls.h"

#include <utility>
#include <vector>

#include "common/clock.h"
#include "common/coding.h"

namespace totora::service {
namespace {

// u8 kind and version, u64 number of the question, then bytes of who asks and
// answers. Sessions have the small numbers.
constexpr uint8_t kQuestion = 0x91;
constexpr uint8_t kAnswer = 0x92;
constexpr uint8_t kTooLarge = 0x93;  // The answer is.

}  // namespace

PeerCalls::PeerCalls(CommandLog* log, Executor* executor)
    : log_(log),
      executor_(executor),
      next_id_(static_cast<uint64_t>(absl::ToUnixMicros(executor->clock().WallNow()))) {}

void PeerCalls::Send(ReplicaId to, uint8_t kind, uint64_t id, absl::string_view bytes) {
  std::string message;
  message.reserve(bytes.size() + 16);
  AppendU8(&message, kind);
  AppendU64(&message, id);
  message.append(bytes.data(), bytes.size());
  log_->SendToPeer(to, std::move(message));
}

void PeerCalls::Ask(ReplicaId peer, absl::string_view question, absl::Duration timeout,
                    Done done) {
  if (question.size() > kBytesMax) {
    done(absl::ResourceExhaustedError("too large to be passed on to another replica"));
    return;
  }
  if (open_.size() >= kOpenMax) {
    done(absl::ResourceExhaustedError("too many questions to other replicas are open"));
    return;
  }
  const uint64_t id = next_id_++;
  open_[id] = {peer, std::move(done)};
  executor_->PostAfter(timeout, [this, id, alive = std::weak_ptr<bool>(is_alive_)] {
    if (alive.expired()) return;
    Finish(id, absl::DeadlineExceededError("the other replica did not answer in time"));
  });
  Send(peer, kQuestion, id, question);
}

void PeerCalls::Finish(uint64_t id, absl::StatusOr<std::string> answer) {
  auto it = open_.find(id);
  if (it == open_.end()) return;
  Done done = std::move(it->second.done);
  open_.erase(it);
  done(std::move(answer));
}

bool PeerCalls::IsPeerMessage(absl::string_view bytes) {
  if (bytes.empty()) return false;
  const auto kind = static_cast<uint8_t>(bytes.front());
  return kind == kQuestion || kind == kAnswer || kind == kTooLarge;
}

void PeerCalls::PeerMessage(ReplicaId from, absl::string_view bytes) {
  Reader reader(bytes);
  const uint8_t kind = reader.U8();
  const uint64_t id = reader.U64();
  if (!reader.ok()) return;
  if (kind == kAnswer || kind == kTooLarge) {
    auto it = open_.find(id);
    if (it == open_.end() || it->second.peer != from) return;
    if (kind == kAnswer) {
      Finish(id, std::string(reader.rest()));
    } else {
      Finish(id, absl::ResourceExhaustedError("the answer is too large to be passed on"));
    }
    return;
  }
  if (kind != kQuestion || handler_ == nullptr) return;
  handler_(std::string(reader.rest()),
           [this, from, id, executor = executor_,
            alive = std::weak_ptr<bool>(is_alive_)](std::string answer) {
             executor->Post([this, from, id, answer = std::move(answer), alive] {
               if (alive.expired()) return;
               const bool fits = answer.size() <= kBytesMax;
               Send(from, fits ? kAnswer : kTooLarge, id, fits ? answer : "");
             });
           });
}

void PeerCalls::PeerDown(ReplicaId peer) {
  std::vector<uint64_t> lost;
  for (const auto& [id, open] : open_) {
    if (open.peer == peer) lost.push_back(id);
  }
  for (const uint64_t id : lost) {
    Finish(id, absl::UnavailableError("the other replica is gone"));
  }
}

}  // namespace totora::service
