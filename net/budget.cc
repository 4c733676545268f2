#include "net/budget.h"

namespace totora {

absl::string_view NetRefusalName(NetRefusal reason) {
  switch (reason) {
    case NetRefusal::kConnectionsMax:
      return "connections_max";
    case NetRefusal::kDescriptorsExhausted:
      return "descriptors_exhausted";
    case NetRefusal::kFirstBytesLate:
      return "first_bytes_late";
    case NetRefusal::kTlsNotServed:
      return "tls_not_served";
    case NetRefusal::kProtocolUnknown:
      return "protocol_unknown";
    case NetRefusal::kProtocolNotServed:
      return "protocol_not_served";
    case NetRefusal::kHttp2Malformed:
      return "http2_malformed";
    case NetRefusal::kHeaderBlockTooLarge:
      return "header_block_too_large";
    case NetRefusal::kControlFlood:
      return "control_flood";
    case NetRefusal::kResetFlood:
      return "reset_flood";
    case NetRefusal::kStreamsMax:
      return "streams_max";
    case NetRefusal::kRequestTooLarge:
      return "request_too_large";
    case NetRefusal::kRequestBytesHeld:
      return "request_bytes_held";
    case NetRefusal::kResponseBytesHeld:
      return "response_bytes_held";
    case NetRefusal::kRequestLate:
      return "request_late";
    case NetRefusal::kMethodUnknown:
      return "method_unknown";
    case NetRefusal::kNotGrpc:
      return "not_grpc";
    case NetRefusal::kKeepaliveLost:
      return "keepalive_lost";
    case NetRefusal::kWriteStalled:
      return "write_stalled";
    case NetRefusal::kHttp1Malformed:
      return "http1_malformed";
    case NetRefusal::kRawRefused:
      return "raw_refused";
    case NetRefusal::kCount:
      break;
  }
  return "unknown";
}

}  // namespace totora
