// Which handler answers which gRPC method.
#ifndef TOTORA_NET_GRPC_SERVICE_H_
#define TOTORA_NET_GRPC_SERVICE_H_

#include <functional>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "common/check.h"
#include "net/grpc_call.h"

namespace totora {

// Thread safety: filled by one thread before a listener that uses it starts;
// immutable from then on.
class GrpcService {
 public:
  // Called on the loop of the connection, once the whole request is here. The
  // call is finished by Reply() or by any number of Write() and a Finish(),
  // from any thread, now or later.
  using RequestHandler = std::function<void(GrpcCallPtr call, std::string request)>;
  // Called on the loop when the request headers are here; sets OnMessage and
  // OnHalfClose.
  using StreamHandler = std::function<void(GrpcCallPtr call)>;

  struct Method {
    RequestHandler on_request;  // Exactly one of the two is set.
    StreamHandler on_stream;
  };

  // One request message; one response message (unary) or several (server streaming).
  // `path` is "/package.Service/Method".
  void AddRequest(absl::string_view path, RequestHandler handler) {
    Add(path, Method{std::move(handler), nullptr});
  }
  // Any number of messages both ways.
  void AddStream(absl::string_view path, StreamHandler handler) {
    Add(path, Method{nullptr, std::move(handler)});
  }

  // Null if nobody answers `path`.
  const Method* Find(absl::string_view path) const {
    const auto found = methods_.find(path);
    return found == methods_.end() ? nullptr : &found->second;
  }

 private:
  void Add(absl::string_view path, Method method) {
    const bool fresh = methods_.emplace(std::string(path), std::move(method)).second;
    TOTORA_CHECK(fresh) << "two handlers for " << path;
  }

  absl::flat_hash_map<std::string, Method> methods_;
};

}  // namespace totora

#endif  // TOTORA_NET_GRPC_SERVICE_H_
