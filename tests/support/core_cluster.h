// Several Cores in one thread, with a network and disks that tests steer: the
// smallest driver that keeps all promises of Output.
//
// Everything waits until it is told to happen. Messages lie in the network
// until they are delivered, dropped or repeated; what a Core wants persisted
// lies before its disk, and what was not persisted is gone after a crash.
// Deliver() lets everything happen that can.
//
// After every step the cluster checks what Raft promises (paper, figure 3):
// one leader a term, matching logs, complete leaders, one committed entry an
// index; that a committed entry lies on a majority of disks; and that a read
// index is not older than what was committed when it was asked for. A broken
// promise fails the running test.
//
// Thread safety: confined.
#ifndef TOTORA_TESTS_SUPPORT_CORE_CLUSTER_H_
#define TOTORA_TESTS_SUPPORT_CORE_CLUSTER_H_

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "raft/core/core.h"
#include "raft/core/types.h"

namespace totora::raft {

inline constexpr ReplicaId kN1(1);
inline constexpr ReplicaId kN2(2);
inline constexpr ReplicaId kN3(3);
inline constexpr ReplicaId kN4(4);
inline constexpr ReplicaId kN5(5);

// One line, for traces and failures: "append 1->2 t2 prev=3/1 [4:2 5:2] commit=3".
std::string Describe(const Message& message);
absl::string_view RoleName(Role role);

class CoreCluster {
 public:
  struct Packet {
    ReplicaId from;
    ReplicaId to;
    Message message;
  };
  using Filter = std::function<bool(const Packet&)>;

  // Replicas 1..n with empty logs. `base` gives everything but self and voters.
  explicit CoreCluster(int replicas, CoreConfig base = {});

  // Each string is one replica's log, one entry per number, the number its
  // term. Nothing of it counts as committed.
  static CoreCluster WithLogs(const std::vector<std::string>& logs, CoreConfig base = {});

  // --- Inputs of one replica. Nothing is delivered by them.
  void Campaign(ReplicaId id);
  absl::StatusOr<EntryMeta> Propose(ReplicaId id, absl::string_view payload = "x",
                                    uint32_t bytes = 100);
  void Tick(ReplicaId id, int ticks = 1);
  void Suspect(ReplicaId id);
  absl::Status Transfer(ReplicaId from, ReplicaId to);
  void Read(ReplicaId id, uint64_t read);
  void PeerReconnected(ReplicaId id, ReplicaId peer);
  void Step(ReplicaId to, ReplicaId from, const Message& message);

  // --- Time: one tick of every live replica, then everything is delivered,
  // `ticks` times.
  void Run(int ticks);

  // --- Network.
  // Delivers and persists until nothing moves any more. Held disks stay still.
  void Deliver();
  // Delivers what is in flight now and fits, not what it causes. Returns how many.
  int DeliverOnly(const Filter& filter, int max = 1 << 30);
  int Drop(const Filter& filter, int max = 1 << 30);
  // Puts a second copy of what fits behind everything else in flight.
  int Duplicate(const Filter& filter);
  void Shuffle(uint64_t seed);
  // Nothing goes from `from` to `to` any more; what is in flight is lost.
  void Cut(ReplicaId from, ReplicaId to);
  void Isolate(ReplicaId id);
  // Mends every link. The streams that had been cut are opened anew, unless
  // `quietly`: then nobody notices.
  void Heal(bool quietly = false);
  const std::deque<Packet>& in_flight() const { return network_; }

  // --- Disks. A disk that is held persists only when told to.
  void HoldDisk(ReplicaId id);
  void ReleaseDisk(ReplicaId id);
  // Persists the oldest Output that waits. False if there is none.
  bool PersistOne(ReplicaId id);
  void Persist(ReplicaId id);
  size_t WaitingForDisk(ReplicaId id) const;
  // From now on the Core learns late what its disk has: Report() tells it the
  // oldest completion. Messages that waited for the disk leave nevertheless.
  void MuteDisk(ReplicaId id) { node(id).is_disk_muted = true; }
  bool Report(ReplicaId id);

  // --- Processes.
  struct Torn {
    int outputs = 0;  // So many waiting Outputs reached the disk, unreported.
    int entries = 0;  // And so many entries of the next one, after its hard state.
  };
  void Crash(ReplicaId id) { Crash(id, Torn{}); }
  void Crash(ReplicaId id, Torn torn);
  void Restart(ReplicaId id);
  bool IsUp(ReplicaId id) const { return node(id).core != nullptr; }

  // --- Looking.
  Core& core(ReplicaId id) { return *node(id).core; }
  const Core& core(ReplicaId id) const { return *node(id).core; }
  std::vector<ReplicaId> ids() const;
  // The live leader of the highest term, if any.
  std::optional<ReplicaId> Leader() const;
  // Terms, as WithLogs takes them.
  std::string LogOf(ReplicaId id) const;
  std::string DiskOf(ReplicaId id) const;
  // Terms with what was proposed: "1:noop 1:paid order 17".
  std::string EntriesOf(ReplicaId id) const;
  LogIndex CommitOf(ReplicaId id) const { return core(id).commit_index(); }
  const HardState& DiskHardStateOf(ReplicaId id) const { return node(id).disk_hard; }
  // Answers so far, oldest first.
  const std::vector<ReadState>& ReadsOf(ReplicaId id) const { return node(id).reads; }
  // Called for each packet that is delivered.
  void set_trace(std::function<void(const Packet&)> trace) { trace_ = std::move(trace); }
  // The highest index that any replica has called committed.
  LogIndex MaxCommit() const;

 private:
  struct Node {
    CoreConfig config;
    std::unique_ptr<Core> core;  // Null while crashed.
    HardState disk_hard;
    std::vector<EntryMeta> disk_log;
    std::deque<Output> waiting;  // Oldest first.
    bool is_disk_held = false;
    bool is_disk_muted = false;
    std::deque<EntryMeta> reports;  // Completions that the Core has not heard of.
    LogIndex applied;
    std::vector<ReadState> reads;
    int lives = 0;
  };
  // What an entry is, wherever it lies: leaders are alone in their term, so
  // (index, term) names it.
  struct Known {
    EntryType type;
    uint32_t bytes;
    Term prev_term;
    std::string payload;
  };
  struct Committed {
    Term term;
    Term committed_in;  // Of the replica that first said so.
  };

  Node& node(ReplicaId id) { return *nodes_.at(id.value() - 1); }
  const Node& node(ReplicaId id) const { return *nodes_.at(id.value() - 1); }
  void Start(ReplicaId id);
  // Takes the Core's output and carries it out as far as that needs no disk.
  void Collect(ReplicaId id);
  void Send(ReplicaId from, const std::vector<Envelope>& envelopes);
  void WriteToDisk(Node* node, const Output& output, size_t entries_max);
  void CheckEntries(ReplicaId id, const Output& output);
  void CheckCommit(ReplicaId id, LogIndex commit);
  void CheckLeader(ReplicaId id);
  void CheckRead(ReplicaId id, const ReadState& read);
  bool IsCut(ReplicaId from, ReplicaId to) const { return cut_.count({from, to}) > 0; }
  void Arrive(Packet packet);
  std::string Entry(LogIndex index, Term term) const;

  std::vector<std::unique_ptr<Node>> nodes_;
  std::deque<Packet> network_;
  std::set<std::pair<ReplicaId, ReplicaId>> cut_;
  std::map<std::pair<LogIndex, Term>, Known> known_;
  std::map<LogIndex, Committed> committed_;
  std::map<Term, ReplicaId> leaders_;
  // Unanswered reads, and what was committed when they were asked.
  std::map<std::pair<ReplicaId, uint64_t>, LogIndex> open_reads_;
  std::function<void(const Packet&)> trace_;
};

}  // namespace totora::raft

#endif  // TOTORA_TESTS_SUPPORT_CORE_CLUSTER_H_
