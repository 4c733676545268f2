// Tells the log what became of delivered messages: written to the client, or
// lost on the way. Lost ones are released at once, without counting an attempt.
#ifndef TOTORA_BROKER_SERVICE_DELIVERY_REPORTS_H_
#define TOTORA_BROKER_SERVICE_DELIVERY_REPORTS_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "broker/service/command_log.h"
#include "common/executor.h"
#include "store/commands.h"

namespace totora::service {

// Thread safety: confined to the replica's executor.
class DeliveryReports {
 public:
  // Reports are collected this long; one command carries them all.
  static constexpr absl::Duration kCollect = absl::Milliseconds(50);
  // A report that finds this many waiting is dropped: such a message stays
  // invisible for its time and comes back, which costs a duplicate at worst.
  static constexpr size_t kWaitingMax = 200'000;
  static constexpr size_t kItemsPerCommand = 4096;

  DeliveryReports(CommandLog* log, Executor* executor) : log_(log), executor_(executor) {}

  void Add(const std::string& consumer_group, const std::string& topic,
           const std::vector<store::DeliveredMessage>& messages, bool was_written);

  // Called every tick; sends what is old enough.
  void Tick(absl::Duration now);

  size_t waiting() const { return waiting_.size(); }
  uint64_t dropped() const { return dropped_; }

 private:
  void Submit(store::DeliveredCommand command);

  CommandLog* const log_;
  Executor* const executor_;
  std::vector<store::DeliveredCommand::Item> waiting_;
  absl::Duration oldest_ = absl::InfiniteDuration();
  bool has_lost_ = false;  // Somebody else waits for these: do not collect for long.
  uint64_t dropped_ = 0;
};

}  // namespace totora::service

#endif  // TOTORA_BROKER_SERVICE_DELIVERY_REPORTS_H_
