// How a client finds its brokers, for producers, consumers and tools alike.
#ifndef TOTORA_CLIENT_OPTIONS_H_
#define TOTORA_CLIENT_OPTIONS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"

namespace totora::client {

class Runtime;

struct ClientOptions {
  // Any broker, or a group address: host:port, several parted by ';'.
  std::string access_point = {};
  std::string resource_namespace = {};
  // Of every call that does not wait for messages; also of one attempt of a send.
  absl::Duration request_timeout = absl::Seconds(3);
  // Shared with other clients if given (it must outlive this one), else the client makes its own.
  Runtime* runtime = nullptr;
};

struct ProducerOptions {
  ClientOptions client = {};
  // Asked about at start, so that a missing topic is an error of Start.
  std::vector<std::string> topics = {};
  // The first attempt counts too.
  int attempts_max = 3;
  // Requests in flight; the next one is refused with ResourceExhausted.
  size_t outstanding_max = 10000;
};

struct SimpleConsumerOptions {
  ClientOptions client = {};
  std::string consumer_group = {};
  std::vector<std::string> topics = {};
  // Tags joined by "||", or "*".
  std::string tag_expression = "*";
  // How long a receive may wait for a first message.
  absl::Duration await = absl::Seconds(5);
};

}  // namespace totora::client

#endif  // TOTORA_CLIENT_OPTIONS_H_
