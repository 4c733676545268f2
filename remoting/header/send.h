// Headers of sending: 10, 310, 320, 324, 325, 36, 370, and 326 to a client.
//
// All are values whose text points into the command they were read from.
#ifndef TOTORA_REMOTING_HEADER_SEND_H_
#define TOTORA_REMOTING_HEADER_SEND_H_

#include <cstdint>
#include <optional>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "remoting/command.h"
#include "remoting/fields.h"
#include "remoting/request_code.h"

namespace totora::remoting {

// How a send spells its fields.
enum class SendFieldNames { kWords, kLetters };

// SendMessageRequestHeader and its V2: the same fields under one-letter names,
// which keep the headers of Java clients short.
struct SendMessageRequest {
  absl::string_view producer_group{};
  absl::string_view topic{};
  absl::string_view default_topic{};  // Whose settings a new topic copies.
  int32_t default_topic_queue_nums = 0;
  int32_t queue_id = 0;  // Negative: the broker chooses.
  int32_t sys_flag = 0;
  int64_t born_timestamp = 0;
  int32_t flag = 0;
  absl::string_view properties{};
  std::optional<int32_t> reconsume_times{};
  bool unit_mode = false;
  std::optional<int32_t> max_reconsume_times{};  // Java: retry topics only; Go: always 0.
  bool batch = false;
  absl::string_view broker_name{};

  static void VisitNamed(auto& self, auto& visitor, SendFieldNames names) {
    const auto name = [names](absl::string_view word, absl::string_view letter) {
      return names == SendFieldNames::kWords ? word : letter;
    };
    visitor.Required(name("producerGroup", "a"), self.producer_group);
    visitor.Required(name("topic", "b"), self.topic);
    visitor.Required(name("defaultTopic", "c"), self.default_topic);
    visitor.Required(name("defaultTopicQueueNums", "d"), self.default_topic_queue_nums);
    visitor.Required(name("queueId", "e"), self.queue_id);
    visitor.Required(name("sysFlag", "f"), self.sys_flag);
    visitor.Required(name("bornTimestamp", "g"), self.born_timestamp);
    visitor.Required(name("flag", "h"), self.flag);
    visitor.Optional(name("properties", "i"), self.properties);
    visitor.Optional(name("reconsumeTimes", "j"), self.reconsume_times);
    visitor.Optional(name("unitMode", "k"), self.unit_mode);
    visitor.Optional(name("maxReconsumeTimes", "l"), self.max_reconsume_times);
    visitor.Optional(name("batch", "m"), self.batch);
    visitor.Optional(name("bname", "n"), self.broker_name);
  }
  static void Visit(auto& self, auto& visitor) {
    VisitNamed(self, visitor, SendFieldNames::kWords);
  }
};

// The code says which names are used: 310, 320 and 325 letters, 10 and 324
// words (SendMessageRequestHeader.parseRequestHeader).
inline SendFieldNames SendFieldNamesOf(int32_t code) {
  switch (static_cast<RequestCode>(code)) {
    case RequestCode::kSendMessageV2:
    case RequestCode::kSendBatchMessage:
    case RequestCode::kSendReplyMessageV2:
      return SendFieldNames::kLetters;
    default:
      return SendFieldNames::kWords;
  }
}

// Errors: as ReadFields.
inline absl::StatusOr<SendMessageRequest> ReadSendMessage(const Command& command) {
  SendMessageRequest header;
  FieldReader reader(&command.fields);
  SendMessageRequest::VisitNamed(header, reader, SendFieldNamesOf(command.code));
  if (!reader.status().ok()) return reader.status();
  return header;
}

inline void WriteSendMessage(const SendMessageRequest& header, SendFieldNames names,
                             FieldBuffer* to) {
  FieldWriter writer(to);
  SendMessageRequest::VisitNamed(header, writer, names);
}

// SendMessageResponseHeader, with the two fields that brokers add. The first
// three must be there with 0, 10, 11 and 12, or Java throws.
struct SendMessageReply {
  absl::string_view message_id{};  // The offset id; a batch: one for each item, with commas.
  int32_t queue_id = 0;
  int64_t queue_offset = 0;            // A batch: the first item's.
  absl::string_view transaction_id{};  // The unique id that the client made.
  absl::string_view batch_unique_id{};
  absl::string_view recall_handle{};
  absl::string_view region{};
  std::optional<bool> trace_on{};

  static void Visit(auto& self, auto& visitor) {
    visitor.Required("msgId", self.message_id);
    visitor.Required("queueId", self.queue_id);
    visitor.Required("queueOffset", self.queue_offset);
    visitor.Optional("transactionId", self.transaction_id);
    visitor.Optional("batchUniqId", self.batch_unique_id);
    visitor.Optional("recallHandle", self.recall_handle);
    visitor.Optional("MSG_REGION", self.region);
    visitor.Optional("TRACE_ON", self.trace_on);
  }
};

// 36, a message that a consumer could not handle.
struct ConsumerSendMessageBackRequest {
  int64_t offset = 0;  // The message's position in the commit log.
  absl::string_view group{};
  int32_t delay_level = 0;  // Negative: to the dead letters at once.
  absl::string_view origin_message_id{};
  absl::string_view origin_topic{};
  bool unit_mode = false;
  std::optional<int32_t> max_reconsume_times{};
  absl::string_view broker_name{};

  static void Visit(auto& self, auto& visitor) {
    visitor.Required("offset", self.offset);
    visitor.Required("group", self.group);
    visitor.Required("delayLevel", self.delay_level);
    visitor.Optional("originMsgId", self.origin_message_id);
    visitor.Optional("originTopic", self.origin_topic);
    visitor.Optional("unitMode", self.unit_mode);
    visitor.Optional("maxReconsumeTimes", self.max_reconsume_times);
    visitor.Optional("bname", self.broker_name);
  }
};

// 370.
struct RecallMessageRequest {
  absl::string_view producer_group{};
  absl::string_view topic{};
  absl::string_view recall_handle{};

  static void Visit(auto& self, auto& visitor) {
    visitor.Optional("producerGroup", self.producer_group);
    visitor.Required("topic", self.topic);
    visitor.Required("recallHandle", self.recall_handle);
  }
};
struct RecallMessageReply {
  absl::string_view message_id{};  // The unique id.

  static void Visit(auto& self, auto& visitor) { visitor.Required("msgId", self.message_id); }
};

// 326, broker to requester: the reply to its request (ReplyMessageRequestHeader).
struct PushReplyMessageRequest {
  absl::string_view producer_group{};
  absl::string_view topic{};
  absl::string_view default_topic{};
  int32_t default_topic_queue_nums = 0;
  int32_t queue_id = 0;
  int32_t sys_flag = 0;
  int64_t born_timestamp = 0;
  int32_t flag = 0;
  absl::string_view properties{};
  std::optional<int32_t> reconsume_times{};
  bool unit_mode = false;
  absl::string_view born_host{};  // "ip:port".
  absl::string_view store_host{};
  int64_t store_timestamp = 0;

  static void Visit(auto& self, auto& visitor) {
    visitor.Required("producerGroup", self.producer_group);
    visitor.Required("topic", self.topic);
    visitor.Required("defaultTopic", self.default_topic);
    visitor.Required("defaultTopicQueueNums", self.default_topic_queue_nums);
    visitor.Required("queueId", self.queue_id);
    visitor.Required("sysFlag", self.sys_flag);
    visitor.Required("bornTimestamp", self.born_timestamp);
    visitor.Required("flag", self.flag);
    visitor.Optional("properties", self.properties);
    visitor.Optional("reconsumeTimes", self.reconsume_times);
    visitor.Optional("unitMode", self.unit_mode);
    visitor.Required("bornHost", self.born_host);
    visitor.Required("storeHost", self.store_host);
    visitor.Required("storeTimestamp", self.store_timestamp);
  }
};

}  // namespace totora::remoting

#endif  // TOTORA_REMOTING_HEADER_SEND_H_
