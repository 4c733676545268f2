#include "broker/service/delivery_reports.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "common/log.h"

namespace totora::service {
namespace {

// Long: a report is worth having for as long as the lease may last.
constexpr absl::Duration kGiveUp = absl::Seconds(30);

}  // namespace

void DeliveryReports::Add(const std::string& consumer_group, const std::string& topic,
                          const std::vector<store::DeliveredMessage>& messages, bool was_written) {
  if (messages.empty()) return;
  if (waiting_.size() + messages.size() > kWaitingMax) {
    dropped_ += messages.size();
    TOTORA_LOG_LIMITED(kWarn, "service") << "delivery reports dropped";
    return;
  }
  if (waiting_.empty()) oldest_ = executor_->clock().SteadyNow();
  for (const store::DeliveredMessage& message : messages) {
    store::DeliveredCommand::Item& item = waiting_.emplace_back();
    item.consumer_group = consumer_group;
    item.receipt = {topic, message.queue_id, message.offset, message.delivery_id};
    item.was_written = was_written;
  }
  has_lost_ |= !was_written;
}

void DeliveryReports::Tick(absl::Duration now) {
  if (waiting_.empty() || (!has_lost_ && now - oldest_ < kCollect)) return;
  std::vector<store::DeliveredCommand::Item> items = std::move(waiting_);
  waiting_.clear();
  has_lost_ = false;
  for (size_t from = 0; from < items.size(); from += kItemsPerCommand) {
    const size_t to = std::min(items.size(), from + kItemsPerCommand);
    store::DeliveredCommand command;
    command.items.assign(std::make_move_iterator(items.begin() + from),
                         std::make_move_iterator(items.begin() + to));
    Submit(std::move(command));
  }
}

void DeliveryReports::Submit(store::DeliveredCommand command) {
  std::string payload = command.Encode();
  log_->Submit(
      store::CommandKind::kDelivered, std::move(payload), executor_->clock().SteadyNow() + kGiveUp,
      [this, command = std::move(command)](absl::StatusOr<absl::string_view> result) mutable {
        if (result.ok() || absl::IsDeadlineExceeded(result.status())) return;
        // It never left this replica: try again with the next ones.
        if (waiting_.size() + command.items.size() > kWaitingMax) {
          dropped_ += command.items.size();
          return;
        }
        if (waiting_.empty()) oldest_ = executor_->clock().SteadyNow();
        std::move(command.items.begin(), command.items.end(), std::back_inserter(waiting_));
      });
}

}  // namespace totora::service
