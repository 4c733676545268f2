#include "broker/group_door.h"

#include <utility>

#include "common/log.h"
#include "common/status.h"

namespace totora::broker {

bool DoorPolicy::ShouldBeOpen(const DoorSigns& signs, absl::Duration now) {
  if (std::exchange(is_first_, false)) leader_seen_ = contact_seen_ = now;
  if (signs.has_leader) leader_seen_ = now;
  if (signs.reaches_a_peer || signs.reaches_a_nameserver) contact_seen_ = now;
  // Somebody else leads, and not for us.
  if (now - leader_seen_ >= kLeaderlessMax && signs.nameserver_names_a_leader) return false;
  // Cut off from everybody: others may be serving.
  if (now - contact_seen_ >= kLeaderlessMax) return false;
  if (signs.has_leader && !signs.is_caught_up) return false;
  return true;
}

absl::Status GroupDoor::Open() {
  if (listener_ != nullptr) return absl::OkStatus();
  TOTORA_ASSIGN_OR_RETURN(listener_, Listener::Open(options_));
  if (loops_ != nullptr) listener_->Start(loops_, budget_, protocols_);
  return absl::OkStatus();
}

void GroupDoor::Serve(EventLoopPool* loops, std::shared_ptr<NetBudget> budget,
                      ListenerProtocols protocols) {
  loops_ = loops;
  budget_ = std::move(budget);
  protocols_ = std::move(protocols);
  if (listener_ != nullptr) listener_->Start(loops_, budget_, protocols_);
}

void GroupDoor::Close() {
  if (listener_ == nullptr) return;
  if (closing_ != nullptr) closing_->CloseAll();
  closing_ = std::move(listener_);
  closing_->Drain();
}

}  // namespace totora::broker
