// The listener at the group address: open while this replica can serve.
//
// A replica that cannot serve must not take its share of the connections of a
// shared port: it closes its listener, says GOAWAY and comes back later. Only
// when the whole quorum is gone does it stay and hold requests: nobody would
// serve them better.
#ifndef TOTORA_BROKER_GROUP_DOOR_H_
#define TOTORA_BROKER_GROUP_DOOR_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "net/event_loop.h"
#include "net/listener.h"

namespace totora::broker {

// What the decision rests on.
struct DoorSigns {
  bool has_leader = false;
  bool reaches_a_peer = false;
  bool reaches_a_nameserver = false;
  bool nameserver_names_a_leader = false;  // Another replica, in a term as new as ours.
  bool is_caught_up = true;                // Applies less than 5 s behind.
};

// Decides from signs over time. Thread safety: confined.
class DoorPolicy {
 public:
  static constexpr absl::Duration kLeaderlessMax = absl::Seconds(2);

  // Should the door be open now?
  bool ShouldBeOpen(const DoorSigns& signs, absl::Duration now);

 private:
  absl::Duration leader_seen_ = -absl::InfiniteDuration();
  absl::Duration contact_seen_ = -absl::InfiniteDuration();
  bool is_first_ = true;
};

// The listener itself. Thread safety: confined to one thread, not a loop's.
class GroupDoor {
 public:
  explicit GroupDoor(ListenerOptions options) : options_(std::move(options)) {}

  // Binds and listens; connections wait in the kernel until Serve.
  absl::Status Open();
  // Accepts from now on, also after later Open()s.
  void Serve(EventLoopPool* loops, std::shared_ptr<NetBudget> budget,
             ListenerProtocols protocols);
  // Closes the listener and sends its clients away.
  void Close();

  bool is_open() const { return listener_ != nullptr; }
  Listener* listener() const { return listener_.get(); }

 private:
  const ListenerOptions options_;
  std::unique_ptr<Listener> listener_;
  std::unique_ptr<Listener> closing_;  // Its connections end.
  EventLoopPool* loops_ = nullptr;
  std::shared_ptr<NetBudget> budget_;
  ListenerProtocols protocols_;
};

}  // namespace totora::broker

#endif  // TOTORA_BROKER_GROUP_DOOR_H_
