// What differs between a message as it is stored and as it is read in another
// place: docs/formats/message.md, "Override records".
//
// A message is stored once. A retry, a dead letter, a committed transaction is
// an index entry that points at the same bytes and carries one of these; whoever
// reads the message lays it over with AppendAsRead.
#ifndef TOTORA_MESSAGE_OVERRIDE_H_
#define TOTORA_MESSAGE_OVERRIDE_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/types.h"

namespace totora::message {

// Of one encoded record: index entries must stay small.
inline constexpr size_t kOverrideBytesMax = 4096;
inline constexpr size_t kPropertyChangesMax = 32;

struct PropertyChange {
  // Numbers are part of the format: never reuse one.
  enum class Kind : uint8_t {
    kUnset = 0,
    kSet = 1,
    kSetIfAbsent = 2,
    kCopy = 3,          // From the property that `value` names; nothing if it is absent.
    kCopyIfAbsent = 4,
  };
  Kind kind = Kind::kUnset;
  std::string name;
  std::string value;    // Empty for kUnset.

  friend bool operator==(const PropertyChange&, const PropertyChange&) = default;
};

// Thread safety: value.
struct Override {
  // What readers are told instead of where the bytes lie.
  std::optional<BytePosition> position;
  std::optional<int32_t> reconsume_times;
  std::optional<uint32_t> transaction;          // Bits of kTransactionMask.
  std::optional<BytePosition> prepared_position;
  // Made one after the other; each sees what those before it made.
  std::vector<PropertyChange> properties;

  // Adds a change behind the others, and drops those that it makes void, so that
  // a message that is sent back again and again does not gather them.
  void Change(PropertyChange::Kind kind, absl::string_view name, absl::string_view value = "");

  // InvalidArgument if it has more or longer parts than a record may have.
  absl::Status Check() const;
  // REQUIRES: Check() is OK.
  std::string Encode() const;
  // Errors: DataLoss.
  static absl::StatusOr<Override> Decode(absl::string_view record);

  friend bool operator==(const Override&, const Override&) = default;
};

// Where a message is read, and since when it lies there.
struct Place {
  absl::string_view topic;
  uint32_t queue_id = 0;
  QueueOffset queue_offset;
  BytePosition position;       // Of the stored bytes; an override may name another.
  int64_t store_time_ms = 0;
};

// Appends `stored`, one whole message, as it is read at `place`. Without a
// record (null) the bytes are copied and four fields patched: `place.topic` is
// then taken to be the stored one. Body, body CRC, born time and hosts never
// change. Properties that do not fit any more are left out.
//
// Errors (`*to` is as before): DataLoss if `stored` is not one whole message
//   (without a record, only its length is looked at).
absl::Status AppendAsRead(absl::string_view stored, const Place& place, const Override* record,
                          std::string* to);

}  // namespace totora::message

#endif  // TOTORA_MESSAGE_OVERRIDE_H_
