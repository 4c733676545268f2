#include "store/retry.h"

#include <algorithm>
#include <utility>

#include "message/message.h"
#include "message/topic.h"

namespace totora::store {
namespace {

using Kind = message::PropertyChange::Kind;

// As gRPC clients and consoles look for them.
void NameOrigin(message::Override* record) {
  record->Change(Kind::kCopyIfAbsent, message::kDeadLetterTopicProperty,
                 message::kRetryTopicProperty);
  record->Change(Kind::kCopyIfAbsent, message::kDeadLetterMessageIdProperty,
                 message::kUniqueKeyProperty);
}

}  // namespace

bool IsDeadLetter(const SendBackCommand& command) {
  return command.delay_ms < 0 || command.reconsume_times >= command.max_reconsume_times;
}

std::string SendBackTopic(const SendBackCommand& command) {
  return IsDeadLetter(command) ? message::DeadLetterTopic(command.consumer_group)
                               : message::RetryTopic(command.consumer_group);
}

message::Override SendBackOverride(const SendBackCommand& command, BytePosition payload) {
  message::Override record = command.override_record;
  record.position = payload;
  record.reconsume_times = command.reconsume_times + 1;
  record.Change(Kind::kUnset, message::kDelayLevelProperty);
  if (IsDeadLetter(command)) NameOrigin(&record);
  return record;
}

message::Override DeadLetterOverride(message::Override record, absl::string_view topic,
                                     uint32_t attempts) {
  record.reconsume_times = static_cast<int32_t>(std::min<uint32_t>(attempts, INT32_MAX));
  record.Change(Kind::kSetIfAbsent, message::kRetryTopicProperty, topic);
  record.Change(Kind::kCopyIfAbsent, message::kOriginMessageIdProperty,
                message::kUniqueKeyProperty);
  record.Change(Kind::kUnset, message::kDelayLevelProperty);
  NameOrigin(&record);
  return record;
}

}  // namespace totora::store
