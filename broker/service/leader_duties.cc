#include "broker/service/leader_duties.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace totora::service {
namespace {

constexpr absl::Duration kGiveUp = absl::Seconds(5);

}  // namespace

void LeaderDuties::Tick(absl::Duration now) {
  if (!log_->IsLeader()) {
    is_leading_ = false;
    has_default_topic_ = false;
    return;
  }
  if (!is_leading_) {
    is_leading_ = true;
    last_renewal_ = now - kFirstLook;
  }
  Expire(now);
  EnsureDefaultTopic(now);
  if (now - last_renewal_ >= kRenewInterval) RenewLeases(now);
}

void LeaderDuties::Expire(absl::Duration now) {
  if (is_expiring_) return;
  const std::optional<int64_t> next = state_->NextExpiryMs();
  if (!next.has_value() || *next > log_->LogTimeNowMs()) return;
  is_expiring_ = true;
  log_->Submit(store::CommandKind::kExpire, store::ExpireCommand().Encode(), now + kGiveUp,
               [this](absl::StatusOr<absl::string_view>) { is_expiring_ = false; });
}

void LeaderDuties::EnsureDefaultTopic(absl::Duration now) {
  if (has_default_topic_ || is_making_default_topic_) return;
  is_making_default_topic_ = true;
  topic_creation_->EnsureDefaultTopic(now + kGiveUp, [this](const absl::Status& status) {
    is_making_default_topic_ = false;
    // A deadline that passed, an unavailable log: the next tick tries again.
    has_default_topic_ = !absl::IsUnavailable(status) && !absl::IsDeadlineExceeded(status);
  });
}

void LeaderDuties::RenewLeases(absl::Duration now) {
  // Peers tell of their clients with this delay.
  const absl::Duration since = last_renewal_ - Sessions::kShareInterval;
  last_renewal_ = now;
  std::vector<std::string> holders = state_->ClientsWithAutoRenewedLeases(kClientsMax);
  holders.erase(std::remove_if(holders.begin(), holders.end(),
                               [&](const std::string& client_id) {
                                 return !sessions_->WasSeenSince(client_id, since);
                               }),
                holders.end());
  for (size_t from = 0; from < holders.size(); from += kClientsPerCommand) {
    const size_t to = std::min(holders.size(), from + kClientsPerCommand);
    store::ClientsAliveCommand command;
    command.client_ids.assign(holders.begin() + from, holders.begin() + to);
    log_->Submit(store::CommandKind::kClientsAlive, command.Encode(), now + kGiveUp,
                 [](absl::StatusOr<absl::string_view>) {});
  }
}

}  // namespace totora::service
