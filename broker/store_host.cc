#include "broker/store_host.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <sys/socket.h>

#include <algorithm>

#include "common/log.h"

namespace totora::broker {
namespace {

// Those of a dotted address: itself.
std::vector<uint32_t> AddressesOf(const std::string& host, const ResolveIpv4& resolve) {
  in_addr address{};
  if (inet_pton(AF_INET, host.c_str(), &address) == 1) return {ntohl(address.s_addr)};
  return resolve(host);
}

}  // namespace

StoreHost ChooseStoreHost(const std::optional<service::Address>& group_address,
                          const service::Address& own, const ResolveIpv4& resolve) {
  if (group_address.has_value()) {
    const std::vector<uint32_t> addresses = AddressesOf(group_address->host, resolve);
    if (addresses.size() == 1) return {addresses.front(), group_address->port};
  }
  const std::vector<uint32_t> addresses = AddressesOf(own.host, resolve);
  if (!addresses.empty()) return {addresses.front(), own.port};
  StoreHost host;
  host.port = own.port;
  TOTORA_LOG(kWarn, "broker") << Field("host", own.host)
                              << "has no IPv4 address: message ids name 127.0.0.1, which tools "
                                 "on other machines cannot dial";
  return host;
}

std::vector<uint32_t> ResolveBySystem(const std::string& name) {
  addrinfo hints{};
  hints.ai_family = AF_INET;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  std::vector<uint32_t> addresses;
  if (getaddrinfo(name.c_str(), nullptr, &hints, &found) != 0) return addresses;
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
    const auto* const address = reinterpret_cast<const sockaddr_in*>(one->ai_addr);
    const uint32_t ip = ntohl(address->sin_addr.s_addr);
    if (std::find(addresses.begin(), addresses.end(), ip) == addresses.end()) {
      addresses.push_back(ip);
    }
  }
  freeaddrinfo(found);
  return addresses;
}

}  // namespace totora::broker
