// Tells a repeat that is meant from one that is a retry.
//
// A classic program may send the same Message object twice on purpose, and both
// carry the same id. A client tries again only when it was told of a failure or
// has waited in vain; so a repeat over the same live connection is meant
//
//   - if the last request of that id was answered in time with success, the time
//     included for which it must have lain unread: the client sent the two
//     further apart than we read them, or
//   - if it came so soon behind the last one, by our clock and by the client's,
//     that nobody can have waited: loops of asynchronous sends, and of Go's
//     one-way sends, which look like any other.
//
// Every other repeat counts as a retry and is stored once, unless the first is
// older than kRetryWindow.
#ifndef TOTORA_BROKER_SERVICE_DELIBERATE_REPEATS_H_
#define TOTORA_BROKER_SERVICE_DELIBERATE_REPEATS_H_

#include <cstdint>
#include <deque>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/mutex.h"

namespace totora::service {

// Thread safety: monitor.
class DeliberateRepeats {
 public:
  // Of classic sends, in time passed: clients try up to four times, 3 s each, and
  // each try that is answered begins it anew (store::SendItem).
  static constexpr absl::Duration kRetryWindow = absl::Seconds(15);
  // Clients wait 3 s.
  static constexpr absl::Duration kPrompt = absl::Milliseconds(2500);
  // A program may set a shorter time than 3 s, but none that a busy disk exceeds.
  static constexpr absl::Duration kNobodyWaits = absl::Milliseconds(500);
  // Since an id was noted. Longer than the window, which stands still for moments
  // while nobody leads, and all that may lie between a note and the last answer.
  static constexpr absl::Duration kRemembered = absl::Seconds(25);
  // Of all connections, 45 MB. When more come within kRemembered, the oldest are
  // forgotten: their deliberate repeats are taken for retries.
  static constexpr size_t kIdsMax = 900'000;

  explicit DeliberateRepeats(size_t ids_max = kIdsMax) : ids_max_(ids_max) {}

  struct Request {
    uint64_t connection = 0;
    absl::string_view id_hash;   // Empty: of no interest.
    int64_t born_ms = 0;         // By the client's clock.
    absl::Duration arrived;      // By a steady clock, the same in all calls.
  };
  // A request is about to be submitted, in the order of its connection. True if
  // it repeats another one on purpose. Answered follows.
  bool Arrived(const Request& request) ABSL_LOCKS_EXCLUDED(mu_);

  // `request` is about to be answered. Nothing may be stored of one that failed,
  // or all of it.
  void Answered(const Request& request, bool was_stored, absl::Duration now)
      ABSL_LOCKS_EXCLUDED(mu_);

  size_t size() const ABSL_LOCKS_EXCLUDED(mu_);

 private:
  // Instead of the time that the last answer took.
  static constexpr uint16_t kNoAnswer = 0xffff;
  static constexpr uint16_t kFailed = 0xfffe;
  // Of one id on one connection. Times are low halves of ms: only differences
  // of a few seconds are looked at.
  struct Note {
    uint32_t noted = 0;
    uint32_t arrived = 0;              // The last request,
    uint32_t born = 0;                 // likewise.
    uint16_t open = 0;                 // Requests that are not answered yet.
    uint16_t answer_ms = kNoAnswer;    // From arrival to the last answer.
  };
  struct Noted {
    uint64_t key;
    uint32_t at;
  };

  static bool IsMeant(const Note& before, const Request& request);
  void Forget(uint32_t now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const size_t ids_max_;

  mutable Mutex mu_;  // Leaf.
  // Keys are hashes of connection and id.
  absl::flat_hash_map<uint64_t, Note> notes_ ABSL_GUARDED_BY(mu_);
  std::deque<Noted> by_time_ ABSL_GUARDED_BY(mu_);
};

}  // namespace totora::service

#endif  // TOTORA_BROKER_SERVICE_DELIBERATE_REPEATS_H_
