// Where a consumer group that is new to a queue begins.
#ifndef TOTORA_BROKER_SERVICE_YOUNG_QUEUE_H_
#define TOTORA_BROKER_SERVICE_YOUNG_QUEUE_H_

#include <cstdint>

#include "absl/strings/string_view.h"
#include "store/state_machine.h"

namespace totora::service {

// Whether a consumer group that is new to the queue begins with its first
// message, wherever the client would begin: true for a queue that lost nothing
// yet and is not long. (RocketMQ: if message 0 is still in memory; examples and
// tests that produce first and consume later rely on it.)
//
// On the replica's executor; may read two blocks of the index.
bool IsYoung(const store::StateMachine& state, absl::string_view topic, uint32_t queue_id);

}  // namespace totora::service

#endif  // TOTORA_BROKER_SERVICE_YOUNG_QUEUE_H_
