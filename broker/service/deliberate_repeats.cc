#include "broker/service/deliberate_repeats.h"

#include <xxhash.h>

#include <algorithm>
#include <cstdlib>
#include <limits>

namespace totora::service {
namespace {

// A program that sends one message in a loop notes it once in so long. With it,
// the window of retries and kPrompt there is some time left to kRemembered.
constexpr absl::Duration kNoteAgain = absl::Seconds(5);

uint64_t KeyOf(uint64_t connection, absl::string_view id_hash) {
  return XXH3_64bits_withSeed(id_hash.data(), id_hash.size(), connection);
}

uint32_t Millis(absl::Duration time) {
  return static_cast<uint32_t>(absl::ToInt64Milliseconds(time));
}

// Of two times that lie close together; either may be the later one.
absl::Duration Between(uint32_t from, uint32_t to) {
  return absl::Milliseconds(static_cast<int32_t>(to - from));
}

}  // namespace

bool DeliberateRepeats::IsMeant(const Note& before, const Request& request) {
  if (before.answer_ms == kFailed) return false;
  const absl::Duration ours = Between(before.arrived, Millis(request.arrived));
  const absl::Duration clients = Between(before.born, static_cast<uint32_t>(request.born_ms));
  if (before.open == 0 && before.answer_ms != kNoAnswer) {
    // At least: the repeat may have lain unread, too. Asynchronous retries of Java
    // carry the time of the first request, and show nothing here.
    const absl::Duration unread = std::max(clients - ours, absl::ZeroDuration());
    if (unread + absl::Milliseconds(before.answer_ms) <= kPrompt) return true;
  }
  return absl::AbsDuration(ours) < kNobodyWaits && absl::AbsDuration(clients) < kNobodyWaits;
}

bool DeliberateRepeats::Arrived(const Request& request) {
  if (request.id_hash.empty()) return false;
  const uint64_t key = KeyOf(request.connection, request.id_hash);
  const uint32_t now = Millis(request.arrived);
  MutexLock lock(&mu_);
  Forget(now);
  const auto [it, is_new] = notes_.try_emplace(key);
  Note& note = it->second;
  const bool is_meant = !is_new && IsMeant(note, request);
  note.arrived = now;
  note.born = static_cast<uint32_t>(request.born_ms);
  if (note.open < std::numeric_limits<uint16_t>::max()) ++note.open;
  if (is_new || Between(note.noted, now) >= kNoteAgain) {
    note.noted = now;
    by_time_.push_back({key, now});
    Forget(now);
  }
  return is_meant;
}

void DeliberateRepeats::Answered(const Request& request, bool was_stored, absl::Duration now) {
  if (request.id_hash.empty()) return;
  MutexLock lock(&mu_);
  auto found = notes_.find(KeyOf(request.connection, request.id_hash));
  if (found == notes_.end()) return;
  Note& note = found->second;
  if (note.open > 0) --note.open;
  if (!was_stored) {
    note.answer_ms = kFailed;
  } else {
    // Rounded up, so that kPrompt is the most.
    const int64_t took = absl::ToInt64Milliseconds(now - request.arrived + absl::Microseconds(999));
    note.answer_ms = static_cast<uint16_t>(std::clamp<int64_t>(took, 0, kFailed - 1));
  }
}

void DeliberateRepeats::Forget(uint32_t now) {
  while (!by_time_.empty() && (by_time_.size() > ids_max_ ||
                               Between(by_time_.front().at, now) > kRemembered)) {
    const Noted oldest = by_time_.front();
    by_time_.pop_front();
    auto found = notes_.find(oldest.key);
    if (found != notes_.end() && found->second.noted == oldest.at) notes_.erase(found);
  }
}

size_t DeliberateRepeats::size() const {
  MutexLock lock(&mu_);
  return notes_.size();
}

}  // namespace totora::service
