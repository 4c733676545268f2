#include "broker/service/send.h"

#include <xxhash.h>

#include <algorithm>
#include <utility>

#include "absl/container/inlined_vector.h"
#include "absl/strings/str_cat.h"
#include "broker/service/refusal.h"
#include "common/check.h"
#include "common/coding.h"
#include "message/codec.h"
#include "message/topic.h"

namespace totora::service {
namespace {

bool Takes(store::TopicType topic, std::optional<store::TopicType> message) {
  return topic == store::TopicType::kMixed || !message.has_value() || topic == *message;
}

uint32_t PlaceOf(TopicDirectory::Topic* topic, absl::string_view message_group) {
  const uint32_t queues = topic->config.write_queues;
  if (message_group.empty()) {
    return topic->next_queue.fetch_add(1, std::memory_order_relaxed) % queues;
  }
  // A pure function of group and queue count: producers of every language
  // agree because none of them is asked.
  return static_cast<uint32_t>(XXH3_64bits(message_group.data(), message_group.size()) % queues);
}

absl::StatusOr<store::SendResult> ResultOf(const absl::StatusOr<absl::string_view>& bytes,
                                           const std::string& topic, size_t count) {
  if (!bytes.ok()) return bytes.status();
  absl::StatusOr<store::SendResult> result = store::SendResult::Decode(*bytes);
  if (!result.ok()) return result;
  const absl::StatusCode code = result->status.code;
  if (code == absl::StatusCode::kNotFound) {
    return Refuse(Refusal::kTopicNotFound, absl::StrCat("no topic ", topic));
  }
  if (code == absl::StatusCode::kFailedPrecondition) {
    return Refuse(Refusal::kNotWritable, absl::StrCat("topic ", topic, " is not writable"));
  }
  if (!result->status.ok()) return absl::Status(code, result->status.text);
  if (result->items.size() != count) {
    return absl::InternalError("as many results as messages were expected");
  }
  return result;
}

}  // namespace

std::string MessageIdHash(absl::string_view topic, absl::string_view message_id,
                          uint32_t body_crc) {
  // Names are short: nothing is allocated for most.
  absl::InlinedVector<char, 256> bytes;
  bytes.insert(bytes.end(), topic.begin(), topic.end());
  bytes.push_back('\0');
  bytes.insert(bytes.end(), message_id.begin(), message_id.end());
  bytes.resize(bytes.size() + sizeof(body_crc));
  PutAt(bytes.data() + bytes.size() - sizeof(body_crc), body_crc);
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, XXH3_128bits(bytes.data(), bytes.size()));
  return std::string(reinterpret_cast<const char*>(canonical.digest), sizeof(canonical.digest));
}

void MessageSender::Send(SendRequest request, SendDone done) {
  TOTORA_CHECK(!request.messages.empty());
  if (is_disk_full_.load(std::memory_order_relaxed)) {
    done(absl::ResourceExhaustedError("the broker's disk is full; messages are not taken"));
    return;
  }
  const std::shared_ptr<TopicDirectory::Topic> topic = topics_->Find(request.topic);
  if (topic != nullptr) {
    SendTo(topic.get(), std::move(request), std::move(done));
    return;
  }
  // Created a moment ago, perhaps, and not applied here yet.
  const absl::Duration give_up = request.give_up;
  log_->ReadBarrier(give_up, [this, request = std::move(request),
                              done = std::move(done)](absl::Status status) mutable {
    if (!status.ok()) {
      done(std::move(status));
      return;
    }
    const std::shared_ptr<TopicDirectory::Topic> found = topics_->Find(request.topic);
    if (found == nullptr) {
      done(Refuse(Refusal::kTopicNotFound, absl::StrCat("no topic ", request.topic)));
      return;
    }
    SendTo(found.get(), std::move(request), std::move(done));
  });
}

void MessageSender::SendTo(TopicDirectory::Topic* topic, SendRequest request, SendDone done) {
  const store::TopicConfig& config = topic->config;
  if ((config.permission & message::kPermissionWrite) == 0 || config.write_queues == 0) {
    done(Refuse(Refusal::kNotWritable, absl::StrCat("topic ", config.name, " is not writable")));
    return;
  }
  if (!Takes(config.type, request.type)) {
    done(Refuse(Refusal::kTypeMismatch,
                absl::StrCat("topic ", config.name, " does not take this kind of message")));
    return;
  }
  if (request.messages.size() > store::SendCommand::kSendItemsMax) {
    done(absl::InvalidArgumentError("too many messages in one request"));
    return;
  }
  if (request.queue_id.has_value() &&
      *request.queue_id >= std::max(config.read_queues, config.write_queues)) {
    done(Refuse(Refusal::kNoSuchQueue,
                absl::StrCat("topic ", config.name, " has no queue ", *request.queue_id)));
    return;
  }
  const uint32_t queue_id =
      request.queue_id.has_value() ? *request.queue_id : PlaceOf(topic, request.message_group);
  store::SendCommand command;
  command.topic = std::move(request.topic);
  command.items.reserve(request.messages.size());
  for (OutgoingMessage& message : request.messages) {
    message::PatchQueueId(message.stored.data(), queue_id);
    store::SendItem& item = command.items.emplace_back();
    item.id_hash = std::move(message.id_hash);
    item.is_deliberate = message.is_deliberate;
    item.retry_window_ms = message.retry_window_ms;
    item.deliver_at_ms = message.delivery.deliver_at_ms;
    item.delay_ms = message.delivery.delay_ms;
    item.tag_hash = message.tag_hash;
    item.queue_id = queue_id;
    item.message = message.stored;
  }
  std::string payload = command.Encode();
  log_->Submit(store::CommandKind::kSend, std::move(payload), request.give_up,
               [this, topic = std::move(command.topic), count = command.items.size(),
                done = std::move(done)](absl::StatusOr<absl::string_view> bytes) mutable {
                 absl::StatusOr<store::SendResult> result = ResultOf(bytes, topic, count);
                 if (result.ok()) FindPlacesOfRepeats(topic, &*result);
                 done(std::move(result));
               });
}

// The window of ids holds queue and offset only; where the message lies is in
// its queue, unless retention has taken it.
void MessageSender::FindPlacesOfRepeats(const std::string& topic, store::SendResult* result) const {
  for (store::SendResult::Item& item : result->items) {
    if (!item.is_duplicate || item.due_ms > 0) continue;
    const absl::StatusOr<std::vector<store::QueueEntry>> entries =
        state_->Entries(topic, item.queue_id, item.offset, 1);
    if (entries.ok() && !entries->empty()) item.position = entries->front().position;
  }
}

}  // namespace totora::service
