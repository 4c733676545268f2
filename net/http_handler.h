// What answers plain HTTP/1 on a shared port: metrics, health, the console.
#ifndef TOTORA_NET_HTTP_HANDLER_H_
#define TOTORA_NET_HTTP_HANDLER_H_

#include <functional>
#include <string>

#include "absl/strings/string_view.h"

namespace totora {

struct HttpResponse {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
};

// Answers GET (and HEAD, whose body is left away) of `target`, which is the
// path with its query as the client spelled it; it begins with '/'. Called on
// loop threads, by several at once: it must not block.
using HttpHandler = std::function<HttpResponse(absl::string_view target)>;

}  // namespace totora

#endif  // TOTORA_NET_HTTP_HANDLER_H_
