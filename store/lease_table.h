// Which messages are invisible to which consumer groups, until when, and which
// handles are good. Everything happens at log time; nothing here looks at a
// clock. reference: PopMessageProcessor, AckMessageProcessor and
// ChangeInvisibleTimeProcessor of RocketMQ, with the log in the place of its
// revive topic.
//
// A handle (delivery id, offset) is good while that delivery is the message's
// current one: leased under it, or ready again and not yet delivered anew.
//
// Thread safety: confined.
#ifndef TOTORA_STORE_LEASE_TABLE_H_
#define TOTORA_STORE_LEASE_TABLE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "common/types.h"
#include "store/checkpoint_store.h"
#include "store/lease_queue.h"
#include "store/schema.h"

namespace totora::store {

// Who receives, as the leases will remember it.
struct Receiver {
  ReplicaId replica;
  Incarnation incarnation;
  absl::string_view client_id;
  bool is_auto_renewed = false;
  int64_t now_ms = 0;
  int64_t deadline_ms = 0;
};

class LeaseTable {
 public:
  // Asked when a message becomes ready again after so many attempts that counted.
  // True: it was taken care of otherwise, and counts as acked. May not touch the table.
  using Bury = absl::FunctionRef<bool(const LeaseKey& key, uint64_t offset, uint32_t attempts)>;

  // Null if nothing of this queue was ever delivered to the group.
  const LeaseQueue* Find(const LeaseKey& key) const;

  // --- Receive ------------------------------------------------------------

  // Leases the ready message with the lowest offset. Returns which attempt this is.
  // REQUIRES: there is one.
  uint32_t LeaseReady(const LeaseKey& key, const Receiver& receiver, uint64_t delivery_id);
  // Forgets the ready message with the lowest offset: retention took it.
  void DropReady(const LeaseKey& key);
  // Leases `offsets` (ascending, none below next) for the first time.
  void LeaseNew(const LeaseKey& key, const Receiver& receiver, uint64_t delivery_id,
                const std::vector<uint64_t>& offsets);
  // Everything below `next` was delivered or skipped.
  void Advance(const LeaseKey& key, uint64_t next);
  // All that was delivered is forgotten, its handles with it; `next` is the first
  // offset that was never delivered.
  // REQUIRES: something of this queue was delivered to the group.
  void Reset(const LeaseKey& key, uint64_t next);

  // --- What becomes of a delivery -------------------------------------------

  // Codes as in AckResult. `next_delivery_id` bounds the ids that were given.
  absl::StatusCode Ack(const LeaseKey& key, uint64_t offset, uint64_t delivery_id,
                       uint64_t next_delivery_id);
  // OK or FailedPrecondition. `deadline_ms` <= now: ready at once.
  absl::StatusCode ChangeInvisible(const LeaseKey& key, uint64_t offset, uint64_t delivery_id,
                                   const Receiver& receiver, Bury bury);
  // Attempts that counted, if the handle is good: see Ack. Empty: it is not, or
  // the message was acked.
  std::optional<uint32_t> AttemptsOf(const LeaseKey& key, uint64_t offset,
                                     uint64_t delivery_id) const;
  void MarkWritten(const LeaseKey& key, uint64_t offset, uint64_t delivery_id);
  // The response was lost: ready at once, the attempt does not count. True if
  // the message was leased under this delivery.
  bool ReleaseUnwritten(const LeaseKey& key, uint64_t offset, uint64_t delivery_id);

  // --- What happens to many -------------------------------------------------
  // Each adds the queues where messages became ready to `released`.

  // Ends leases whose time has come, in the order of (deadline, key), about
  // `limit` messages of them. A renewed lease lasts while its client was heard
  // of; that it lasts longer than it said is noted here, when it would end.
  void Expire(int64_t now_ms, uint64_t limit, Bury bury, std::vector<LeaseKey>* released);
  void ClientAlive(absl::string_view client_id, int64_t now_ms);
  // The client's leases end shortly, those of one group or all of them.
  void ReleaseClient(absl::string_view client_id, std::optional<ConsumerGroupId> group,
                     int64_t now_ms);
  // Lives of the replica before `incarnation` are over: what they took and did
  // not report as written is ready again and does not count as an attempt.
  void ReplicaStarted(ReplicaId replica, Incarnation incarnation,
                      std::vector<LeaseKey>* released);
  void DropConsumerGroup(ConsumerGroupId group);
  void DropTopic(ConsumerGroupId group, TopicId topic);

  // --- Questions --------------------------------------------------------------

  std::optional<int64_t> NextExpiryMs() const;
  // Sorted.
  std::vector<std::string> AutoRenewedClients(size_t limit) const;
  // Messages leased or ready, of all groups.
  uint64_t in_flight() const { return in_flight_; }
  size_t queue_count() const { return queues_.size(); }
  const absl::btree_map<LeaseKey, std::unique_ptr<LeaseQueue>>& queues() const { return queues_; }
  // Sorted by id: those for which a time is known.
  std::vector<const LeaseClient*> KnownClients() const;

  // --- Checkpoints ------------------------------------------------------------

  void Freeze(std::vector<CheckpointWrite>* rows);
  absl::Status LoadRow(const LeaseKey& key, absl::string_view payload);
  // After all lease rows.
  absl::Status LoadClientRow(absl::string_view client_id, absl::string_view payload);

 private:
  struct Expiry {
    int64_t deadline_ms = 0;
    LeaseRef ref;
    friend auto operator<=>(const Expiry&, const Expiry&) = default;
  };

  LeaseQueue* FindMutable(const LeaseKey& key) const;
  LeaseQueue* FindOrAdd(const LeaseKey& key);
  void Touch(const LeaseKey& key, LeaseQueue* queue);

  // The two indexes over leases: by deadline and by client.
  void Index(const LeaseRef& ref, const Lease& lease);
  void Unindex(const LeaseRef& ref, const Lease& lease);
  Lease* LeaseOf(const LeaseRef& ref);
  // Its deadline, or what the liveness of its client makes of it.
  static int64_t EndOf(const Lease& lease);
  void SetDeadline(const LeaseRef& ref, Lease* lease, int64_t deadline_ms);
  void StopRenewing(Lease* lease);
  LeaseClient* AddClient(absl::string_view client_id);

  Lease MakeLease(const Receiver& receiver, uint64_t delivery_id);
  void AddSingle(const LeaseKey& key, LeaseQueue* queue, uint64_t offset, SingleLease single);
  void RemoveSingle(const LeaseKey& key, LeaseQueue* queue,
                    absl::btree_map<uint64_t, SingleLease>::iterator single);
  // Takes one message out of its range, and the range away with its last one.
  void RemoveFromRange(const LeaseKey& key, LeaseQueue* queue,
                       absl::btree_map<uint64_t, LeaseRange>::iterator range, uint64_t offset);
  void AddReady(LeaseQueue* queue, uint64_t offset, uint64_t delivery_id, uint32_t attempts);
  // Everything a lease holds becomes ready, or is buried. Returns how many messages.
  uint64_t Release(const LeaseRef& ref, Bury bury);
  bool ReleaseOlder(const LeaseKey& key, LeaseQueue* queue, ReplicaId replica,
                    Incarnation incarnation);
  void Drop(absl::btree_map<LeaseKey, std::unique_ptr<LeaseQueue>>::iterator from,
            const LeaseKey& to);

  void AppendLease(std::string* to, const Lease& lease) const;

  absl::btree_map<LeaseKey, std::unique_ptr<LeaseQueue>> queues_;
  absl::btree_set<Expiry> expiries_;
  absl::flat_hash_map<std::string, std::unique_ptr<LeaseClient>> clients_;
  uint64_t in_flight_ = 0;   // Sum of leased and ready over queues_.

  std::vector<LeaseKey> dirty_;                       // Each queue once: those with is_dirty.
  absl::flat_hash_set<LeaseKey> dropped_;
  absl::flat_hash_set<std::string> dirty_clients_;
};

}  // namespace totora::store

#endif  // TOTORA_STORE_LEASE_TABLE_H_
