// An HTTP/2 client that does what no gRPC library would: requests that never
// end, deadlines that have passed, more streams than the server allows.
#ifndef TOTORA_TESTS_INTEGRATION_RAW_HTTP2_H_
#define TOTORA_TESTS_INTEGRATION_RAW_HTTP2_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace totora::integration {

// `message` with the five bytes that gRPC puts before it.
std::string GrpcFrame(absl::string_view message);

// Thread safety: none.
class RawHttp2 {
 public:
  struct Stream {
    std::string grpc_status;
    std::string grpc_message;
    std::string data;
    std::optional<uint32_t> closed;  // HTTP/2 error code; 0: in order.
  };

  static absl::StatusOr<std::unique_ptr<RawHttp2>> Connect(const std::string& address);
  ~RawHttp2();

  // Starts a request. Without `body` it stays half: headers, and no end.
  int32_t Open(const std::string& path,
               const std::vector<std::pair<std::string, std::string>>& headers,
               std::optional<std::string> body);

  // Writes what is waiting without looking at what the server says.
  absl::Status Flush();

  // Reads and writes until `done` or the time is over. Errors: DeadlineExceeded;
  // Unavailable if the server closed the connection.
  absl::Status RunUntil(const std::function<bool()>& done, absl::Duration timeout);

  const Stream& stream(int32_t id) const;
  size_t CountClosed(uint32_t code) const;

 private:
  struct State;
  explicit RawHttp2(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace totora::integration

#endif  // TOTORA_TESTS_INTEGRATION_RAW_HTTP2_H_
