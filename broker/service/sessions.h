// Who is connected to the group: the clients of all its replicas.
//
// Soft state that must never look empty. Every replica shares its sessions
// with the others as deltas; those of a replica that vanished, or that sent its
// clients away, stay for kVanishedGrace or until the client is seen elsewhere.
// A session ends at once when its client says goodbye, and when the last
// replica that has a connection of it sees that close.
#ifndef TOTORA_BROKER_SERVICE_SESSIONS_H_
#define TOTORA_BROKER_SERVICE_SESSIONS_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_set.h"
#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "broker/service/command_log.h"
#include "broker/service/session.h"
#include "common/executor.h"
#include "common/types.h"

namespace totora::service {

// Thread safety: confined to the replica's executor.
class Sessions {
 public:
  static constexpr size_t kSessionsMax = 100'000;
  static constexpr size_t kSessionBytesMax = 256 << 10;
  // A client that gives no sign of life for this long is gone. An open stream
  // is a sign of life.
  static constexpr absl::Duration kSilence = absl::Seconds(120);
  static constexpr absl::Duration kVanishedGrace = absl::Seconds(40);
  static constexpr absl::Duration kShareInterval = absl::Seconds(5);
  // Peers hear everything of a session again this often, in case a delta was lost.
  static constexpr absl::Duration kRefreshInterval = absl::Minutes(1);

  // The members of a consumer group, or the topics that one subscribes to,
  // changed. Classic memberships only, and not those that broadcast: what others
  // do makes no difference to them.
  using GroupChanged = std::function<void(const std::string& consumer_group)>;

  Sessions(CommandLog* log, Executor* executor, GroupChanged group_changed = nullptr)
      : log_(log), executor_(executor), group_changed_(std::move(group_changed)) {}

  // The client said who it is, here. Replaces what was known of it.
  // Errors: kTooManySessions; InvalidArgument above kSessionBytesMax.
  absl::Status Put(ClientSession session);

  // A sign of life, here. An unknown client gets a thin session: clients do
  // not say again who they are when a replica has restarted. Past kSessionsMax
  // an unknown client stays unknown.
  void Touch(absl::string_view client_id, ClientKind kind, absl::string_view consumer_group);

  // Streams of a client that are open here.
  void StreamOpened(absl::string_view client_id);
  void StreamClosed(absl::string_view client_id);

  // So many connections of a classic client are open here. When none is left at
  // any replica, the session ends; unless it was this replica that closed the last.
  enum class ClosedBy { kClient, kReplica };
  void SetConnections(absl::string_view client_id, size_t count,
                      ClosedBy closed_by = ClosedBy::kClient);

  // --- Members that come back without a word ----------------------------------
  //
  // Known for kVanishedGrace after the last connection was lost: the session is
  // still there if a replica vanished with it, else it is kept aside.

  static constexpr size_t kLostMax = 1000;

  // Where a client speaks from.
  struct Origin {
    absl::string_view address;   // "ip:port"; only the host counts.
    absl::string_view language;
    int32_t version = 0;
  };
  // Whether there may be any. Cheap.
  bool LostSomeLately() const;
  // The classic member of the group that it must be; none if several might.
  std::optional<std::string> FindLostMember(absl::string_view consumer_group,
                                            const Origin& origin) const;
  // It has a connection here again: SetConnections follows.
  void CameBack(absl::string_view client_id, absl::string_view address);

  // The client said goodbye, here.
  void Remove(absl::string_view client_id);
  // It leaves one group of each kind (empty: none), and with the last the session ends.
  void Leave(absl::string_view client_id, absl::string_view producer_group,
             absl::string_view consumer_group);

  // Null if unknown. Valid until the next call that changes something.
  const ClientSession* Find(absl::string_view client_id) const;
  bool WasSeenSince(absl::string_view client_id, absl::Duration since) const;
  std::vector<ClientSession> All() const;
  std::vector<ClientSession> OfConsumerGroup(absl::string_view consumer_group) const;
  // Ids of the classic members of a consumer group, sorted.
  std::vector<std::string> MembersOf(absl::string_view consumer_group) const;
  // Whether every peer has told all that it knows since this replica started.
  bool HasHeardAll() const { return heard_all_.size() >= log_->peers().size(); }
  // What one of `clients` wants of `topic` as a member of the group; if none of
  // them is one, the newest of any member. Null: nobody said. Valid as Find's.
  const Subscription* FindSubscription(absl::string_view consumer_group, absl::string_view topic,
                                       const std::vector<std::string>& clients) const;
  // Groups of which a member said that it wants messages of `topic`, sorted.
  std::vector<std::string> ConsumerGroupsOf(absl::string_view topic) const;
  // Whether a classic member of the group said what it wants, of any topic.
  bool HasSubscriptions(absl::string_view consumer_group) const;
  // Where the client was seen last, the latest first; this replica may be one.
  std::vector<ReplicaId> ReplicasOf(absl::string_view client_id) const;
  // Calls `visit` for every session, with its last sign of life by the executor's
  // steady clock, in no order.
  void ForEach(
      absl::FunctionRef<void(const ClientSession& session, absl::Duration seen)> visit) const;
  size_t size() const { return sessions_.size(); }

  // From the replica.
  void PeerMessage(ReplicaId from, absl::string_view bytes);
  void PeerUp(ReplicaId peer);
  void PeerDown(ReplicaId peer);

  void Tick(absl::Duration now);

 private:
  // What one replica knows of a client.
  struct Presence {
    ReplicaId replica;
    absl::Duration last_seen;                           // Of the executor's steady clock.
    absl::Duration drop_at = absl::InfiniteDuration();  // The replica is gone, or sent it away.
    bool is_over() const { return drop_at != absl::InfiniteDuration(); }
  };
  struct Entry {
    ClientSession session;
    std::vector<Presence> seen_by;                         // Never empty between calls.
    absl::Duration here_seen = -absl::InfiniteDuration();  // The last sign of life here.
    absl::Duration last_shared = -absl::InfiniteDuration();
    int streams = 0;         // Open here.
    size_t connections = 0;  // Likewise.

    Presence* Find(ReplicaId replica);
    // No replica sees it any more.
    bool IsLost() const;
    bool IsConnectedHere() const { return streams > 0 || connections > 0; }
  };
  // Ordered, so that peers are told the same in the same order, however often a
  // simulation repeats it.
  using EntryMap = absl::btree_map<std::string, Entry>;
  struct Lost {
    ClientSession session;
    absl::Duration until;
  };

  void SeenBy(ReplicaId replica, Entry* entry);
  bool IsHere(Entry* entry) const;
  void SeenHere(Entry* entry);
  void ShareAll(ReplicaId peer);
  // Tells the peer of a client without a connection here, and how long it is kept.
  void ShareKept(const Entry& entry, ReplicaId peer, absl::Duration now);
  void Vanished(ReplicaId replica);
  void Keep(ReplicaId replica, absl::Duration drop_at, ClientSession session);
  void ShareSession(Entry* entry, absl::Duration now);
  void ShareAlive(absl::Duration now);
  void DropSilent(absl::Duration now);
  void SendToPeers(const std::string& bytes);
  void SendToPeers(uint8_t kind, absl::string_view client_id);
  // Replaces what is known of the client and tells of groups that changed by it.
  void Change(Entry* entry, ClientSession session);
  void Erase(EntryMap::iterator it);
  // The replica has no connection of the client any more.
  void Gone(EntryMap::iterator it, ReplicaId replica);
  void NoteLoss();

  CommandLog* const log_;
  Executor* const executor_;
  const GroupChanged group_changed_;
  EntryMap sessions_;  // By client id.
  // Client ids by consumer group; no empty sets.
  absl::flat_hash_map<std::string, absl::btree_set<std::string>> by_group_;
  absl::Duration last_share_ = -absl::InfiniteDuration();
  absl::flat_hash_set<ReplicaId> heard_all_;
  // Sessions that ended with a connection, by client id; at most kLostMax.
  absl::flat_hash_map<std::string, Lost> lost_;
  absl::Duration lost_until_ = -absl::InfiniteDuration();  // The last of all losses.
};

}  // namespace totora::service

#endif  // TOTORA_BROKER_SERVICE_SESSIONS_H_
