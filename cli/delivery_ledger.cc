#include "cli/delivery_ledger.h"

namespace totora::cli {

void DeliveryLedger::Sent(const std::string& message_id) {
  MutexLock lock(&mu_);
  Entry& entry = entries_[message_id];
  if (!entry.is_sent && entry.deliveries == 0) ++missing_;
  entry.is_sent = true;
}

void DeliveryLedger::Received(const std::string& message_id, absl::Duration now,
                              absl::Duration invisible) {
  MutexLock lock(&mu_);
  Entry& entry = entries_[message_id];
  if (entry.deliveries > 0) {
    const bool may_repeat =
        !entry.is_acknowledged &&
        (now >= entry.lease_end || deaths_ > entry.deaths_at_delivery);
    ++(may_repeat ? redelivered_ : duplicated_);
  } else if (entry.is_sent) {
    --missing_;
  }
  ++entry.deliveries;
  entry.deaths_at_delivery = deaths_;
  entry.lease_end = now + invisible;
}

void DeliveryLedger::Acknowledged(const std::string& message_id) {
  MutexLock lock(&mu_);
  entries_[message_id].is_acknowledged = true;
}

void DeliveryLedger::ReplicaDied() {
  MutexLock lock(&mu_);
  ++deaths_;
}

void DeliveryLedger::Stored(absl::string_view message_id) {
  MutexLock lock(&mu_);
  ++entries_[std::string(message_id)].stored;
}

uint64_t DeliveryLedger::Missing() const {
  MutexLock lock(&mu_);
  return missing_;
}

std::vector<std::string> DeliveryLedger::MissingIds(size_t limit) const {
  MutexLock lock(&mu_);
  std::vector<std::string> ids;
  for (const auto& [id, entry] : entries_) {
    if (ids.size() >= limit) break;
    if (entry.is_sent && entry.deliveries == 0) ids.push_back(id);
  }
  return ids;
}

DeliveryLedger::Totals DeliveryLedger::Total() const {
  MutexLock lock(&mu_);
  Totals totals;
  for (const auto& [id, entry] : entries_) {
    totals.sent += entry.is_sent ? 1 : 0;
    totals.received += entry.is_sent && entry.deliveries > 0 ? 1 : 0;
    totals.unacknowledged += !entry.is_sent && entry.deliveries > 0 ? 1 : 0;
    if (entry.stored > 1) totals.stored_twice += entry.stored - 1;
  }
  totals.lost = missing_;
  totals.redelivered = redelivered_;
  totals.duplicated = duplicated_ + totals.stored_twice;
  return totals;
}

}  // namespace totora::cli
