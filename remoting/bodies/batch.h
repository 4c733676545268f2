// The body of SEND_BATCH_MESSAGE: items back to back, without topic and queue
// (MessageDecoder.java, encodeMessages).
//
//   u32 size of the item   u32 magic   u32 CRC   u32 flag
//   u32 body length, body   u16 properties length, properties
#ifndef TOTORA_REMOTING_BODIES_BATCH_H_
#define TOTORA_REMOTING_BODIES_BATCH_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace totora::remoting {

// Points into the batch.
struct BatchItem {
  int32_t flag = 0;
  absl::string_view body;
  absl::string_view properties;
};

// Magic and CRC are 0 in requests and not looked at.
// Errors: InvalidArgument if the items do not add up to `body`, there is none,
//   or there are more than `items_max`.
absl::StatusOr<std::vector<BatchItem>> ReadBatch(absl::string_view body, size_t items_max);

}  // namespace totora::remoting

#endif  // TOTORA_REMOTING_BODIES_BATCH_H_
