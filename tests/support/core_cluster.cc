#include "tests/support/core_cluster.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/check.h"
#include "gtest/gtest.h"

namespace totora::raft {
namespace {

// More deliveries than any test needs: replicas that talk for ever are a bug.
constexpr int kDeliveriesMax = 200000;

std::vector<TermStart> RunsOf(const std::vector<EntryMeta>& log) {
  std::vector<TermStart> runs;
  for (const EntryMeta& entry : log) {
    if (runs.empty() || runs.back().term != entry.term) runs.push_back({entry.term, entry.index});
  }
  return runs;
}

struct Describer {
  std::string operator()(const VoteRequest& m) const {
    return absl::StrCat(m.is_pre_vote ? "pre-vote" : "vote", m.is_transfer ? " (transfer)" : "",
                        " t", m.term.value(), " last=", m.last_index.value(), "/",
                        m.last_term.value());
  }
  std::string operator()(const VoteReply& m) const {
    return absl::StrCat(m.is_pre_vote ? "pre-vote" : "vote",
                        m.is_granted ? " granted t" : " refused t", m.term.value());
  }
  std::string operator()(const AppendRequest& m) const {
    std::string entries;
    if (!m.entries.empty()) {
      entries = absl::StrCat(" entries=", m.entries.front().index.value(), "..",
                             m.entries.back().index.value());
    }
    return absl::StrCat("append t", m.term.value(), " prev=", m.prev_index.value(), "/",
                        m.prev_term.value(), entries, " commit=", m.commit.value());
  }
  std::string operator()(const AppendReply& m) const {
    if (m.is_success) return absl::StrCat("appended t", m.term.value(), " ", m.index.value());
    return absl::StrCat("append refused t", m.term.value(), " prev=", m.index.value(),
                        " hint=", m.hint_index.value(), "/", m.hint_term.value());
  }
  std::string operator()(const Heartbeat& m) const {
    if (m.round == 0) return absl::StrCat("commit t", m.term.value(), " ", m.commit.value());
    return absl::StrCat("heartbeat t", m.term.value(), " round=", m.round,
                        " commit=", m.commit.value());
  }
  std::string operator()(const HeartbeatReply& m) const {
    return absl::StrCat("heard t", m.term.value(), " round=", m.round);
  }
  std::string operator()(const TimeoutNow& m) const {
    return absl::StrCat("timeout-now t", m.term.value());
  }
  std::string operator()(const ReadIndexRequest& m) const {
    return absl::StrCat("read t", m.term.value());
  }
  std::string operator()(const ReadIndexReply& m) const {
    return absl::StrCat("read answer t", m.term.value(), " ", m.index.value());
  }
};

}  // namespace

std::string Describe(const Message& message) { return std::visit(Describer(), message); }

absl::string_view RoleName(Role role) {
  switch (role) {
    case Role::kFollower: return "follower";
    case Role::kPreCandidate: return "pre-candidate";
    case Role::kCandidate: return "candidate";
    case Role::kLeader: return "leader";
  }
  return "?";
}

CoreCluster::CoreCluster(int replicas, CoreConfig base) {
  for (int i = 1; i <= replicas; ++i) base.voters.push_back(ReplicaId(i));
  for (ReplicaId id : base.voters) {
    nodes_.push_back(std::make_unique<Node>());
    base.self = id;
    nodes_.back()->config = base;
    Start(id);
  }
}

CoreCluster CoreCluster::WithLogs(const std::vector<std::string>& logs, CoreConfig base) {
  CoreCluster cluster(static_cast<int>(logs.size()), base);
  for (ReplicaId id : cluster.ids()) {
    Node& node = cluster.node(id);
    for (absl::string_view word :
         absl::StrSplit(logs[id.value() - 1], ' ', absl::SkipWhitespace())) {
      uint64_t term;
      TOTORA_CHECK(absl::SimpleAtoi(word, &term)) << word;
      const Term prev = node.disk_log.empty() ? Term() : node.disk_log.back().term;
      const EntryMeta entry{LogIndex(node.disk_log.size() + 1), Term(term), EntryType::kCommands,
                            100};
      node.disk_log.push_back(entry);
      node.disk_hard.term = entry.term;
      cluster.known_.emplace(std::make_pair(entry.index, entry.term),
                             Known{entry.type, entry.bytes, prev, ""});
    }
    cluster.Start(id);
  }
  return cluster;
}

void CoreCluster::Start(ReplicaId id) {
  Node& n = node(id);
  CoreConfig config = n.config;
  config.seed = n.config.seed * 1000 + id.value() * 100 + n.lives++;
  n.core = std::make_unique<Core>(
      config, RecoveredState{.hard_state = n.disk_hard,
                             .last_index = LogIndex(n.disk_log.size()),
                             .terms = RunsOf(n.disk_log)});
  n.applied = LogIndex();
}

// --- Inputs. ----------------------------------------------------------------

void CoreCluster::Campaign(ReplicaId id) {
  core(id).Campaign();
  Collect(id);
}

absl::StatusOr<EntryMeta> CoreCluster::Propose(ReplicaId id, absl::string_view payload,
                                               uint32_t bytes) {
  absl::StatusOr<EntryMeta> entry = core(id).Propose(EntryType::kCommands, bytes);
  if (entry.ok()) {
    const auto [at, is_new] = known_.emplace(
        std::make_pair(entry->index, entry->term),
        Known{EntryType::kCommands, bytes, core(id).TermAt(entry->index.Prev()),
              std::string(payload)});
    if (!is_new) ADD_FAILURE() << "entry " << entry->index << " of term " << entry->term << " twice";
  }
  Collect(id);
  return entry;
}

void CoreCluster::Tick(ReplicaId id, int ticks) {
  for (int i = 0; i < ticks; ++i) {
    core(id).Tick();
    Collect(id);
  }
}

void CoreCluster::Suspect(ReplicaId id) {
  core(id).SuspectLeader();
  Collect(id);
}

absl::Status CoreCluster::Transfer(ReplicaId from, ReplicaId to) {
  absl::Status status = core(from).TransferLeadership(to);
  Collect(from);
  return status;
}

void CoreCluster::Read(ReplicaId id, uint64_t read) {
  open_reads_[{id, read}] = MaxCommit();
  core(id).ReadIndex(read);
  Collect(id);
}

void CoreCluster::PeerReconnected(ReplicaId id, ReplicaId peer) {
  core(id).PeerReconnected(peer);
  Collect(id);
}

void CoreCluster::Step(ReplicaId to, ReplicaId from, const Message& message) {
  core(to).Step(from, message);
  Collect(to);
}

void CoreCluster::Run(int ticks) {
  for (int i = 0; i < ticks; ++i) {
    for (ReplicaId id : ids()) {
      if (IsUp(id)) Tick(id);
    }
    Deliver();
  }
}

// --- Network. ---------------------------------------------------------------

void CoreCluster::Send(ReplicaId from, const std::vector<Envelope>& envelopes) {
  for (const Envelope& envelope : envelopes) {
    if (IsCut(from, envelope.to)) continue;
    Packet packet{from, envelope.to, envelope.message};
    // A driver sends frames, and the receiving one reads kind and size there.
    if (AppendRequest* append = std::get_if<AppendRequest>(&packet.message)) {
      for (EntryMeta& entry : append->entries) {
        const auto found = known_.find({entry.index, entry.term});
        if (found == known_.end()) {
          ADD_FAILURE() << "sent an unknown entry " << entry.index << "/" << entry.term;
          continue;
        }
        entry.type = found->second.type;
        entry.bytes = found->second.bytes;
      }
    }
    network_.push_back(std::move(packet));
  }
}

void CoreCluster::Arrive(Packet packet) {
  if (!IsUp(packet.to) || IsCut(packet.from, packet.to)) return;
  if (trace_) trace_(packet);
  Step(packet.to, packet.from, packet.message);
}

void CoreCluster::Deliver() {
  for (int i = 0; i < kDeliveriesMax; ++i) {
    bool has_moved = false;
    for (ReplicaId id : ids()) {
      if (!node(id).is_disk_held && IsUp(id)) has_moved |= PersistOne(id);
    }
    if (!network_.empty()) {
      Packet packet = std::move(network_.front());
      network_.pop_front();
      Arrive(std::move(packet));
      has_moved = true;
    }
    if (!has_moved) return;
  }
  ADD_FAILURE() << "the replicas never stop talking; next: "
                << (network_.empty() ? "disk" : Describe(network_.front().message));
}

int CoreCluster::DeliverOnly(const Filter& filter, int max) {
  std::deque<Packet> chosen;
  std::deque<Packet> rest;
  for (Packet& packet : network_) {
    const bool fits = static_cast<int>(chosen.size()) < max && filter(packet);
    (fits ? chosen : rest).push_back(std::move(packet));
  }
  network_ = std::move(rest);
  for (Packet& packet : chosen) Arrive(std::move(packet));
  return static_cast<int>(chosen.size());
}

int CoreCluster::Drop(const Filter& filter, int max) {
  int dropped = 0;
  std::erase_if(network_, [&](const Packet& packet) {
    return dropped < max && filter(packet) && ++dropped > 0;
  });
  return dropped;
}

int CoreCluster::Duplicate(const Filter& filter) {
  std::vector<Packet> copies;
  std::copy_if(network_.begin(), network_.end(), std::back_inserter(copies), filter);
  network_.insert(network_.end(), copies.begin(), copies.end());
  return static_cast<int>(copies.size());
}

void CoreCluster::Shuffle(uint64_t seed) {
  for (size_t i = network_.size(); i > 1; --i) {
    seed = seed * 6364136223846793005 + 1442695040888963407;
    std::swap(network_[i - 1], network_[(seed >> 33) % i]);
  }
}

void CoreCluster::Cut(ReplicaId from, ReplicaId to) {
  cut_.insert({from, to});
  Drop([&](const Packet& packet) { return packet.from == from && packet.to == to; });
}

void CoreCluster::Isolate(ReplicaId id) {
  for (ReplicaId other : ids()) {
    if (other == id) continue;
    Cut(id, other);
    Cut(other, id);
  }
}

void CoreCluster::Heal(bool quietly) {
  const auto mended = std::exchange(cut_, {});
  if (quietly) return;
  for (const auto& [from, to] : mended) {
    if (IsUp(from)) PeerReconnected(from, to);
  }
}

// --- Disks and processes. -----------------------------------------------------

void CoreCluster::HoldDisk(ReplicaId id) { node(id).is_disk_held = true; }

void CoreCluster::ReleaseDisk(ReplicaId id) { node(id).is_disk_held = false; }

size_t CoreCluster::WaitingForDisk(ReplicaId id) const { return node(id).waiting.size(); }

void CoreCluster::WriteToDisk(Node* n, const Output& output, size_t entries_max) {
  if (output.hard_state) n->disk_hard = *output.hard_state;
  const size_t count = std::min(entries_max, output.entries.size());
  if (count == 0) return;
  const size_t kept = output.entries[0].index.value() - 1;
  TOTORA_CHECK(kept <= n->disk_log.size()) << "a hole in the log behind " << n->disk_log.size();
  n->disk_log.resize(kept);
  n->disk_log.insert(n->disk_log.end(), output.entries.begin(), output.entries.begin() + count);
}

bool CoreCluster::PersistOne(ReplicaId id) {
  Node& n = node(id);
  if (n.waiting.empty()) return false;
  Output output = std::move(n.waiting.front());
  n.waiting.pop_front();
  WriteToDisk(&n, output, output.entries.size());
  Send(id, output.messages_after_persist);
  if (!output.entries.empty()) n.reports.push_back(output.entries.back());
  if (!n.is_disk_muted) Report(id);
  return true;
}

bool CoreCluster::Report(ReplicaId id) {
  Node& n = node(id);
  if (n.reports.empty()) return false;
  const EntryMeta last = n.reports.front();
  n.reports.pop_front();
  n.core->LogDurable(last.index, last.term);
  Collect(id);
  return true;
}

void CoreCluster::Persist(ReplicaId id) {
  while (PersistOne(id)) continue;
}

void CoreCluster::Crash(ReplicaId id, Torn torn) {
  Node& n = node(id);
  for (; torn.outputs > 0 && !n.waiting.empty(); --torn.outputs) {
    WriteToDisk(&n, n.waiting.front(), n.waiting.front().entries.size());
    n.waiting.pop_front();
  }
  if (torn.entries > 0 && !n.waiting.empty()) {
    WriteToDisk(&n, n.waiting.front(), torn.entries);
  }
  n.waiting.clear();
  n.reports.clear();
  n.is_disk_muted = false;
  n.core.reset();
  std::erase_if(open_reads_, [id](const auto& read) { return read.first.first == id; });
  if (nodes_.size() > 1) return;
  // A voter without peers leads before its own vote is durable, because nothing
  // it proposes can be durable before that. So it may lead the same term twice.
  std::erase_if(known_, [&n](const auto& known) {
    const size_t at = known.first.first.value();
    return at > n.disk_log.size() || n.disk_log[at - 1].term != known.first.second;
  });
}

void CoreCluster::Restart(ReplicaId id) {
  Start(id);
  Collect(id);
  Drop([id](const Packet& packet) { return packet.to == id; });  // Sent on streams that broke.
  for (ReplicaId other : ids()) {
    if (other != id && IsUp(other)) PeerReconnected(other, id);
  }
}

void CoreCluster::Collect(ReplicaId id) {
  Node& n = node(id);
  Output output = n.core->TakeOutput();
  CheckEntries(id, output);
  CheckLeader(id);
  if (output.commit) CheckCommit(id, *output.commit);
  for (const ReadState& read : output.reads) CheckRead(id, read);
  Send(id, output.messages_now);
  if (!output.hard_state && output.entries.empty()) {
    if (n.waiting.empty()) {
      Send(id, output.messages_after_persist);
      return;
    }
    if (output.messages_after_persist.empty()) return;
  }
  n.waiting.push_back(std::move(output));
}

// --- What Raft promises. ------------------------------------------------------

void CoreCluster::CheckEntries(ReplicaId id, const Output& output) {
  for (const EntryMeta& entry : output.entries) {
    const Term prev = core(id).TermAt(entry.index.Prev());
    const auto [known, is_new] = known_.emplace(
        std::make_pair(entry.index, entry.term),
        Known{entry.type, entry.bytes, prev, entry.type == EntryType::kNoop ? "noop" : ""});
    // The predecessor's term, again and again down to the first entry: that is
    // the log matching property.
    if (known->second.prev_term != prev || known->second.bytes != entry.bytes ||
        known->second.type != entry.type) {
      ADD_FAILURE() << "replica " << id << ": entry " << entry.index << "/" << entry.term
                    << " is not what it is elsewhere";
    }
    if (is_new && core(id).leader() != id) {
      ADD_FAILURE() << "replica " << id << " has made up entry " << entry.index;
    }
  }
}

void CoreCluster::CheckLeader(ReplicaId id) {
  const Core& c = core(id);
  if (c.role() != Role::kLeader) return;
  const auto [leader, is_new] = leaders_.emplace(c.term(), id);
  if (leader->second != id) {
    ADD_FAILURE() << "term " << c.term() << " has two leaders: " << leader->second << ", " << id;
  }
  if (!is_new) return;
  for (const auto& [index, entry] : committed_) {
    if (entry.committed_in < c.term() && c.TermAt(index) != entry.term) {
      ADD_FAILURE() << "leader " << id << " of term " << c.term() << " lacks committed entry "
                    << index << "/" << entry.term;
    }
  }
}

void CoreCluster::CheckCommit(ReplicaId id, LogIndex commit) {
  Node& n = node(id);
  for (LogIndex index = n.applied.Next(); index <= commit; index = index.Next()) {
    const Term term = n.core->TermAt(index);
    const auto [entry, is_new] = committed_.emplace(index, Committed{term, n.core->term()});
    if (entry->second.term != term) {
      ADD_FAILURE() << "replica " << id << " applies " << index << "/" << term << ", others "
                    << entry->second.term;
    }
    if (!is_new) continue;
    const auto has_it = [&, index = index](const std::unique_ptr<Node>& other) {
      return other->disk_log.size() >= index.value() &&
             other->disk_log[index.value() - 1].term == term;
    };
    const size_t disks = std::count_if(nodes_.begin(), nodes_.end(), has_it);
    if (disks * 2 <= nodes_.size()) {
      ADD_FAILURE() << "entry " << index << "/" << term << " is committed on " << disks
                    << " disks of " << nodes_.size();
    }
  }
  n.applied = std::max(n.applied, commit);
}

void CoreCluster::CheckRead(ReplicaId id, const ReadState& read) {
  node(id).reads.push_back(read);
  const auto asked = open_reads_.find({id, read.id});
  if (asked == open_reads_.end()) {
    ADD_FAILURE() << "replica " << id << " answers read " << read.id << ", which nobody asked";
    return;
  }
  // Whatever anybody knew to be committed when the question was asked.
  if (read.index && *read.index < asked->second) {
    ADD_FAILURE() << "replica " << id << " reads at " << *read.index << " although "
                  << asked->second << " was committed before";
  }
  open_reads_.erase(asked);
}

// --- Looking. -------------------------------------------------------------------

std::vector<ReplicaId> CoreCluster::ids() const {
  std::vector<ReplicaId> result;
  for (size_t i = 1; i <= nodes_.size(); ++i) result.push_back(ReplicaId(i));
  return result;
}

std::optional<ReplicaId> CoreCluster::Leader() const {
  std::optional<ReplicaId> leader;
  for (ReplicaId id : ids()) {
    if (!IsUp(id) || core(id).role() != Role::kLeader) continue;
    if (!leader || core(id).term() > core(*leader).term()) leader = id;
  }
  return leader;
}

std::string CoreCluster::LogOf(ReplicaId id) const {
  std::vector<std::string> terms;
  for (LogIndex index(1); index <= core(id).last_index(); index = index.Next()) {
    terms.push_back(absl::StrCat(core(id).TermAt(index).value()));
  }
  return absl::StrJoin(terms, " ");
}

std::string CoreCluster::DiskOf(ReplicaId id) const {
  return absl::StrJoin(node(id).disk_log, " ", [](std::string* out, const EntryMeta& entry) {
    absl::StrAppend(out, entry.term.value());
  });
}

std::string CoreCluster::Entry(LogIndex index, Term term) const {
  const auto found = known_.find({index, term});
  if (found == known_.end() || found->second.payload.empty()) return absl::StrCat(term.value());
  return absl::StrCat(term.value(), ":", found->second.payload);
}

std::string CoreCluster::EntriesOf(ReplicaId id) const {
  std::vector<std::string> entries;
  if (!IsUp(id)) {
    for (const EntryMeta& entry : node(id).disk_log) {
      entries.push_back(Entry(entry.index, entry.term));
    }
    return absl::StrJoin(entries, " ");
  }
  for (LogIndex index(1); index <= core(id).last_index(); index = index.Next()) {
    entries.push_back(Entry(index, core(id).TermAt(index)));
  }
  return absl::StrJoin(entries, " ");
}

LogIndex CoreCluster::MaxCommit() const {
  return committed_.empty() ? LogIndex() : committed_.rbegin()->first;
}

}  // namespace totora::raft
