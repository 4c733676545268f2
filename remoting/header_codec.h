// The two header serializers. Internal to remoting; frame.h is the way in.
#ifndef TOTORA_REMOTING_HEADER_CODEC_H_
#define TOTORA_REMOTING_HEADER_CODEC_H_

#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "remoting/command.h"
#include "remoting/frame.h"

namespace totora::remoting {

// Fill in all but serializer, frame and body of `command`, whose views then
// point into the header's bytes.
// Errors: InvalidArgument.

// Resolves escapes in place: the header's bytes are not JSON afterwards.
absl::Status DecodeJsonHeader(char* header, size_t size, Command* command);
absl::Status DecodeCompactHeader(absl::string_view header, Command* command);

// Keys in alphabetical order and no white space, as fastjson writes them.
void AppendJsonHeader(const Head& head, const FieldBuffer& fields, std::string* to);
// REQUIRES: code and version fit into 16 bits.
void AppendCompactHeader(const Head& head, const FieldBuffer& fields, std::string* to);

}  // namespace totora::remoting

#endif  // TOTORA_REMOTING_HEADER_CODEC_H_
