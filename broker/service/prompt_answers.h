// Tells a repeat that is meant from one that is a retry.
//
// A classic program may send the same Message object twice on purpose, and both
// carry the same id. Whoever was answered on a connection, and so soon that
// nobody can have given up waiting, has no reason to try again there: the
// repeat is deliberate. Every other repeat counts as a retry and is stored once.
#ifndef TOTORA_BROKER_SERVICE_PROMPT_ANSWERS_H_
#define TOTORA_BROKER_SERVICE_PROMPT_ANSWERS_H_

#include <cstdint>
#include <deque>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/mutex.h"

namespace totora::service {

// Thread safety: monitor.
class PromptAnswers {
 public:
  // Clients wait 3 s.
  static constexpr absl::Duration kPrompt = absl::Milliseconds(2500);
  // A little longer than the window of ids remembers a message (5 min).
  static constexpr absl::Duration kRemembered = absl::Minutes(6);
  // Of all connections. When more are answered within kRemembered, the oldest
  // are forgotten: their deliberate repeats are taken for retries.
  static constexpr size_t kIdsMax = 1'000'000;

  explicit PromptAnswers(size_t ids_max = kIdsMax) : ids_max_(ids_max) {}

  // The answer for `id_hash`, which came over `connection`, was written `took`
  // after its request. Times are of one steady clock.
  void Answered(uint64_t connection, absl::string_view id_hash, absl::Duration took,
                absl::Duration now) ABSL_LOCKS_EXCLUDED(mu_);

  // Whether `id_hash` coming again over `connection` is meant.
  bool IsDeliberate(uint64_t connection, absl::string_view id_hash, absl::Duration now) const
      ABSL_LOCKS_EXCLUDED(mu_);

  size_t size() const ABSL_LOCKS_EXCLUDED(mu_);

 private:
  struct Noted {
    uint64_t key;
    absl::Duration at;
  };

  const size_t ids_max_;

  mutable Mutex mu_;  // Leaf.
  // When a key was last noted. Keys are hashes of connection and id.
  absl::flat_hash_map<uint64_t, absl::Duration> noted_ ABSL_GUARDED_BY(mu_);
  std::deque<Noted> by_time_ ABSL_GUARDED_BY(mu_);
};

}  // namespace totora::service

#endif  // TOTORA_BROKER_SERVICE_PROMPT_ANSWERS_H_
