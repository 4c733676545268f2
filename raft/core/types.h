// The vocabulary of the protocol core: entries as it sees them, the messages
// between replicas, and what it asks of its driver.
//
// The core knows an entry's place and size, never its bytes.
#ifndef TOTORA_RAFT_CORE_TYPES_H_
#define TOTORA_RAFT_CORE_TYPES_H_

#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

#include "common/types.h"

namespace totora::raft {

enum class EntryType : uint8_t {
  kNoop = 0,          // The first entry of each leader (§6.4, §5.4.2).
  kConfiguration = 1, // Who votes, each voter bound to the id of its volume.
  kCommands = 2,      // What the state machine applies.
  kFeatureLevel = 3,  // From here on the group may use what this level allows.
};

struct EntryMeta {
  LogIndex index;
  Term term;
  EntryType type = EntryType::kCommands;
  // On disk and on the wire, header included. In an AppendRequest 0 means that
  // the sender's core has forgotten it, and `type` with it: the driver that
  // attaches the bytes knows better, and the receiving driver fills both in
  // from the frames before it hands the message to its core.
  uint32_t bytes = 0;

  friend bool operator==(const EntryMeta&, const EntryMeta&) = default;
};

// What must be durable before any message that depends on it leaves (§3.8).
struct HardState {
  Term term;
  ReplicaId voted_for;  // 0 = nobody in this term.

  friend bool operator==(const HardState&, const HardState&) = default;
};

// The first index of each term that the log holds, ascending in both. A log of
// thousands of elections is a few kilobytes here; it answers every question
// about terms (previous term, conflicts).
struct TermStart {
  Term term;
  LogIndex first;

  friend bool operator==(const TermStart&, const TermStart&) = default;
};

// What the last run left on disk.
struct RecoveredState {
  HardState hard_state;
  LogIndex last_index;            // 0 = empty log.
  std::vector<TermStart> terms;   // Covers 1..last_index.
  // Known to be committed, for example because a checkpoint has applied it.
  // Guards against a leader that would overwrite it.
  LogIndex commit = LogIndex();
};

// --- Messages. Every one carries the sender's term. -----------------------

struct VoteRequest {
  Term term{};  // Of the election; in a pre-vote the term it would have.
  LogIndex last_index{};
  Term last_term{};
  bool is_pre_vote = false;
  // The leader asked for this election (TimeoutNow): stickiness does not apply.
  bool is_transfer = false;
};

struct VoteReply {
  Term term{};
  bool is_pre_vote = false;
  bool is_granted = false;
};

// Entries (or none) behind prev_index. The driver attaches their bytes.
struct AppendRequest {
  Term term{};
  LogIndex prev_index{};
  Term prev_term{};
  std::vector<EntryMeta> entries{};
  LogIndex commit{};
};

struct AppendReply {
  Term term{};
  bool is_success = false;
  // Success: the follower's log is durable and equal to the leader's up to here.
  // Failure: the prev_index that was refused.
  LogIndex index{};
  // Failure: where the leader should try next: the follower's log has term
  // `hint_term` at `hint_index`, and nothing behind that can match. Whole terms
  // are skipped on both sides.
  LogIndex hint_index{};
  Term hint_term{};
};

struct Heartbeat {
  Term term{};
  LogIndex commit{};    // min(leader's commit, what this follower has acknowledged).
  // Confirms leadership for reads (§6.4) and check-quorum. 0: only news of the
  // commit index, which is not answered.
  uint64_t round = 0;
};

struct HeartbeatReply {
  Term term{};
  uint64_t round = 0;
};

struct TimeoutNow {
  Term term{};
};

// A follower asks for the leader's read index.
struct ReadIndexRequest {
  Term term{};
  // Comes back. Not the id of Core::ReadIndex: a late answer to a request that
  // was given up must never answer a newer one.
  uint64_t id = 0;
};

struct ReadIndexReply {
  Term term{};
  uint64_t id = 0;
  LogIndex index{};  // 0: refused (not the leader, or no entry of its term committed).
};

using Message = std::variant<VoteRequest, VoteReply, AppendRequest, AppendReply, Heartbeat,
                             HeartbeatReply, TimeoutNow, ReadIndexRequest, ReadIndexReply>;

struct Envelope {
  ReplicaId to;
  Message message;
};

// The answer to Core::ReadIndex: state applied up to `index` is recent enough.
struct ReadState {
  uint64_t id = 0;
  std::optional<LogIndex> index;  // Empty: no leader confirmed it, ask again.
};

enum class Role { kFollower, kPreCandidate, kCandidate, kLeader };

// Size of the entry that a new leader proposes itself. It appears in
// Output::entries and in AppendRequests like any other, with type kNoop; the
// driver makes its frame, which is a header and nothing else.
inline constexpr uint32_t kNoopBytes = 64;

// Everything a Core wants done. Empty fields ask for nothing.
struct Output {
  // Persist first, in this order: hard_state, then cut the log behind
  // entries[0].index - 1 if it reaches there, then append `entries`.
  std::optional<HardState> hard_state;
  std::vector<EntryMeta> entries;
  std::vector<Envelope> messages_now;            // May leave at once.
  std::vector<Envelope> messages_after_persist;  // Only when all above, of this and of every
                                                 // earlier Output, is durable.
  std::optional<LogIndex> commit;  // Advanced to here: apply up to it, in order.
  std::vector<ReadState> reads;
  bool has_role_changed = false;   // Role, term or known leader: read them from the Core.

  bool empty() const {
    return !hard_state && entries.empty() && messages_now.empty() &&
           messages_after_persist.empty() && !commit && reads.empty() && !has_role_changed;
  }
};

}  // namespace totora::raft

#endif  // TOTORA_RAFT_CORE_TYPES_H_
