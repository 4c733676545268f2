#include "broker/service/prompt_answers.h"

#include <xxhash.h>

namespace totora::service {
namespace {

// A program that sends one message in a loop notes it once in so long.
constexpr absl::Duration kNoteAgain = absl::Seconds(30);

uint64_t KeyOf(uint64_t connection, absl::string_view id_hash) {
  return XXH3_64bits_withSeed(id_hash.data(), id_hash.size(), connection);
}

}  // namespace

void PromptAnswers::Answered(uint64_t connection, absl::string_view id_hash, absl::Duration took,
                             absl::Duration now) {
  if (took > kPrompt || id_hash.empty()) return;
  const uint64_t key = KeyOf(connection, id_hash);
  MutexLock lock(&mu_);
  const auto [it, is_new] = noted_.try_emplace(key, now);
  if (!is_new) {
    if (now - it->second < kNoteAgain) return;
    it->second = now;
  }
  by_time_.push_back({key, now});
  while (by_time_.size() > ids_max_ || by_time_.front().at + kRemembered < now) {
    const Noted oldest = by_time_.front();
    by_time_.pop_front();
    auto found = noted_.find(oldest.key);
    if (found != noted_.end() && found->second == oldest.at) noted_.erase(found);
  }
}

bool PromptAnswers::IsDeliberate(uint64_t connection, absl::string_view id_hash,
                                 absl::Duration now) const {
  if (id_hash.empty()) return false;
  MutexLock lock(&mu_);
  auto found = noted_.find(KeyOf(connection, id_hash));
  return found != noted_.end() && found->second + kRemembered >= now;
}

size_t PromptAnswers::size() const {
  MutexLock lock(&mu_);
  return noted_.size();
}

}  // namespace totora::service
