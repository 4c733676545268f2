// Which protocol does a new connection speak? Internal to net.
#ifndef TOTORA_NET_SNIFFER_H_
#define TOTORA_NET_SNIFFER_H_

#include <string>

#include "absl/strings/string_view.h"
#include "net/connection.h"

namespace totora::net {

// The client's connection preface (RFC 9113 §3.4).
inline constexpr absl::string_view kHttp2Preface("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24);

enum class Sniffed {
  kUndecided,  // The bytes so far begin more than one kind.
  kHttp2,
  kTls,
  kHttp1,
  kOther,   // A classic frame, whose first four bytes are its length.
  kBroken,  // Begins like HTTP/2 and is not.
};

// Judges by the first bytes. A classic frame cannot be mistaken for another
// kind: letters or a TLS record header there would be a length above 300 MiB.
Sniffed Sniff(absl::string_view first_bytes);

// The protocol of a connection until its real one is known.
class Sniffer : public Protocol {
 public:
  explicit Sniffer(Connection* connection) : connection_(connection) {}

  void OnBytes(absl::string_view bytes) override;
  void OnWatch(int64_t now_nanos) override;

 private:
  void Refuse(NetRefusal reason);

  Connection* const connection_;
  std::string kept_;  // Less than a preface.
  int64_t started_nanos_ = 0;
};

}  // namespace totora::net

#endif  // TOTORA_NET_SNIFFER_H_
