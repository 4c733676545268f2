// The properties of a message as one packed string, and single ones in it.
// Layout: docs/formats/message.md (MessageDecoder.java, string2messageProperties).
//
// Reading never fails: what is no property is skipped, since consumers must get
// what was stored. Writing refuses what could not be read back.
#ifndef TOTORA_MESSAGE_PROPERTIES_H_
#define TOTORA_MESSAGE_PROPERTIES_H_

#include <optional>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace totora::message {

// The value of `name`, the last one if it is there more than once. Builds
// nothing; the view points into `packed`.
std::optional<absl::string_view> FindProperty(absl::string_view packed, absl::string_view name);

// The same, with an empty value for an absent one. Most system properties mean
// the same in both cases.
absl::string_view PropertyOr(absl::string_view packed, absl::string_view name,
                             absl::string_view otherwise = "");

// Calls `each` for every property in the order of the string, repeated names
// included (the last one counts), until it returns false.
void ForEachProperty(absl::string_view packed,
                     absl::FunctionRef<bool(absl::string_view name, absl::string_view value)> each);

// Adds a property at the end.
// REQUIRES: `packed` has none of that name; use SetProperty if it may have.
//
// Errors (nothing was added): InvalidArgument if the name is empty, name or
//   value contain the separators 0x01 or 0x02, or the string would become
//   longer than kPropertiesBytesMax.
absl::Status AppendProperty(std::string* packed, absl::string_view name, absl::string_view value);

// Replaces `name`, or adds it. `name` and `value` may not point into `packed`.
// Errors: as AppendProperty; then `packed` is as before.
absl::Status SetProperty(std::string* packed, absl::string_view name, absl::string_view value);

// Takes every property of that name out.
void RemoveProperty(std::string* packed, absl::string_view name);

// What a classic producer sent, before it is stored.
// Errors: InvalidArgument if it is longer than kPropertiesBytesMax.
absl::Status CheckProperties(absl::string_view packed);

// True if `text` is UTF-8 as protobuf wants it: no overlong forms, no surrogates,
// nothing above U+10FFFF. Classic producers may send anything; a gRPC consumer
// cannot be given a string field that is not UTF-8.
bool IsValidUtf8(absl::string_view text);

}  // namespace totora::message

#endif  // TOTORA_MESSAGE_PROPERTIES_H_
