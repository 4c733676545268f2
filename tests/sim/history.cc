#include "tests/sim/history.h"

#include "absl/strings/str_cat.h"
#include "raft/wire.h"

namespace totora::sim {

uint64_t HashInto(uint64_t hash, absl::string_view bytes) {
  hash = (hash ^ bytes.size()) * 1099511628211ull;
  for (const char c : bytes) hash = (hash ^ static_cast<uint8_t>(c)) * 1099511628211ull;
  return hash;
}

void History::StatusChanged(ReplicaId self, const raft::ReplicaStatus& status) {
  if (status.role != raft::Role::kLeader) return;
  const auto [it, is_new] = leaders_.emplace(status.term, self);
  if (it->second != self) {
    violation_(absl::StrCat("replicas ", it->second.value(), " and ", self.value(),
                            " both lead in term ", status.term.value()));
  }
  if (self == emptied_) violation_("a replica whose volume was emptied leads");
}

void History::Voted(ReplicaId voter, Term term, ReplicaId candidate) {
  if (voter == emptied_) {
    violation_(absl::StrCat("replica ", voter.value(), ", whose volume was emptied, votes for ",
                            candidate.value()));
  }
  const auto [it, is_new] = votes_.emplace(std::make_pair(term, voter), candidate);
  if (it->second == candidate) return;
  violation_(absl::StrCat("replica ", voter.value(), " voted for both ", it->second.value(),
                          " and ", candidate.value(), " in term ", term.value()));
}

void History::MessageSent(ReplicaId from, ReplicaId to, raft::Channel channel,
                          const SharedBytes& bytes) {
  // Votes go by the control channel; the others are many, and large.
  if (channel != raft::Channel::kControl && from != emptied_) return;
  const absl::StatusOr<raft::WireContent> content = raft::DecodeWire(bytes);
  if (!content.ok()) {
    return violation_(absl::StrCat("replica ", from.value(), " sent what nobody can read: ",
                                   content.status().ToString()));
  }
  const auto* const protocol = std::get_if<raft::ProtocolMessage>(&*content);
  if (protocol == nullptr) return;
  if (const auto* request = std::get_if<raft::VoteRequest>(&protocol->message)) {
    if (!request->is_pre_vote) Voted(from, request->term, from);
  } else if (const auto* vote = std::get_if<raft::VoteReply>(&protocol->message)) {
    if (vote->is_granted && !vote->is_pre_vote) Voted(from, vote->term, to);
  } else if (const auto* reply = std::get_if<raft::AppendReply>(&protocol->message)) {
    if (reply->is_success && from == emptied_) {
      violation_(
          absl::StrCat("replica ", from.value(), ", whose volume was emptied, acknowledges"));
    }
  }
}

void History::Answered(const raft::CommandId& id, absl::string_view result) {
  const uint64_t hash = HashInto(14695981039346656037ull, result);
  const auto [it, is_new] =
      answers_.emplace(std::make_tuple(id.replica, id.incarnation, id.sequence), hash);
  if (it->second == hash) return;
  violation_(absl::StrCat("command ", id.sequence, " of replica ", id.replica.value(),
                          " has two outcomes"));
}

void History::Started(ReplicaId self, const raft::FrameHeader& entry) {
  const AppliedEntry& applied = applied_[entry.index.value() - 1];
  if (applied.term == entry.term && applied.chain_crc == entry.chain_crc) return;
  violation_(absl::StrCat("replica ", self.value(), " has a checkpoint with entry ",
                          entry.index.value(), " of term ", applied.term.value(),
                          ", but its log has another one of term ", entry.term.value()));
}

void History::Applied(ReplicaId self, const raft::FrameHeader& entry, uint64_t answers) {
  const size_t at = entry.index.value() - 1;
  if (at == applied_.size()) {
    applied_.push_back({self, entry.term, entry.chain_crc, answers});
    return;
  }
  if (at > applied_.size()) {
    return violation_(absl::StrCat("replica ", self.value(), " applied entry ", at + 1,
                                   " when nobody had applied ", applied_.size() + 1));
  }
  const AppliedEntry& first = applied_[at];
  if (first.term != entry.term || first.chain_crc != entry.chain_crc) {
    violation_(absl::StrCat("replica ", self.value(), " applied an entry ", at + 1, " of term ",
                            entry.term.value(), ", replica ", first.by.value(),
                            " had applied another one of term ", first.term.value()));
  } else if (first.answers != answers) {
    violation_(absl::StrCat("replica ", self.value(), " answered the commands of entry ", at + 1,
                            " otherwise than replica ", first.by.value(), " had"));
  }
}

}  // namespace totora::sim
