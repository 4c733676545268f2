// HTTP/1 for small answers: GET and HEAD, no bodies in requests. Internal to net.
#ifndef TOTORA_NET_HTTP_SESSION_H_
#define TOTORA_NET_HTTP_SESSION_H_

#include <string>

#include "net/connection.h"

namespace totora::net {

// Thread safety: confined to the connection's loop.
class HttpSession : public Protocol {
 public:
  // Request line and headers; more is answered 431.
  static constexpr size_t kRequestBytesMax = 8 << 10;

  HttpSession(Connection* connection, const HttpHandler* handler)
      : connection_(connection), handler_(handler) {}

  void OnBytes(absl::string_view bytes) override;
  bool OnEof() override { return true; }
  void OnWatch(int64_t now_nanos) override;
  void Drain() override;

 private:
  // Answers the request whose head, without the empty line, is `head`. False
  // if the connection is to be closed afterwards.
  bool Serve(absl::string_view head);
  void Refuse(int status, absl::string_view text);
  void Send(const HttpResponse& response, bool with_body, bool keep);

  Connection* const connection_;
  const HttpHandler* const handler_;
  std::string kept_;
  bool draining_ = false;
};

}  // namespace totora::net

#endif  // TOTORA_NET_HTTP_SESSION_H_
