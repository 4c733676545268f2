// What net's tests share: a server on a free port, a gRPC client that sends
// bytes, and a raw socket that can send anything.
#ifndef TOTORA_NET_TEST_SERVER_H_
#define TOTORA_NET_TEST_SERVER_H_

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/mutex.h"
#include "common/thread_executor.h"
#include "net/event_loop.h"
#include "net/grpc_service.h"
#include "net/listener.h"

namespace grpc {
class Channel;
}  // namespace grpc

namespace totora::net {

// Waits until `condition` holds; a failed test with `reason` after 20 s.
void AwaitThat(const std::function<bool()>& condition, absl::string_view reason);

// Values that callbacks on other threads leave for the test's thread.
//
// Thread safety: monitor.
template <typename T>
class Inbox {
 public:
  void Put(T value) {
    MutexLock lock(&mu_);
    values_.push_back(std::move(value));
    changed_.SignalAll();
  }
  size_t size() {
    MutexLock lock(&mu_);
    return values_.size();
  }
  T At(size_t i) {
    MutexLock lock(&mu_);
    return values_.at(i);
  }
  // Waits until there are `count` values.
  void Await(size_t count, absl::string_view reason) {
    AwaitThat([&] { return size() >= count; }, reason);
  }

 private:
  Mutex mu_;
  CondVar changed_;
  std::vector<T> values_ ABSL_GUARDED_BY(mu_);
};

// Methods of the test service:
//   /test/Echo       the request, answered on the loop
//   /test/Later      the same, answered by another thread
//   /test/Many       "count size": so many messages of that size
//   /test/Chat       bidi: echoes each message, ends when the client does
//   /test/Park       never answers; the call goes to `parked`
//   /test/Describe   path, metadata "x-test", listener tag
//   /test/Fail       ends with FAILED_PRECONDITION and the request as text
class TestServer {
 public:
  explicit TestServer(NetLimits limits = NetLimits(), ListenerOptions options = {});
  ~TestServer();

  int port() const { return listener->port(); }
  std::string target() const;
  // A connection of its own.
  std::shared_ptr<grpc::Channel> NewChannel() const;

  uint64_t refused(NetRefusal reason) const { return budget->counters().refused(reason); }

  struct Parked {
    GrpcCallPtr call;
    std::string request;
  };

  GrpcService service;
  Inbox<Parked> parked;
  Inbox<bool> done;  // What OnDone said of each parked and each Many call.
  ThreadExecutor worker{"net-test-worker"};
  EventLoopPool loops{"net-test", 2};
  const std::shared_ptr<NetBudget> budget;
  std::unique_ptr<Listener> listener;

 private:
  void AddMethods();
};

struct CallResult {
  int code = -1;
  std::string text;
  std::string reply;
};

// One unary call with a deadline of 20 s, or as given.
CallResult Call(const std::shared_ptr<grpc::Channel>& channel, const std::string& path,
                const std::string& request, absl::Duration timeout = absl::Seconds(20),
                const std::vector<std::pair<std::string, std::string>>& metadata = {});

// HTTP/2 by hand.
struct Frame {
  uint8_t type = 0;
  uint8_t flags = 0;
  uint32_t stream = 0;
  std::string payload;
};

inline constexpr uint8_t kDataFrame = 0;
inline constexpr uint8_t kHeadersFrame = 1;
inline constexpr uint8_t kPriorityFrame = 2;
inline constexpr uint8_t kResetFrame = 3;
inline constexpr uint8_t kSettingsFrame = 4;
inline constexpr uint8_t kPingFrame = 6;
inline constexpr uint8_t kGoAwayFrame = 7;
inline constexpr uint8_t kWindowFrame = 8;
inline constexpr uint8_t kContinuationFrame = 9;
inline constexpr uint8_t kEndStream = 1;
inline constexpr uint8_t kAck = 1;
inline constexpr uint8_t kEndHeaders = 4;

std::string Encode(const Frame& frame);
// A header field as HPACK literal without indexing.
std::string Literal(absl::string_view name, absl::string_view value);
// The header block of a gRPC request.
std::string RequestBlock(absl::string_view path);
std::string GrpcMessage(absl::string_view body);

class RawClient {
 public:
  // A socket that is not connected yet.
  RawClient();
  // Connects; nothing is sent yet.
  explicit RawClient(int port, int receive_buffer = 0);
  ~RawClient();
  RawClient(const RawClient&) = delete;

  void Connect(int port);
  // Preface and SETTINGS.
  void SendPreface();
  // False once the server has closed. Waits at most 20 s for room.
  bool Send(absl::string_view bytes);
  bool Send(const Frame& frame) { return Send(Encode(frame)); }
  // A whole unary request.
  bool SendRequest(uint32_t stream, absl::string_view path, absl::string_view body);

  // The next bytes; empty at the end of the connection.
  std::string Read();
  // The next frame; type 255 at the end of the connection.
  Frame ReadFrame();
  // Reads on to a HEADERS frame: its fields as "name: value" lines, and
  // "end" if it ends its stream. Empty if the connection ends before.
  std::string ReadHeaders();
  // Reads on to a frame of `type`; type 255 if the connection ends before.
  Frame ReadUntil(uint8_t type);
  // Reads on to the end of the connection: the error code of the last GOAWAY,
  // -1 if there was none.
  int64_t AwaitGoAway();
  // Waits, at most 20 s, until the server has closed the connection.
  void AwaitClosed();
  void CloseWriting();
  int fd() const { return fd_; }

 private:
  int fd_;
  std::string kept_;
  struct Inflater;
  std::unique_ptr<Inflater> inflater_;
};

inline constexpr int64_t kHttp2ProtocolError = 1;
inline constexpr int64_t kHttp2FlowControlError = 3;
inline constexpr int64_t kEnhanceYourCalm = 11;

}  // namespace totora::net

#endif  // TOTORA_NET_TEST_SERVER_H_
