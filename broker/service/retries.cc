#include "broker/service/retries.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "broker/service/refusal.h"
#include "message/codec.h"
#include "message/message_id.h"
#include "message/override.h"

namespace totora::service {
namespace {

// RocketMQ's: the first failure waits for level 3, 10 s.
constexpr int kFirstLevel = 3;

absl::Status OutcomeOf(const absl::StatusOr<absl::string_view>& bytes, const std::string& group) {
  if (!bytes.ok()) return bytes.status();
  const absl::StatusOr<store::SendBackResult> result = store::SendBackResult::Decode(*bytes);
  if (!result.ok()) return result.status();
  switch (result->status.code) {
    case absl::StatusCode::kNotFound:
      return Refuse(Refusal::kConsumerGroupNotFound, absl::StrCat("no consumer group ", group));
    case absl::StatusCode::kFailedPrecondition:
      return Refuse(Refusal::kNotWritable, result->status.text);
    default:
      return absl::Status(result->status.code, result->status.text);
  }
}

}  // namespace

struct Retries::Call {
  SendBackRequest request;
  Executor* reader;
  Done done;
  store::ConsumerGroupConfig consumer_group{};
};

void Retries::SendBack(SendBackRequest request, Executor* reader, Done done) {
  auto call = std::make_shared<Call>(Call{std::move(request), reader, std::move(done)});
  executor_->Post([this, call = std::move(call)] {
    consumer_groups_->FindForUse(call->request.consumer_group, call->request.give_up,
                                 [this, call](absl::StatusOr<store::ConsumerGroupConfig> config) {
                                   if (!config.ok()) {
                                     call->done(config.status());
                                     return;
                                   }
                                   call->consumer_group = *std::move(config);
                                   FindEntries(call, false);
                                 });
  });
}

void Retries::FindEntries(std::shared_ptr<Call> call, bool is_current) {
  const std::optional<store::EntryRange> around = state_->EntriesAround(call->request.position);
  if (around.has_value()) {
    call->reader->Post(
        [this, call = std::move(call), around = *around] { ReadMessage(call, around); });
    return;
  }
  if (is_current) {
    call->done(absl::NotFoundError("no message begins at this offset of the commit log"));
    return;
  }
  // Another replica may have delivered it before this one applied it.
  const absl::Duration give_up = call->request.give_up;
  log_->ReadBarrier(give_up, [this, call = std::move(call)](const absl::Status& status) mutable {
    if (status.ok()) {
      FindEntries(std::move(call), true);
    } else {
      call->done(status);
    }
  });
}

void Retries::ReadMessage(const std::shared_ptr<Call>& call, const store::EntryRange& around) {
  const absl::StatusOr<store::FoundMessage> found =
      log_->FindMessage(around, call->request.position);
  if (!found.ok()) {
    call->done(found.status());
    return;
  }
  std::optional<int32_t> times;
  if (found->override_record != nullptr) times = found->override_record->reconsume_times;
  if (!times.has_value()) {
    const absl::StatusOr<std::string> bytes = log_->ReadMessage(found->position, found->size);
    if (!bytes.ok()) {
      call->done(bytes.status());
      return;
    }
    const auto view = message::StoredMessageView::Parse(*bytes);
    if (!view.ok()) {
      call->done(view.status());
      return;
    }
    times = view->reconsume_times();
  }
  Submit(call, *found, std::max(0, *times));
}

void Retries::Submit(const std::shared_ptr<Call>& call, const store::FoundMessage& found,
                     int32_t reconsume_times) {
  const SendBackRequest& request = call->request;
  store::SendBackCommand command;
  command.consumer_group = request.consumer_group;
  command.position = found.position;
  command.size = found.size;
  command.tag_hash = found.tag_hash;
  command.reconsume_times = reconsume_times;
  // Attempts count the first delivery too.
  command.max_reconsume_times =
      std::max(0, request.max_reconsume_times.value_or(
                      static_cast<int32_t>(call->consumer_group.max_attempts) - 1));
  if (request.delay_level < 0) {
    command.delay_ms = -1;
  } else {
    const int level = request.delay_level > 0 ? request.delay_level
                                              : std::min(reconsume_times, 1000) + kFirstLevel;
    command.delay_ms = absl::ToInt64Milliseconds(levels_.Delay(level));
  }
  if (found.override_record != nullptr) command.override_record = *found.override_record;
  const auto set_if_absent = [&command](absl::string_view name, absl::string_view value) {
    command.override_record.Change(message::PropertyChange::Kind::kSetIfAbsent, name, value);
  };
  set_if_absent(message::kRetryTopicProperty, found.topic);
  set_if_absent(message::kOriginMessageIdProperty,
                message::OffsetMessageId{store_host_, request.position}.Encode());
  log_->Submit(store::CommandKind::kSendBack, command.Encode(), request.give_up,
               [call](absl::StatusOr<absl::string_view> bytes) {
                 call->done(OutcomeOf(bytes, call->request.consumer_group));
               });
}

}  // namespace totora::service
