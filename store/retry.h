// What is laid over a message that is tried again or given up: pure functions of
// what the log says, shared by apply and by whoever looks a message up in the log.
#ifndef TOTORA_STORE_RETRY_H_
#define TOTORA_STORE_RETRY_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "common/types.h"
#include "message/override.h"
#include "store/commands.h"

namespace totora::store {

// Attempts are used up, or the consumer does not want another.
bool IsDeadLetter(const SendBackCommand& command);

// The topic that the copy goes to.
std::string SendBackTopic(const SendBackCommand& command);

// What is laid over the copy. `payload`: where the command's payload lies in the
// log; it becomes the copy's position.
message::Override SendBackOverride(const SendBackCommand& command, BytePosition payload);

// What is laid over a message that was received and not acked `attempts` times,
// on top of what its place laid over it. `topic` is that place's.
message::Override DeadLetterOverride(message::Override record, absl::string_view topic,
                                     uint32_t attempts);

}  // namespace totora::store

#endif  // TOTORA_STORE_RETRY_H_
