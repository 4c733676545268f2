// Linearizable reads without the log (§6.4): the leader notes its commit
// index, makes sure by one heartbeat round that nobody else leads, and answers.
#include <algorithm>
#include <utility>

#include "common/check.h"
#include "raft/core/core_state.h"

namespace totora::raft {

bool Core::State::MayServeReads() const {
  // Before, a leader may not know yet what is committed.
  return role == Role::kLeader && log.At(commit) == hard.term;
}

void Core::State::AnswerRead(uint64_t id, std::optional<LogIndex> index) {
  output.reads.push_back({id, index});
}

void Core::State::ReadIndex(uint64_t id) {
  const size_t reads_max = config.pending_reads_max;
  if (role == Role::kLeader) {
    if (!MayServeReads() || leader_reads.size() >= reads_max) {
      AnswerRead(id, std::nullopt);
    } else if (is_single_voter()) {
      AnswerRead(id, commit);
    } else {
      leader_reads.push_back({config.self, id, commit, 0, now + config.election_ticks_max});
    }
    return;
  }
  if (leader == ReplicaId() || forwarded_reads.size() >= reads_max) {
    AnswerRead(id, std::nullopt);
    return;
  }
  const uint64_t wire_id = next_wire_id++;
  forwarded_reads.emplace(wire_id, ForwardedRead{id, now + config.election_ticks_max});
  SendNow(leader, ReadIndexRequest{.term = hard.term, .id = wire_id});
}

void Core::State::Receive(ReplicaId from, const ReadIndexRequest& request) {
  const size_t reads_max = config.pending_reads_max;
  if (request.term > hard.term || !MayServeReads() || leader_reads.size() >= reads_max) {
    AnswerLeaderRead(from, request.id, std::nullopt);
    return;
  }
  leader_reads.push_back({from, request.id, commit, 0, now + config.election_ticks_max});
}

void Core::State::Receive(ReplicaId, const ReadIndexReply& reply) {
  // Its term does not matter: whoever answers was confirmed after the question.
  const auto found = forwarded_reads.find(reply.id);
  if (found == forwarded_reads.end()) return;
  const uint64_t id = found->second.id;
  forwarded_reads.erase(found);
  AnswerRead(id, reply.index == LogIndex() ? std::nullopt : std::optional<LogIndex>(reply.index));
}

void Core::State::AnswerLeaderRead(ReplicaId from, uint64_t id, std::optional<LogIndex> index) {
  if (from == config.self) {
    AnswerRead(id, index);
    return;
  }
  SendNow(from, ReadIndexReply{.term = hard.term, .id = id, .index = index.value_or(LogIndex())});
}

void Core::State::AssignReads() {
  for (auto read = leader_reads.rbegin(); read != leader_reads.rend() && read->round == 0; ++read) {
    read->round = round;
  }
}

void Core::State::FlushReads() {
  // One round at a time: the reads that come meanwhile share the next one.
  if (leader_reads.empty() || leader_reads.front().round != 0) return;
  BroadcastHeartbeat();
}

void Core::State::AnswerConfirmedReads() {
  std::vector<uint64_t> rounds = {round};
  for (const auto& [peer, peer_progress] : progress) {
    rounds.push_back(peer_progress.confirmed_round());
  }
  const uint64_t confirmed = MajorityReached(&rounds);
  while (!leader_reads.empty() && leader_reads.front().round != 0 &&
         leader_reads.front().round <= confirmed) {
    const LeaderRead read = leader_reads.front();
    leader_reads.pop_front();
    AnswerLeaderRead(read.from, read.id, read.index);
  }
}

void Core::State::TickReads() {
  while (!leader_reads.empty() && leader_reads.front().ends <= now) {
    const LeaderRead read = leader_reads.front();
    leader_reads.pop_front();
    AnswerLeaderRead(read.from, read.id, std::nullopt);
  }
  // Ids on the wire ascend, and so do the ends.
  while (!forwarded_reads.empty() && forwarded_reads.begin()->second.ends <= now) {
    AnswerRead(forwarded_reads.begin()->second.id, std::nullopt);
    forwarded_reads.erase(forwarded_reads.begin());
  }
}

void Core::State::RefuseLeaderReads() {
  for (const LeaderRead& read : std::exchange(leader_reads, {})) {
    AnswerLeaderRead(read.from, read.id, std::nullopt);
  }
}

void Core::State::RefuseForwardedReads() {
  for (const auto& [wire_id, read] : std::exchange(forwarded_reads, {})) {
    AnswerRead(read.id, std::nullopt);
  }
}

}  // namespace totora::raft
