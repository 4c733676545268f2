// JSON bodies of the classic protocol, by the structs beside this file.
//
//   absl::StatusOr<HeartbeatData> heartbeat = DecodeBody<HeartbeatData>(body.view());
//   content.AddBody(EncodeBody(route));
//
// Written as every client reads them: names in alphabetical order, no white
// space, numeric map keys in quotes, maps keyed by MessageQueue in fastjson's
// own form ({{"brokerName":"b","queueId":0,"topic":"T"}:5}). Read as leniently
// as Java servers read: unknown members are ignored, null and absent leave
// the default, numbers may stand in quotes, and both kinds of odd keys are fine.
#ifndef TOTORA_REMOTING_BODIES_BODY_H_
#define TOTORA_REMOTING_BODIES_BODY_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace totora::remoting {

// Both exist for the structs of this folder, whose .cc files make them.
template <typename Body>
std::string EncodeBody(const Body& body);

// Errors: InvalidArgument for a text that is not JSON, above the limits of
//   JsonLimits, or with a member of the wrong type, which is named.
template <typename Body>
absl::StatusOr<Body> DecodeBody(absl::string_view text);

}  // namespace totora::remoting

#endif  // TOTORA_REMOTING_BODIES_BODY_H_
