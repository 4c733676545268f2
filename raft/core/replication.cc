// The log: proposals, append and its answers, commit, heartbeats.
#include <algorithm>
#include <utility>

#include "common/check.h"
#include "raft/core/core_state.h"

namespace totora::raft {

// --- The leader's log. -----------------------------------------------------

absl::StatusOr<EntryMeta> Core::State::Propose(EntryType type, uint32_t bytes) {
  if (role != Role::kLeader) return absl::FailedPreconditionError("this replica does not lead");
  if (transfer_target != ReplicaId()) {
    return absl::FailedPreconditionError("this replica hands over its lead");
  }
  const size_t waiting = recent.CountBehind(commit);
  if (waiting >= recent.entries_max() ||
      (waiting > 0 && recent.BytesBehind(commit) + bytes > config.uncommitted_bytes_max)) {
    return absl::ResourceExhaustedError("too much waits to be committed");
  }
  AppendEntry(hard.term, type, bytes);
  return EntryMeta{log.last(), hard.term, type, bytes};
}

void Core::State::LogDurable(LogIndex last, Term term) {
  durable.Completed(log, last, term);
  // The own disk is one more acknowledgement, no earlier and no later than any
  // other (§10.2.1).
  if (role == Role::kLeader) CommitByCounting();
}

void Core::State::CommitByCounting() {
  std::vector<LogIndex> reached = {durable.index()};
  for (const auto& [peer, peer_progress] : progress) reached.push_back(peer_progress.match());
  const LogIndex on_majority = MajorityReached(&reached);
  // An entry of an earlier term may be on a majority and still be overwritten;
  // it is committed by one of this term behind it (§3.6.2).
  if (on_majority > commit && log.At(on_majority) == hard.term) AdvanceCommit(on_majority);
}

void Core::State::PeerReconnected(ReplicaId peer) {
  AskAgain(peer);
  const auto found = progress.find(peer);
  if (found == progress.end()) return;
  Progress& lost = found->second;
  // Before its first acknowledgement match() knows nothing: probing there would
  // send the log from its start.
  lost.Probe(lost.is_probing() ? lost.next() : lost.match().Next());
}

// --- Sending. --------------------------------------------------------------

void Core::State::Flush() {
  for (auto& [peer, peer_progress] : progress) FlushTo(peer, &peer_progress);
}

void Core::State::FlushTo(ReplicaId peer, Progress* to) {
  if (to->MayProbe() && (to->OwesProbe() || to->next() <= log.last())) {
    uint64_t bytes;
    SendAppend(peer, to, MakeAppend(to->next(), config.append_bytes_max, &bytes));
    to->SentProbe(now);
  }
  while (!to->is_probing() && to->next() <= log.last()) {
    const uint64_t credit = to->Credit(config.inflight_messages_max, config.inflight_bytes_max);
    if (credit == 0) break;
    uint64_t bytes;
    AppendRequest request =
        MakeAppend(to->next(), std::min(credit, config.append_bytes_max), &bytes);
    // The first entry always comes along; alone it may be more than the credit.
    if (bytes > credit) break;
    const LogIndex last = request.entries.back().index;
    SendAppend(peer, to, std::move(request));
    to->SentEntries(last, bytes, now);
  }
  // No entry carries the news, and the follower's clients wait for them.
  const LogIndex usable = std::min(commit, to->match());
  if (usable > to->told_commit()) {
    to->ToldCommit(usable);
    SendNow(peer, Heartbeat{.term = hard.term, .commit = usable, .round = 0});
  }
}

AppendRequest Core::State::MakeAppend(LogIndex from, uint64_t bytes_max, uint64_t* bytes) const {
  AppendRequest request;
  request.term = hard.term;
  request.prev_index = from.Prev();
  request.prev_term = log.At(request.prev_index);
  request.commit = commit;
  *bytes = 0;
  for (LogIndex index = from; index <= log.last(); index = index.Next()) {
    EntryMeta entry{.index = index, .term = log.At(index)};
    uint64_t counted = config.append_bytes_max / 16;
    if (const auto known = recent.Find(index); known.has_value()) {
      entry.type = known->type;
      entry.bytes = known->bytes;
      counted = known->bytes;
    }
    if (!request.entries.empty() && *bytes + counted > bytes_max) break;
    request.entries.push_back(entry);
    *bytes += counted;
  }
  return request;
}

void Core::State::SendAppend(ReplicaId peer, Progress* to, AppendRequest request) {
  const LogIndex behind = request.prev_index.Next(request.entries.size());
  to->ToldCommit(std::min(commit, behind));
  SendNow(peer, std::move(request));
}

void Core::State::BroadcastHeartbeat() {
  heartbeat_due = now + config.heartbeat_ticks;
  ++round;
  AssignReads();
  for (const auto& [peer, peer_progress] : progress) {
    SendNow(peer, Heartbeat{.term = hard.term,
                            .commit = std::min(commit, peer_progress.match()),
                            .round = round});
  }
}

// --- The follower's side. --------------------------------------------------

bool Core::State::IsWellFormed(const AppendRequest& request) const {
  if ((request.prev_index == LogIndex()) != (request.prev_term == Term())) return false;
  LogIndex index = request.prev_index;
  Term term = request.prev_term;
  for (const EntryMeta& entry : request.entries) {
    index = index.Next();
    if (entry.index != index || entry.term < term || entry.term == Term()) return false;
    term = entry.term;
  }
  return term <= request.term;
}

void Core::State::Receive(ReplicaId from, const AppendRequest& request) {
  if (request.term < hard.term) {
    // Tells a deposed leader, and one that was elected without this replica's
    // knowledge of a newer term.
    SendAfterPersist(from, AppendReply{.term = hard.term,
                                       .is_success = false,
                                       .index = request.prev_index,
                                       .hint_index = LogIndex(),
                                       .hint_term = Term()});
    return;
  }
  if (!IsWellFormed(request)) {
    ++violations;
    return;
  }
  if (!HearLeader(from, request.term)) return;
  const bool is_old = request.prev_index < commit;  // What is committed matches.
  if (!is_old && (request.prev_index > log.last() ||
                  log.At(request.prev_index) != request.prev_term)) {
    const LogIndex hint =
        std::max(commit, log.LastAtMost(request.prev_term, request.prev_index));
    SendAfterPersist(from, AppendReply{.term = hard.term,
                                       .is_success = false,
                                       .index = request.prev_index,
                                       .hint_index = hint,
                                       .hint_term = log.At(hint)});
    return;
  }
  if (!TakeEntries(request)) {
    ++violations;
    return;
  }
  matched = std::max(matched, request.prev_index.Next(request.entries.size()));
  AdvanceCommit(std::min(request.commit, matched));
  // It leaves when all that was handed over so far is durable, so it never
  // promises more than this replica's disk has, not even for a duplicate.
  SendAfterPersist(from, AppendReply{.term = hard.term,
                                     .is_success = true,
                                     .index = matched,
                                     .hint_index = LogIndex(),
                                     .hint_term = Term()});
}

bool Core::State::TakeEntries(const AppendRequest& request) {
  size_t known = 0;
  while (known < request.entries.size() &&
         log.At(request.entries[known].index) == request.entries[known].term) {
    ++known;  // A repeated message must not cut what came behind it.
  }
  if (known == request.entries.size()) return true;
  const LogIndex first = request.entries[known].index;
  if (first <= commit) return false;
  if (first <= log.last()) TruncateFrom(first);
  for (size_t i = known; i < request.entries.size(); ++i) {
    const EntryMeta& entry = request.entries[i];
    AppendEntry(entry.term, entry.type, entry.bytes);
  }
  return true;
}

void Core::State::Receive(ReplicaId from, const Heartbeat& heartbeat) {
  if (heartbeat.term < hard.term) {
    SendNow(from, HeartbeatReply{.term = hard.term, .round = heartbeat.round});
    return;
  }
  if (!HearLeader(from, heartbeat.term)) return;
  AdvanceCommit(std::min(heartbeat.commit, matched));
  if (heartbeat.round == 0) return;
  // Nothing needs to be durable: it says that no newer term is known here, and
  // a newer term in which this replica took part is.
  SendNow(from, HeartbeatReply{.term = hard.term, .round = heartbeat.round});
}

// --- The leader's side. ----------------------------------------------------

void Core::State::Receive(ReplicaId from, const AppendReply& reply) {
  if (reply.term > hard.term) {
    BecomeFollower(reply.term, ReplicaId());
    return;
  }
  if (reply.term < hard.term || role != Role::kLeader) return;
  Progress& peer = progress.at(from);
  peer.Heard(now);
  if (reply.is_success) {
    if (reply.index > log.last()) {
      ++violations;
      return;
    }
    const bool is_news = reply.index > peer.match();
    peer.Acknowledged(reply.index, now);
    CommitByCounting();
    if (is_news && from == transfer_target) SendTimeoutNowIfReady();
    return;
  }
  if (!peer.IsNewRefusal(reply.index)) return;
  // The follower has skipped its newer terms, this skips the leader's own.
  const LogIndex both_may_have = log.LastAtMost(reply.hint_term, reply.hint_index);
  peer.Probe(std::min(both_may_have.Next(), reply.index));
}

void Core::State::Receive(ReplicaId from, const HeartbeatReply& reply) {
  if (reply.term > hard.term) {
    BecomeFollower(reply.term, ReplicaId());
    return;
  }
  if (reply.term < hard.term || role != Role::kLeader) return;
  if (reply.round > round) {
    ++violations;
    return;
  }
  Progress& peer = progress.at(from);
  peer.Heard(now);
  peer.ConfirmedRound(reply.round);
  AnswerConfirmedReads();
  // The peer lives and acknowledges nothing: its disk is slow, or something
  // was lost. An empty request behind all that was sent tells which.
  const uint64_t patience = config.heartbeat_ticks;
  if (now >= patience && peer.HasStalledSince(now - patience)) {
    uint64_t bytes;
    AppendRequest check = MakeAppend(peer.next(), 0, &bytes);
    check.entries.clear();
    SendAppend(from, &peer, std::move(check));
    peer.SentGapCheck(now);
  }
}

}  // namespace totora::raft
