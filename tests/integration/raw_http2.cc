#include "tests/integration/raw_http2.h"

#include <fcntl.h>
#include <nghttp2/nghttp2.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/status.h"
#include "tests/integration/kill_probe.h"

namespace totora::integration {
namespace {

// More than any server of ours allows: the limit under test is the server's.
constexpr uint32_t kStreamsMax = 1'000'000;

nghttp2_nv HeaderOf(const std::string& name, const std::string& value) {
  return {reinterpret_cast<uint8_t*>(const_cast<char*>(name.data())),
          reinterpret_cast<uint8_t*>(const_cast<char*>(value.data())), name.size(), value.size(),
          NGHTTP2_NV_FLAG_NONE};
}

}  // namespace

struct RawHttp2::State {
  int fd = -1;
  nghttp2_session* session = nullptr;
  std::map<int32_t, Stream> streams;
  // What each request still has to send; no entry: it never ends.
  std::map<int32_t, std::string> bodies;
  std::string unsent;

  ~State() {
    nghttp2_session_del(session);
    if (fd >= 0) close(fd);
  }

  static State* Of(void* user) { return static_cast<State*>(user); }

  static ssize_t ReadBody(nghttp2_session*, int32_t id, uint8_t* to, size_t size, uint32_t* flags,
                          nghttp2_data_source*, void* user) {
    std::map<int32_t, std::string>& bodies = Of(user)->bodies;
    const auto at = bodies.find(id);
    if (at == bodies.end()) return NGHTTP2_ERR_DEFERRED;
    const size_t n = std::min(size, at->second.size());
    std::memcpy(to, at->second.data(), n);
    at->second.erase(0, n);
    if (at->second.empty()) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return static_cast<ssize_t>(n);
  }

  static int OnHeader(nghttp2_session*, const nghttp2_frame* frame, const uint8_t* name,
                      size_t name_size, const uint8_t* value, size_t value_size, uint8_t,
                      void* user) {
    const absl::string_view key(reinterpret_cast<const char*>(name), name_size);
    const std::string text(reinterpret_cast<const char*>(value), value_size);
    Stream& stream = Of(user)->streams[frame->hd.stream_id];
    if (key == "grpc-status") stream.grpc_status = text;
    if (key == "grpc-message") stream.grpc_message = text;
    return 0;
  }

  static int OnData(nghttp2_session*, uint8_t, int32_t id, const uint8_t* data, size_t size,
                    void* user) {
    Of(user)->streams[id].data.append(reinterpret_cast<const char*>(data), size);
    return 0;
  }

  static int OnClose(nghttp2_session*, int32_t id, uint32_t code, void* user) {
    Of(user)->streams[id].closed = code;
    return 0;
  }

  absl::Status Fill() {
    while (true) {
      const uint8_t* bytes = nullptr;
      const ssize_t n = nghttp2_session_mem_send(session, &bytes);
      if (n < 0) return absl::InternalError(nghttp2_strerror(static_cast<int>(n)));
      if (n == 0) return absl::OkStatus();
      unsent.append(reinterpret_cast<const char*>(bytes), static_cast<size_t>(n));
    }
  }

  absl::Status WriteSome() {
    const ssize_t n = send(fd, unsent.data(), unsent.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n > 0) unsent.erase(0, static_cast<size_t>(n));
    if (n < 0 && errno != EAGAIN && errno != EINTR) {
      return absl::UnavailableError(ErrnoStatus(errno, "send").message());
    }
    return absl::OkStatus();
  }

  absl::Status ReadSome() {
    uint8_t buffer[65536];
    const ssize_t n = recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT);
    if (n == 0) return absl::UnavailableError("the server closed the connection");
    if (n < 0) {
      if (errno == EAGAIN || errno == EINTR) return absl::OkStatus();
      return absl::UnavailableError(ErrnoStatus(errno, "recv").message());
    }
    const ssize_t used = nghttp2_session_mem_recv(session, buffer, static_cast<size_t>(n));
    if (used < 0) return absl::InternalError(nghttp2_strerror(static_cast<int>(used)));
    return absl::OkStatus();
  }

  // Waits until something can be read, or written if something waits.
  void Wait(bool reads) const {
    pollfd item{.fd = fd, .events = 0, .revents = 0};
    if (reads) item.events |= POLLIN;
    if (!unsent.empty()) item.events |= POLLOUT;
    poll(&item, 1, 10);
  }
};

std::string GrpcFrame(absl::string_view message) {
  std::string frame(5, '\0');
  const auto size = static_cast<uint32_t>(message.size());
  for (int i = 0; i < 4; ++i) frame[1 + i] = static_cast<char>(size >> (24 - 8 * i));
  frame.append(message.data(), message.size());
  return frame;
}

RawHttp2::RawHttp2(std::unique_ptr<State> state) : state_(std::move(state)) {}
RawHttp2::~RawHttp2() = default;

absl::StatusOr<std::unique_ptr<RawHttp2>> RawHttp2::Connect(const std::string& address) {
  auto state = std::make_unique<State>();
  TOTORA_ASSIGN_OR_RETURN(state->fd, ConnectTcp(address));
  nghttp2_session_callbacks* callbacks = nullptr;
  nghttp2_session_callbacks_new(&callbacks);
  nghttp2_session_callbacks_set_on_header_callback(callbacks, State::OnHeader);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, State::OnData);
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, State::OnClose);
  nghttp2_option* option = nullptr;
  nghttp2_option_new(&option);
  nghttp2_option_set_peer_max_concurrent_streams(option, kStreamsMax);
  nghttp2_session_client_new2(&state->session, callbacks, state.get(), option);
  nghttp2_option_del(option);
  nghttp2_session_callbacks_del(callbacks);
  nghttp2_submit_settings(state->session, NGHTTP2_FLAG_NONE, nullptr, 0);
  return std::unique_ptr<RawHttp2>(new RawHttp2(std::move(state)));
}

int32_t RawHttp2::Open(const std::string& path,
                       const std::vector<std::pair<std::string, std::string>>& headers,
                       std::optional<std::string> body) {
  std::vector<std::pair<std::string, std::string>> all = {
      {":method", "POST"},         {":scheme", "http"},
      {":path", path},             {":authority", "localhost"},
      {"te", "trailers"},          {"content-type", "application/grpc"}};
  all.insert(all.end(), headers.begin(), headers.end());
  std::vector<nghttp2_nv> values;
  for (const auto& [name, value] : all) values.push_back(HeaderOf(name, value));
  nghttp2_data_provider source{};
  source.read_callback = State::ReadBody;
  const int32_t id = nghttp2_submit_request(state_->session, nullptr, values.data(), values.size(),
                                            &source, nullptr);
  state_->streams[id];
  if (body.has_value()) state_->bodies[id] = *std::move(body);
  return id;
}

absl::Status RawHttp2::Flush() {
  TOTORA_RETURN_IF_ERROR(state_->Fill());
  while (!state_->unsent.empty()) {
    TOTORA_RETURN_IF_ERROR(state_->WriteSome());
    state_->Wait(/*reads=*/false);
  }
  return absl::OkStatus();
}

absl::Status RawHttp2::RunUntil(const std::function<bool()>& done, absl::Duration timeout) {
  const absl::Time deadline = absl::Now() + timeout;
  while (!done()) {
    if (absl::Now() > deadline) return absl::DeadlineExceededError("the server did not answer");
    TOTORA_RETURN_IF_ERROR(state_->Fill());
    if (!state_->unsent.empty()) TOTORA_RETURN_IF_ERROR(state_->WriteSome());
    state_->Wait(/*reads=*/true);
    TOTORA_RETURN_IF_ERROR(state_->ReadSome());
  }
  return absl::OkStatus();
}

const RawHttp2::Stream& RawHttp2::stream(int32_t id) const { return state_->streams.at(id); }

size_t RawHttp2::CountClosed(uint32_t code) const {
  return std::count_if(state_->streams.begin(), state_->streams.end(), [code](const auto& entry) {
    return entry.second.closed == code;
  });
}

}  // namespace totora::integration
