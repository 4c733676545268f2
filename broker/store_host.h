// Which address message ids name. Classic tools dial it to see a message, so it
// has to be one that they reach: of the group, where that has one of its own.
#ifndef TOTORA_BROKER_STORE_HOST_H_
#define TOTORA_BROKER_STORE_HOST_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "broker/service/routes.h"

namespace totora::broker {

struct StoreHost {
  uint32_t ip = 0x7f000001;  // IPv4, in host byte order: ids have no room for names.
  uint16_t port = 0;
  friend bool operator==(const StoreHost&, const StoreHost&) = default;
};

// The IPv4 addresses of a name, in the order of their preference.
using ResolveIpv4 = std::function<std::vector<uint32_t>(const std::string& name)>;

// The group's address, if it has one IPv4 address: a virtual one, of a Kubernetes
// Service, say. A name with several stands for the replicas themselves: which of
// them would be chance, and of a dead one useless, so it is this replica's `own`,
// as without a group address. 127.0.0.1 if that has none either.
StoreHost ChooseStoreHost(const std::optional<service::Address>& group_address,
                          const service::Address& own, const ResolveIpv4& resolve);

// Asks the system; blocks.
std::vector<uint32_t> ResolveBySystem(const std::string& name);

}  // namespace totora::broker

#endif  // TOTORA_BROKER_STORE_HOST_H_
