// Echo: the round trip of the public port with nothing behind it.
#ifndef TOTORA_CLIENT_ECHO_CLIENT_H_
#define TOTORA_CLIENT_ECHO_CLIENT_H_

#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "client/runtime.h"

namespace totora::client {

// Calls /totora.bench.Echo/Echo, which answers with the bytes that it got.
//
// Thread safety: monitor.
class EchoClient {
 public:
  // `runtime` must outlive the client.
  EchoClient(const std::string& address, Runtime* runtime);
  // Waits for the calls under way.
  ~EchoClient();

  // `done` runs on the runtime's thread; DataLoss if other bytes came back.
  void CallAsync(const std::string& bytes, absl::Duration timeout,
                 absl::AnyInvocable<void(absl::Status)> done);

 private:
  class Core;
  std::unique_ptr<Core> core_;
};

}  // namespace totora::client

#endif  // TOTORA_CLIENT_ECHO_CLIENT_H_
