// Who the others are: messages in, volumes and their binding, suspicion.
#include <algorithm>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "raft/replica_state.h"

namespace totora::raft {

Hello Replica::State::MakeHello() const {
  Hello hello;
  hello.cluster = options.cluster;
  hello.group = options.group;
  hello.replica = options.self;
  hello.volume = identity->volume();
  hello.incarnation = identity->incarnation();
  hello.is_leader = core != nullptr && core->role() == Role::kLeader;
  hello.term = core != nullptr ? core->term() : Term();
  hello.voters = identity->voters();
  return hello;
}

void Replica::State::OnMessage(std::shared_ptr<const Hello> from, Channel channel,
                               SharedBytes bytes) {
  static_cast<void>(channel);
  // Checksums are verified here, on the transport's thread.
  absl::StatusOr<WireContent> content = DecodeWire(bytes);
  if (!content.ok()) {
    TOTORA_LOG_LIMITED(kError, "raft")
        << Field("peer", from->replica) << "dropped a message: " << content.status();
    return;
  }
  executor->Post([self = shared_from_this(), from = std::move(from),
                  content = *std::move(content)]() mutable {
    if (!self->is_stopped) self->HandleMessage(*from, std::move(content));
  });
}

void Replica::State::HandleMessage(const Hello& from, WireContent content) {
  if (auto* announcement = std::get_if<Announcement>(&content)) {
    if (announcement->hello.replica == from.replica) NotePeer(announcement->hello);
    return;
  }
  if (peers.find(from.replica) == peers.end()) return;
  NotePeer(from);
  if (core == nullptr || !IsBoundTo(from.replica, from.volume)) {
    TOTORA_LOG_LIMITED(kDebug, "raft")
        << Field("peer", from.replica) << "message of a volume that is no voter, ignored";
    return;
  }
  if (auto* protocol = std::get_if<ProtocolMessage>(&content)) {
    if (std::holds_alternative<AppendRequest>(protocol->message)) {
      staged.clear();
      for (Frame& frame : protocol->frames) staged[frame.header.index] = std::move(frame);
    } else if (std::holds_alternative<HeartbeatReply>(protocol->message)) {
      log_clock->PeerWall(from.replica, protocol->times.wall_ms);
    } else if (std::holds_alternative<VoteReply>(protocol->message)) {
      log_clock->PeerWall(from.replica, protocol->times.wall_ms);
      log_clock->HeardPassed(protocol->times.passed_ms);
    }
    if (const auto* reply = std::get_if<AppendReply>(&protocol->message)) {
      NoteRefusal(from.replica, *reply);
    }
    core->Step(from.replica, protocol->message);
    if (core->leader() == from.replica) {
      leader_incarnation = from.incarnation;
      if (std::holds_alternative<Heartbeat>(protocol->message)) {
        log_clock->HeardLeader({protocol->times.log_ms, protocol->times.passed_ms});
      }
    }
    Drain();
    staged.clear();
  } else if (auto* forwarded = std::get_if<ForwardedCommands>(&content)) {
    // A replica that does not lead drops them: the sender gives them to the
    // leader when it learns of it.
    if (core->role() != Role::kLeader) return;
    for (const SharedBytes& command : forwarded->commands) {
      if (command.size() >= kCommandHeaderBytes) TakePending(command);
    }
    PostFlush();
  } else if (auto* message = std::get_if<PeerMessage>(&content)) {
    observer->OnPeerMessage(from.replica, from.incarnation, message->bytes.view());
  }
}

// The core never goes behind what a follower acknowledged, so this follower
// stands still until somebody looks: say what happened.
void Replica::State::NoteRefusal(ReplicaId from, const AppendReply& reply) {
  if (reply.is_success || core->role() != Role::kLeader || reply.term != core->term()) return;
  const LogIndex match = core->MatchOf(from);
  if (reply.hint_index >= match || reply.index > match) return;
  TOTORA_LOG_LIMITED(kError, "raft")
      << Field("peer", from) << Field("acknowledged", match) << Field("has", reply.hint_index)
      << "a follower lost entries that it had acknowledged: its disk did not keep what was synced";
}

void Replica::State::OnConnected(ReplicaId peer, Channel channel, const Hello& hello) {
  executor->Post([self = shared_from_this(), peer, channel, hello] {
    if (self->is_stopped || self->peers.find(peer) == self->peers.end()) return;
    self->NotePeer(hello);
    Peer& known = self->peers[peer];
    if (channel == Channel::kControl) {
      known.is_up = true;
      known.broken_since.reset();
      self->observer->OnPeerUp(peer, hello.incarnation);
      self->Announce();
      self->PostFlush();  // Forwards what waited for this.
    }
    if (self->core == nullptr) return;
    // A stream to the leader came back, and there is another process, or one
    // that does not lead any more: the lead is vacant.
    if (peer == self->core->leader() &&
        (hello.incarnation != self->leader_incarnation || !hello.is_leader)) {
      self->core->SuspectLeader();
    }
    // Votes travel on the control channel, entries on the other one.
    if (channel == Channel::kAppend || self->core->role() != Role::kLeader) {
      self->core->PeerReconnected(peer);
    }
    if (channel == Channel::kAppend && peer == self->core->leader()) {
      self->submitter->ResendAll();
      self->PostFlush();
    }
    self->Drain();
  });
}

void Replica::State::OnDisconnected(ReplicaId peer, Channel channel, bool is_refused) {
  executor->Post([self = shared_from_this(), peer, channel, is_refused] {
    if (self->is_stopped || self->peers.find(peer) == self->peers.end()) return;
    Peer& known = self->peers[peer];
    if (channel == Channel::kControl && std::exchange(known.is_up, false)) {
      self->observer->OnPeerDown(peer);
    }
    if (is_refused && self->core != nullptr && peer == self->core->leader()) {
      self->core->SuspectLeader();
      self->Drain();
    }
  });
}

void Replica::State::NotePeer(const Hello& hello) {
  const auto it = peers.find(hello.replica);
  if (it == peers.end() || hello.cluster != options.cluster || hello.group != options.group) return;
  Peer& peer = it->second;
  const bool is_same_volume = peer.volume == hello.volume;
  if (hello.incarnation < peer.incarnation && is_same_volume) return;
  peer.incarnation = hello.incarnation;
  // Messages bring the hello of their stream, which may be from before the peer
  // was bound; a volume that is bound stays so.
  if (is_same_volume && (hello.voters.empty() || hello.voters == peer.voters)) return;
  peer.volume = hello.volume;
  peer.voters = hello.voters;
  if (identity->voters().empty() || core == nullptr) {
    ConsiderBinding();
  } else if (!IsBoundTo(hello.replica, hello.volume)) {
    TOTORA_LOG_LIMITED(kError, "raft")
        << Field("peer", hello.replica) << Field("volume", absl::BytesToHexString(hello.volume))
        << "this replica's volume was emptied or replaced: it is no voter of this group any more";
  }
}

bool Replica::State::IsBoundTo(ReplicaId replica, const VolumeId& volume) const {
  for (const BoundVoter& voter : identity->voters()) {
    if (voter.replica == replica) return voter.volume == volume;
  }
  return false;
}

void Replica::State::ConsiderBinding() {
  if (core != nullptr || is_stopped) return;
  std::vector<BoundVoter> voters = identity->voters();
  if (voters.empty()) {
    // A peer that is bound already knows the voters; this volume is one of
    // them, or it was emptied and must not vote.
    for (const auto& [id, peer] : peers) {
      for (const BoundVoter& voter : peer.voters) {
        if (voter.replica != options.self) continue;
        if (voter.volume == identity->volume()) {
          voters = peer.voters;
        } else if (!std::exchange(status.is_emptied, true)) {
          TOTORA_LOG(kError, "raft")
              << Field("group", options.group) << Field("replica", options.self)
              << "this volume is empty, but the group knows replica " << options.self
              << " by another volume: it neither votes nor acknowledges, and waits to be taken "
                 "in again";
          PublishStatus();
        }
      }
    }
    if (status.is_emptied) return;
    if (voters.empty()) {
      voters.push_back({options.self, identity->volume()});
      for (const auto& [id, peer] : peers) {
        if (peer.volume.empty()) return;  // Not announced yet.
        voters.push_back({id, peer.volume});
      }
      std::sort(voters.begin(), voters.end(), [](const BoundVoter& a, const BoundVoter& b) {
        return a.replica < b.replica;
      });
    }
    const absl::Status bound = identity->BindVoters(voters);
    if (!bound.ok()) return Die(bound);
    TOTORA_LOG(kInfo, "raft") << Field("group", options.group) << Field("replica", options.self)
                              << "bound to the volumes of its voters";
    transport->SetHello(MakeHello());
    Announce();
  }
  // A group's first election waits until every initial voter has acknowledged.
  const bool is_virgin =
      recovered.last_index.value() == 0 && recovered.hard_state.term.value() == 0;
  if (is_virgin && !EverybodyAcknowledged()) return;
  StartCore();
}

bool Replica::State::EverybodyAcknowledged() const {
  for (const auto& [id, peer] : peers) {
    if (peer.voters != identity->voters()) return false;
  }
  return true;
}

void Replica::State::Announce() {
  const WireMessage announcement = EncodeAnnouncement(MakeHello());
  for (const auto& [id, peer] : peers) {
    transport->Send(id, Channel::kControl, announcement);
  }
}

}  // namespace totora::raft
