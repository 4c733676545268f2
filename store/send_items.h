// The items of a send command, read in place: apply, stamp and count look at
// every message of the log and must not allocate for each.
#ifndef TOTORA_STORE_SEND_ITEMS_H_
#define TOTORA_STORE_SEND_ITEMS_H_

#include <cstdint>
#include <vector>

#include "absl/strings/string_view.h"

namespace totora::store {

inline constexpr size_t kIdHashBytes = 16;

struct SendItemView {
  absl::string_view id_hash;   // kIdHashBytes or empty.
  bool is_deliberate = false;
  uint32_t tag_hash = 0;
  uint32_t queue_id = 0;
  absl::string_view message;
  int64_t deliver_at_ms = 0;   // As in SendItem.
  int64_t delay_ms = 0;
  uint32_t retry_window_ms = 0;
  absl::string_view properties;  // Of the message, once somebody parsed it.
};

// Splits a kSend payload; everything points into it. `items` is overwritten.
// False if the payload is damaged.
bool ReadSendItems(absl::string_view payload, absl::string_view* topic,
                   std::vector<SendItemView>* items);

}  // namespace totora::store

#endif  // TOTORA_STORE_SEND_ITEMS_H_
