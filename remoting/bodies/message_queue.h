// The name of one queue, as bodies spell it.
#ifndef TOTORA_REMOTING_BODIES_MESSAGE_QUEUE_H_
#define TOTORA_REMOTING_BODIES_MESSAGE_QUEUE_H_

#include <compare>
#include <cstdint>
#include <string>

namespace totora::remoting {

struct MessageQueue {
  std::string broker_name{};
  int32_t queue_id = 0;
  std::string topic{};

  auto operator<=>(const MessageQueue&) const = default;

  static void Visit(auto& self, auto& visitor) {
    visitor.Field("brokerName", self.broker_name);
    visitor.Field("queueId", self.queue_id);
    visitor.Field("topic", self.topic);
  }
};

}  // namespace totora::remoting

#endif  // TOTORA_REMOTING_BODIES_MESSAGE_QUEUE_H_
