// The books of a crash test: what producers were promised, what the log holds,
// what a consumer got, and every contradiction between the three.
//
// The promises:
//   - an acknowledged message is in the log, once, on every replica alike;
//   - a message whose send failed is there at most once;
//   - a producer that waits for each answer finds its messages in the order in
//     which it sent them, in each queue and in the whole log;
//   - nothing is in the log that nobody sent;
//   - a consumer gets every acknowledged message, with the bytes that were sent.
//
// Nothing here knows a clock, a socket or a process, so that each promise can
// be broken on purpose in ledger_test.cc.
#ifndef TOTORA_TESTS_INTEGRATION_LEDGER_H_
#define TOTORA_TESTS_INTEGRATION_LEDGER_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"

namespace totora::integration {

// Who sent a message, and as its how-manyth. Sequences count from 1 and grow
// by one from a producer's message to its next.
struct Origin {
  uint32_t producer = 0;
  uint64_t sequence = 0;
  friend bool operator==(const Origin&, const Origin&) = default;
};

// The body of a message: its origin in clear, then bytes that only depend on
// the origin and the run's seed. Between 32 and `size_max` bytes long.
std::string MakeBody(uint64_t seed, Origin origin, size_t size_max);

// False if `body` is not what MakeBody makes for the origin that it names.
bool ReadBody(uint64_t seed, absl::string_view body, size_t size_max, Origin* origin);

// One message as one replica's log holds it.
struct StoredMessage {
  std::string message_id;
  uint32_t queue_id = 0;
  uint64_t queue_offset = 0;
  uint64_t position = 0;
  uint32_t body_crc = 0;
  friend bool operator==(const StoredMessage&, const StoredMessage&) = default;
};

struct ReceivedBody {
  std::string message_id;
  std::string body;
};

struct Verdict {
  uint64_t acknowledged = 0;
  uint64_t unknown = 0;          // Sent, never acknowledged.
  uint64_t unknown_stored = 0;   // Of these, in the log all the same.
  uint64_t lost = 0;             // Acknowledged and not in the log.
  uint64_t stored_twice = 0;
  uint64_t out_of_order = 0;
  uint64_t strangers = 0;        // In the log and sent by nobody.
  uint64_t replicas_differ = 0;  // Messages in which a replica's log differs from the first's.
  uint64_t not_consumed = 0;     // Acknowledged and never delivered.
  uint64_t wrong_content = 0;
  uint64_t consumed_again = 0;   // Deliveries beyond a message's first.
  // The first few contradictions, in words.
  std::vector<std::string> examples;

  // True if no promise was broken. Repeated deliveries are none: delivery is
  // at least once.
  bool Kept() const {
    return lost + stored_twice + out_of_order + strangers + replicas_differ + not_consumed +
               wrong_content ==
           0;
  }
  std::string Describe() const;
};

// Thread safety: none; one Ledger belongs to one thread at a time. Producers
// keep books of their own, and hand them over at the end with Add.
class Ledger {
 public:
  // What one producer did, in the order in which it did it.
  struct Send {
    std::string message_id;
    uint64_t sequence = 0;
    bool is_acknowledged = false;
    int64_t queue_offset = -1;  // As its receipt said.
  };

  Ledger(uint64_t seed, size_t body_size_max) : seed_(seed), body_size_max_(body_size_max) {}

  // REQUIRES: a number used once.
  void Add(uint32_t producer, std::vector<Send> sends);

  // Compares. `logs` are the logs of all replicas, by name, each message by
  // message in any order; `received` may be null: nothing was consumed.
  Verdict Judge(const std::map<std::string, std::vector<StoredMessage>>& logs,
                const std::vector<ReceivedBody>* received) const;

  uint64_t acknowledged() const;
  bool IsAcknowledged(const std::string& message_id) const;

 private:
  struct Known {
    Origin origin;
    bool is_acknowledged = false;
    int64_t queue_offset = -1;
  };

  void JudgeLog(const std::vector<StoredMessage>& log, Verdict* verdict) const;
  void JudgeOrder(const std::vector<StoredMessage>& log, Verdict* verdict) const;
  void JudgeReplicas(const std::map<std::string, std::vector<StoredMessage>>& logs,
                     Verdict* verdict) const;
  void JudgeConsumed(const std::vector<ReceivedBody>& received, Verdict* verdict) const;

  const uint64_t seed_;
  const size_t body_size_max_;
  absl::flat_hash_map<std::string, Known> by_id_;
};

}  // namespace totora::integration

#endif  // TOTORA_TESTS_INTEGRATION_LEDGER_H_
