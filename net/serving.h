// What all connections of one listener have in common. Internal to net.
#ifndef TOTORA_NET_SERVING_H_
#define TOTORA_NET_SERVING_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "net/budget.h"
#include "net/grpc_service.h"
#include "net/http_handler.h"
#include "net/raw_connection.h"

namespace totora {

// What a listener serves; what is not set is refused by name.
struct ListenerProtocols {
  // Not owned; outlives the listener. Complete before the listener starts.
  const GrpcService* grpc = nullptr;
  HttpHandler http{};
  RawProtocol raw{};
};

namespace net {

// Thread safety: immutable but for the atomics.
struct Serving {
  Serving(std::string tag, std::shared_ptr<NetBudget> budget, ListenerProtocols protocols)
      : tag(std::move(tag)), budget(std::move(budget)), protocols(std::move(protocols)) {}

  const std::string tag;
  const std::shared_ptr<NetBudget> budget;
  const ListenerProtocols protocols;

  std::atomic<int64_t> connections{0};
  std::atomic<bool> draining{false};
};

}  // namespace net
}  // namespace totora

#endif  // TOTORA_NET_SERVING_H_
