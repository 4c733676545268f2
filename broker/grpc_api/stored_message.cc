#include "broker/grpc_api/stored_message.h"

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "broker/grpc_api/body_encoding.h"
#include "broker/grpc_api/durations.h"
#include "broker/service/peer_host.h"
#include "broker/service/receipt_handle.h"
#include "common/status.h"
#include "message/codec.h"
#include "message/digest.h"
#include "message/message.h"
#include "message/message_id.h"
#include "message/properties.h"
#include "message/tag_filter.h"

namespace totora::grpc_api {
namespace {

absl::StatusOr<std::string> PackProperties(const v2::Message& message) {
  const v2::SystemProperties& system = message.system_properties();
  std::string packed;
  const auto append = [&](absl::string_view name, absl::string_view value) {
    return value.empty() ? absl::OkStatus() : message::AppendProperty(&packed, name, value);
  };
  TOTORA_RETURN_IF_ERROR(append(message::kUniqueKeyProperty, system.message_id()));
  TOTORA_RETURN_IF_ERROR(append(message::kTagsProperty, system.tag()));
  TOTORA_RETURN_IF_ERROR(append(message::kKeysProperty, absl::StrJoin(system.keys(), " ")));
  TOTORA_RETURN_IF_ERROR(append(message::kShardingKeyProperty, system.message_group()));
  TOTORA_RETURN_IF_ERROR(append(message::kTraceContextProperty, system.trace_context()));
  TOTORA_RETURN_IF_ERROR(append(message::kBornHostProperty, system.born_host()));
  if (system.has_delivery_timestamp()) {
    TOTORA_RETURN_IF_ERROR(append(message::kTimerDeliverMillisProperty,
                                  absl::StrCat(MillisOf(system.delivery_timestamp()))));
  }
  for (const auto& [name, value] : message.user_properties()) {
    TOTORA_RETURN_IF_ERROR(message::AppendProperty(&packed, name, value));
  }
  return packed;
}

void SetBody(const message::Message& stored, v2::Message* to) {
  v2::SystemProperties* system = to->mutable_system_properties();
  system->set_body_encoding(v2::IDENTITY);
  to->mutable_body()->assign(stored.body.data(), stored.body.size());
  if (message::CompressionOf(stored.system_flags) != message::Compression::kNone) {
    absl::StatusOr<std::string> unpacked = UnpackBody(stored.body);
    if (unpacked.ok()) {
      *to->mutable_body() = *std::move(unpacked);
    } else {
      // What its producer wrote, as it is: the consumer's to judge.
      system->set_body_encoding(v2::GZIP);
    }
  }
  // Of the bytes as sent, in the one form that every client reads the same.
  system->mutable_body_digest()->set_type(v2::MD5);
  system->mutable_body_digest()->set_checksum(
      message::BodyDigest(message::DigestKind::kMd5, to->body()));
}

void SetProperty(absl::string_view name, absl::string_view value, v2::Message* to) {
  // A string field that is no UTF-8 would make the whole message unreadable.
  if (!message::IsValidUtf8(name) || !message::IsValidUtf8(value)) return;
  v2::SystemProperties* system = to->mutable_system_properties();
  const std::string text(value);
  int64_t number = 0;
  if (name == message::kTagsProperty) {
    system->set_tag(text);
  } else if (name == message::kKeysProperty) {
    system->clear_keys();
    for (absl::string_view key : absl::StrSplit(value, ' ', absl::SkipEmpty())) {
      system->add_keys(std::string(key));
    }
  } else if (name == message::kUniqueKeyProperty) {
    system->set_message_id(text);
  } else if (name == message::kShardingKeyProperty) {
    system->set_message_group(text);
  } else if (name == message::kTraceContextProperty) {
    system->set_trace_context(text);
  } else if (name == message::kBornHostProperty) {
    system->set_born_host(text);
  } else if (name == message::kTimerDeliverMillisProperty) {
    if (absl::SimpleAtoi(text, &number)) {
      SetMillis(number, system->mutable_delivery_timestamp());
    }
  } else if (!message::IsReservedProperty(name)) {
    (*to->mutable_user_properties())[std::string(name)] = text;
  }
}

v2::MessageType TypeOf(const message::Message& stored, const v2::SystemProperties& system) {
  if ((stored.system_flags & message::kTransactionMask) != 0) return v2::TRANSACTION;
  if (system.has_delivery_timestamp()) return v2::DELAY;
  return system.has_message_group() ? v2::FIFO : v2::NORMAL;
}

}  // namespace

absl::StatusOr<service::OutgoingMessage> ToStored(const v2::Message& message,
                                                  const std::string& topic, absl::string_view peer,
                                                  int64_t now_ms) {
  const v2::SystemProperties& system = message.system_properties();
  TOTORA_ASSIGN_OR_RETURN(const std::string properties, PackProperties(message));
  message::Message stored;
  stored.topic = topic;
  stored.body = message.body();
  stored.properties = properties;
  if (system.body_encoding() == v2::GZIP) stored.system_flags |= message::kCompressedFlag;
  stored.born_time_ms = system.has_born_timestamp() ? MillisOf(system.born_timestamp()) : now_ms;
  stored.born_host = service::HostOfPeer(peer);
  service::OutgoingMessage outgoing;
  TOTORA_RETURN_IF_ERROR(message::EncodeMessage(stored, &outgoing.stored));
  outgoing.id_hash =
      service::MessageIdHash(topic, system.message_id(), message::BodyCrc(message.body()));
  outgoing.tag_hash = message::TagHash(system.tag());
  if (system.has_delivery_timestamp()) {
    outgoing.delivery.deliver_at_ms =
        std::max<int64_t>(0, MillisOf(system.delivery_timestamp()));
  }
  return outgoing;
}

absl::Status FromStored(absl::string_view bytes, const store::DeliveredMessage& delivered,
                        const DeliveryFacts& facts, v2::Message* to) {
  TOTORA_ASSIGN_OR_RETURN(const message::StoredMessageView view,
                          message::StoredMessageView::Parse(bytes));
  const message::Message stored = view.ToMessage();
  *to->mutable_topic() = *facts.topic;
  SetBody(stored, to);
  message::ForEachProperty(stored.properties,
                           [to](absl::string_view name, absl::string_view value) {
                             SetProperty(name, value, to);
                             return true;
                           });
  v2::SystemProperties* system = to->mutable_system_properties();
  if (system->message_id().empty()) {
    system->set_message_id(
        message::OffsetMessageId{stored.store_host, delivered.position}.Encode());
  }
  if (system->born_host().empty()) system->set_born_host(stored.born_host.IpToString());
  system->set_message_type(TypeOf(stored, *system));
  SetMillis(stored.born_time_ms, system->mutable_born_timestamp());
  SetMillis(stored.store_time_ms, system->mutable_store_timestamp());
  system->set_store_host(stored.store_host.ToString());
  system->set_queue_id(static_cast<int32_t>(delivered.queue_id));
  system->set_queue_offset(static_cast<int64_t>(delivered.offset.value()));
  system->set_delivery_attempt(static_cast<int32_t>(delivered.attempt));
  SetDuration(facts.invisible, system->mutable_invisible_duration());
  system->set_receipt_handle(service::EncodeReceiptHandle(
      {facts.group,
       {*facts.stored_topic, delivered.queue_id, delivered.offset, delivered.delivery_id}}));
  return absl::OkStatus();
}

std::string TagOf(absl::string_view bytes) {
  const auto view = message::StoredMessageView::Parse(bytes);
  return view.ok() ? std::string(view->Property(message::kTagsProperty)) : std::string();
}

}  // namespace totora::grpc_api
