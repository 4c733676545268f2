#include "net/test_server.h"

#include <arpa/inet.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/impl/codegen/client_unary_call.h>
#include <netinet/in.h>
#include <nghttp2/nghttp2.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <atomic>
#include <chrono>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/check.h"
#include "common/coding.h"

namespace totora::net {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(20);

grpc::ByteBuffer ToBuffer(const std::string& bytes) {
  grpc::Slice slice(bytes);
  return grpc::ByteBuffer(&slice, 1);
}

std::string ToString(const grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  if (!buffer.Dump(&slices).ok()) return "";
  std::string bytes;
  for (const grpc::Slice& slice : slices) {
    bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return bytes;
}

}  // namespace

void AwaitThat(const std::function<bool()>& condition, absl::string_view reason) {
  const absl::Duration end = Clock::System()->SteadyNow() + kPatience;
  while (!condition()) {
    if (Clock::System()->SteadyNow() > end) {
      ADD_FAILURE() << "waited in vain: " << std::string(reason);
      return;
    }
    poll(nullptr, 0, 1);
  }
}

TestServer::TestServer(NetLimits limits, ListenerOptions options)
    : budget(std::make_shared<NetBudget>(limits)) {
  AddMethods();
  if (options.address.empty()) options.address = "127.0.0.1:0";
  if (options.tag.empty()) options.tag = "public";
  auto opened = Listener::Open(options);
  TOTORA_CHECK(opened.ok()) << opened.status();
  listener = *std::move(opened);
  listener->Start(&loops, budget, {.grpc = &service});
}

TestServer::~TestServer() {
  listener->Stop();
  worker.Stop();
}

std::string TestServer::target() const { return absl::StrCat("127.0.0.1:", port()); }

std::shared_ptr<grpc::Channel> TestServer::NewChannel() const {
  static std::atomic<int> next{0};
  grpc::ChannelArguments arguments;
  // Channels with equal arguments would share a connection.
  arguments.SetInt("totora.test.channel", next.fetch_add(1));
  arguments.SetMaxReceiveMessageSize(-1);
  return grpc::CreateCustomChannel(target(), grpc::InsecureChannelCredentials(), arguments);
}

void TestServer::AddMethods() {
  service.AddRequest(
      "/test/Echo", [](GrpcCallPtr call, std::string request) { call->Reply(std::move(request)); });
  service.AddRequest("/test/Later", [this](GrpcCallPtr call, std::string request) {
    worker.Post([call = std::move(call), request = std::move(request)]() mutable {
      call->Reply(std::move(request));
    });
  });
  service.AddRequest("/test/Many", [this](GrpcCallPtr call, std::string request) {
    const std::vector<std::string> words = absl::StrSplit(request, ' ');
    call->OnDone([this](bool written) { done.Put(written); });
    for (int i = 0; i < std::stoi(words.at(0)); ++i) {
      call->Write(std::string(std::stoul(words.at(1)), static_cast<char>('a' + i % 26)));
    }
    call->Finish();
  });
  service.AddStream("/test/Chat", [](GrpcCallPtr call) {
    call->OnMessage([call](std::string message) { call->Write(std::move(message)); });
    call->OnHalfClose([call] { call->Finish(); });
  });
  service.AddRequest("/test/Park", [this](GrpcCallPtr call, std::string request) {
    call->OnDone([this](bool written) { done.Put(written); });
    parked.Put({std::move(call), std::move(request)});
  });
  service.AddRequest("/test/Describe", [](GrpcCallPtr call, std::string) {
    call->Reply(absl::StrCat(call->path(), " ", call->metadata("x-test"), " ", call->listener_tag(),
                             " ", call->metadata("x-none"), "."));
  });
  service.AddRequest("/test/Fail", [](GrpcCallPtr call, std::string request) {
    call->Finish(GrpcCode::kFailedPrecondition, std::move(request));
  });
}

CallResult Call(const std::shared_ptr<grpc::Channel>& channel, const std::string& path,
                const std::string& request, absl::Duration timeout,
                const std::vector<std::pair<std::string, std::string>>& metadata) {
  grpc::ClientContext context;
  context.set_wait_for_ready(true);
  context.set_deadline(std::chrono::system_clock::now() + absl::ToChronoMicroseconds(timeout));
  for (const auto& [name, value] : metadata) context.AddMetadata(name, value);
  const grpc::internal::RpcMethod method(path.c_str(), grpc::internal::RpcMethod::NORMAL_RPC);
  grpc::ByteBuffer reply;
  const grpc::Status status = grpc::internal::BlockingUnaryCall<grpc::ByteBuffer, grpc::ByteBuffer>(
      channel.get(), method, &context, ToBuffer(request), &reply);
  CallResult result;
  result.code = status.error_code();
  result.text = status.error_message();
  if (status.ok()) result.reply = ToString(reply);
  return result;
}

std::string Encode(const Frame& frame) {
  std::string out;
  AppendU8(&out, static_cast<uint8_t>(frame.payload.size() >> 16));
  AppendU16(&out, static_cast<uint16_t>(frame.payload.size()));
  AppendU8(&out, frame.type);
  AppendU8(&out, frame.flags);
  AppendU32(&out, frame.stream);
  return out + frame.payload;
}

std::string Literal(absl::string_view name, absl::string_view value) {
  TOTORA_CHECK(name.size() < 127 && value.size() < 127);
  std::string out;
  AppendU8(&out, 0);
  AppendU8(&out, static_cast<uint8_t>(name.size()));
  absl::StrAppend(&out, name);
  AppendU8(&out, static_cast<uint8_t>(value.size()));
  absl::StrAppend(&out, value);
  return out;
}

std::string RequestBlock(absl::string_view path) {
  return absl::StrCat(Literal(":method", "POST"), Literal(":scheme", "http"),
                      Literal(":path", path), Literal(":authority", "test"),
                      Literal("content-type", "application/grpc"), Literal("te", "trailers"));
}

std::string GrpcMessage(absl::string_view body) {
  std::string out;
  AppendU8(&out, 0);
  AppendU32(&out, static_cast<uint32_t>(body.size()));
  absl::StrAppend(&out, body);
  return out;
}

struct RawClient::Inflater {
  Inflater() { TOTORA_CHECK(nghttp2_hd_inflate_new(&state) == 0); }
  ~Inflater() { nghttp2_hd_inflate_del(state); }
  nghttp2_hd_inflater* state = nullptr;
};

RawClient::RawClient()
    : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)),
      inflater_(std::make_unique<Inflater>()) {
  TOTORA_CHECK(fd_ >= 0);
  const timeval patience{20, 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  ::setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
}

RawClient::RawClient(int port, int receive_buffer) : RawClient() {
  if (receive_buffer > 0) {
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
  }
  Connect(port);
}

void RawClient::Connect(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int result = ::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address);
  EXPECT_EQ(result, 0) << "connect: " << errno;
}

RawClient::~RawClient() { ::close(fd_); }

void RawClient::SendPreface() {
  Send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  Send(Frame{kSettingsFrame, 0, 0, ""});
}

bool RawClient::Send(absl::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

bool RawClient::SendRequest(uint32_t stream, absl::string_view path, absl::string_view body) {
  return Send(Encode({kHeadersFrame, kEndHeaders, stream, RequestBlock(path)}) +
              Encode({kDataFrame, kEndStream, stream, GrpcMessage(body)}));
}

std::string RawClient::Read() {
  char buffer[64 << 10];
  const ssize_t n = ::recv(fd_, buffer, sizeof buffer, 0);
  if (n < 0) {
    EXPECT_NE(errno, EAGAIN) << "the server was silent";
  }
  return n <= 0 ? "" : std::string(buffer, static_cast<size_t>(n));
}

Frame RawClient::ReadFrame() {
  while (true) {
    if (kept_.size() >= 9) {
      const auto byte = [&](size_t i) { return static_cast<uint8_t>(kept_[i]); };
      const size_t length = size_t{byte(0)} << 16 | size_t{byte(1)} << 8 | byte(2);
      if (kept_.size() >= 9 + length) {
        Frame frame;
        frame.type = byte(3);
        frame.flags = byte(4);
        frame.stream =
            uint32_t{byte(5)} << 24 | uint32_t{byte(6)} << 16 | uint32_t{byte(7)} << 8 | byte(8);
        frame.payload = kept_.substr(9, length);
        kept_.erase(0, 9 + length);
        return frame;
      }
    }
    const std::string more = Read();
    if (more.empty()) return Frame{255, 0, 0, ""};
    kept_ += more;
  }
}

Frame RawClient::ReadUntil(uint8_t type) {
  while (true) {
    Frame frame = ReadFrame();
    if (frame.type == type || frame.type == 255) return frame;
  }
}

int64_t RawClient::AwaitGoAway() {
  int64_t code = -1;
  while (true) {
    const Frame frame = ReadUntil(kGoAwayFrame);
    if (frame.type == 255) return code;
    Reader reader(frame.payload);
    reader.U32();
    code = reader.U32();
  }
}

std::string RawClient::ReadHeaders() {
  const Frame frame = ReadUntil(kHeadersFrame);
  std::string lines;
  const auto* at = reinterpret_cast<const uint8_t*>(frame.payload.data());
  size_t left = frame.payload.size();
  while (frame.type == kHeadersFrame) {
    nghttp2_nv field{};
    int flags = 0;
    const ssize_t used = nghttp2_hd_inflate_hd2(inflater_->state, &field, &flags, at, left, 1);
    TOTORA_CHECK(used >= 0) << used;
    at += used;
    left -= static_cast<size_t>(used);
    if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0) {
      absl::StrAppend(&lines, std::string(reinterpret_cast<char*>(field.name), field.namelen), ": ",
                      std::string(reinterpret_cast<char*>(field.value), field.valuelen), "\n");
    }
    if ((flags & NGHTTP2_HD_INFLATE_FINAL) != 0) {
      nghttp2_hd_inflate_end_headers(inflater_->state);
      break;
    }
  }
  return lines + ((frame.flags & kEndStream) != 0 ? "end" : "");
}

void RawClient::AwaitClosed() {
  while (!Read().empty()) {
  }
}

void RawClient::CloseWriting() { ::shutdown(fd_, SHUT_WR); }

}  // namespace totora::net
