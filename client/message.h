// What programs hand to the client and get back from it: plain values, no
// generated code.
//
// Thread safety: values.
#ifndef TOTORA_CLIENT_MESSAGE_H_
#define TOTORA_CLIENT_MESSAGE_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace totora::client {

// Numbers of the wire (MessageType in proto/rocketmq/v2/definition.proto).
enum class MessageType { kNormal = 1, kFifo = 2, kDelay = 3, kTransaction = 4 };

struct OutgoingMessage {
  std::string topic;
  std::string body;  // Must not be empty.
  std::string tag = {};
  std::vector<std::string> keys = {};
  std::map<std::string, std::string> properties = {};
  // Not empty makes it a FIFO message: one group keeps its order.
  std::string message_group = {};
  // Set makes it a DELAY message: invisible until then.
  std::optional<absl::Time> delivery_time = {};
  // Empty: the client makes a new one. All attempts of one send share it, so a
  // broker recognises a repeat.
  std::string message_id = {};
};

// What became of one message.
struct SendReceipt {
  // OK means that a majority of replicas has the message on disk.
  absl::Status status;
  std::string message_id;
  std::string transaction_id;
  std::string recall_handle;  // DELAY messages only.
  int64_t queue_offset = -1;
};

struct ReceivedMessage {
  std::string topic;
  std::string body;
  std::string tag;
  std::vector<std::string> keys;
  std::map<std::string, std::string> properties;
  std::string message_group;
  std::string message_id;
  // Names this one delivery; Ack and ChangeInvisible need it.
  std::string receipt_handle;
  // Where the delivery came from and its acknowledgement has to go.
  std::string endpoint;
  std::string born_host;
  absl::Time born_time;
  absl::Time store_time;
  int32_t queue_id = 0;
  int64_t queue_offset = 0;
  int32_t delivery_attempt = 1;
};

}  // namespace totora::client

#endif  // TOTORA_CLIENT_MESSAGE_H_
