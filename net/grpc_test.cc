// gRPC as gRPC's own C++ client sees it.
#include <grpcpp/grpcpp.h>
#include <grpcpp/impl/codegen/client_unary_call.h>
#include <grpcpp/support/async_unary_call.h>
#include <grpcpp/support/sync_stream.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "net/grpc_typed.h"
#include "net/test_server.h"

namespace totora::net {
namespace {

using grpc::ByteBuffer;
using grpc::internal::RpcMethod;

ByteBuffer Buffer(const std::string& bytes) {
  grpc::Slice slice(bytes);
  return ByteBuffer(&slice, 1);
}

std::string Text(const ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  if (!buffer.Dump(&slices).ok()) return "";
  std::string bytes;
  for (const grpc::Slice& slice : slices) {
    bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return bytes;
}

using Chat = std::unique_ptr<grpc::ClientReaderWriter<ByteBuffer, ByteBuffer>>;
Chat OpenChat(const std::shared_ptr<grpc::Channel>& channel, grpc::ClientContext* context,
              const char* path = "/test/Chat") {
  context->set_wait_for_ready(true);
  return Chat(grpc::internal::ClientReaderWriterFactory<ByteBuffer, ByteBuffer>::Create(
      channel.get(), RpcMethod(path, RpcMethod::BIDI_STREAMING), context));
}

TEST(GrpcUnary, TheRequestComesBackAndTheServerKnowsItWasWritten) {
  TestServer server;
  const CallResult result = Call(server.NewChannel(), "/test/Echo", "paid order 17");

  EXPECT_EQ(result.code, 0) << result.text;
  EXPECT_EQ(result.reply, "paid order 17");
  AwaitThat([&] { return server.budget->counters().calls_completed == 1; }, "call completed");
  EXPECT_EQ(server.budget->counters().calls_broken, 0u);
}

TEST(GrpcUnary, AnyThreadMayAnswer) {
  TestServer server;
  const auto channel = server.NewChannel();
  for (int i = 0; i < 200; ++i) {
    const CallResult result = Call(channel, "/test/Later", absl::StrCat("n", i));
    ASSERT_EQ(result.code, 0) << result.text;
    ASSERT_EQ(result.reply, absl::StrCat("n", i));
  }
}

TEST(GrpcUnary, EmptyAndLargeMessagesSurvive) {
  TestServer server;
  const auto channel = server.NewChannel();
  for (const size_t size : {size_t{0}, size_t{1}, size_t{4095}, size_t{4096}, size_t{16379},
                            size_t{65536}, size_t{1} << 20, size_t{15} << 20}) {
    std::string request(size, '\0');
    for (size_t i = 0; i < size; ++i) request[i] = static_cast<char>(i * 7 + i / 4096);
    const CallResult result = Call(channel, "/test/Echo", request);
    ASSERT_EQ(result.code, 0) << size << " " << result.text;
    ASSERT_TRUE(result.reply == request) << size;
  }
  AwaitThat([&] { return server.budget->counters().request_bytes_held == 0; }, "charges returned");
  EXPECT_EQ(server.budget->counters().response_bytes_held, 0);
}

TEST(GrpcUnary, ARequestAboveTheBoundIsRefusedBeforeItIsHeld) {
  TestServer server;
  const auto channel = server.NewChannel();
  const CallResult result = Call(channel, "/test/Echo", std::string((16 << 20) + 1, 'x'));

  EXPECT_EQ(result.code, grpc::StatusCode::RESOURCE_EXHAUSTED) << result.text;
  EXPECT_EQ(server.refused(NetRefusal::kRequestTooLarge), 1u);
  EXPECT_EQ(Call(channel, "/test/Echo", "next").reply, "next");
}

TEST(GrpcUnary, AnUnknownMethodIsUnimplemented) {
  TestServer server;
  EXPECT_EQ(Call(server.NewChannel(), "/test/Nothing", "x").code, grpc::StatusCode::UNIMPLEMENTED);
}

TEST(GrpcUnary, StatusTextSurvivesAnyBytes) {
  TestServer server;
  const CallResult result = Call(server.NewChannel(), "/test/Fail", "100 % wrong\nthema \xc3\xa4");
  EXPECT_EQ(result.code, grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(result.text, "100 % wrong\nthema \xc3\xa4");
}

TEST(GrpcUnary, TheHandlerSeesPathMetadataAndListener) {
  TestServer server;
  const CallResult result =
      Call(server.NewChannel(), "/test/Describe", "", absl::Seconds(20), {{"x-test", "value 1"}});
  EXPECT_EQ(result.reply, "/test/Describe value 1 public .");
}

TEST(GrpcUnary, ACompressedRequestIsUnimplemented) {
  TestServer server;
  grpc::ClientContext context;
  context.set_wait_for_ready(true);
  context.set_compression_algorithm(GRPC_COMPRESS_GZIP);
  ByteBuffer reply;
  const grpc::Status status = grpc::internal::BlockingUnaryCall<ByteBuffer, ByteBuffer>(
      server.NewChannel().get(), RpcMethod("/test/Echo", RpcMethod::NORMAL_RPC), &context,
      Buffer(std::string(10'000, 'x')), &reply);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNIMPLEMENTED);
}

TEST(GrpcUnary, AThousandCallsWaitOnOneConnection) {
  TestServer server;
  const auto channel = server.NewChannel();
  constexpr int kCalls = 1000;
  struct Pending {
    grpc::ClientContext context;
    grpc::Status status;
    ByteBuffer reply;
    std::unique_ptr<grpc::ClientAsyncResponseReader<ByteBuffer>> reader;
  };
  grpc::CompletionQueue queue;
  std::vector<std::unique_ptr<Pending>> pending;
  for (int i = 0; i < kCalls; ++i) {
    auto call = std::make_unique<Pending>();
    call->context.set_wait_for_ready(true);
    call->reader.reset(grpc::internal::ClientAsyncResponseReaderHelper::Create<ByteBuffer>(
        channel.get(), &queue, RpcMethod("/test/Park", RpcMethod::NORMAL_RPC), &call->context,
        Buffer(absl::StrCat("call ", i))));
    call->reader->StartCall();
    call->reader->Finish(&call->reply, &call->status, call.get());
    pending.push_back(std::move(call));
  }
  // The library sends only while somebody waits for its events.
  std::thread poller([&] {
    for (int i = 0; i < kCalls; ++i) {
      void* tag = nullptr;
      bool ok = false;
      EXPECT_TRUE(queue.Next(&tag, &ok));
    }
  });
  server.parked.Await(kCalls, "all calls arrived");
  EXPECT_EQ(server.budget->counters().streams, kCalls);
  EXPECT_EQ(server.listener->connections(), 1);

  for (int i = 0; i < kCalls; ++i) {
    const TestServer::Parked parked = server.parked.At(static_cast<size_t>(i));
    parked.call->Reply("answer to " + parked.request);
  }
  poller.join();

  for (int i = 0; i < kCalls; ++i) {
    const grpc::Status& status = pending[static_cast<size_t>(i)]->status;
    ASSERT_TRUE(status.ok()) << i << " " << status.error_message();
    ASSERT_EQ(Text(pending[static_cast<size_t>(i)]->reply), absl::StrCat("answer to call ", i));
  }
  server.done.Await(kCalls, "every call told its end");
  for (int i = 0; i < kCalls; ++i) EXPECT_TRUE(server.done.At(static_cast<size_t>(i)));
  AwaitThat([&] { return server.budget->counters().streams == 0; }, "streams closed");
}

TEST(GrpcDeadline, TheServerEndsACallWhoseClientGaveUp) {
  TestServer server;
  const CallResult result = Call(server.NewChannel(), "/test/Park", "x", absl::Milliseconds(100));

  EXPECT_EQ(result.code, grpc::StatusCode::DEADLINE_EXCEEDED);
  server.done.Await(1, "OnDone");
  EXPECT_FALSE(server.done.At(0));
  const GrpcCallPtr call = server.parked.At(0).call;
  EXPECT_TRUE(call->is_done());
  EXPECT_NE(call->deadline(), absl::InfiniteDuration());
  call->Reply("too late");  // Harmless.
}

TEST(GrpcDeadline, TheHandlerSeesTheDeadline) {
  TestServer server;
  const absl::Duration before = Clock::System()->SteadyNow();
  Call(server.NewChannel(), "/test/Park", "x", absl::Milliseconds(500));
  const absl::Duration deadline = server.parked.At(0).call->deadline();
  EXPECT_GT(deadline, before);
  EXPECT_LT(deadline, before + absl::Seconds(10));
}

TEST(GrpcCancel, TheHandlerLearnsThatNobodyWaits) {
  TestServer server;
  const auto channel = server.NewChannel();
  grpc::ClientContext context;
  context.set_wait_for_ready(true);
  std::thread client([&] {
    ByteBuffer reply;
    const grpc::Status status = grpc::internal::BlockingUnaryCall<ByteBuffer, ByteBuffer>(
        channel.get(), RpcMethod("/test/Park", RpcMethod::NORMAL_RPC), &context, Buffer("x"),
        &reply);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::CANCELLED);
  });
  server.parked.Await(1, "call arrived");
  context.TryCancel();
  client.join();

  server.done.Await(1, "OnDone");
  EXPECT_FALSE(server.done.At(0));
  AwaitThat([&] { return server.budget->counters().streams == 0; }, "stream closed");
}

TEST(GrpcDone, ALostConnectionBreaksItsCalls) {
  TestServer server;
  {
    RawClient client(server.port());
    client.SendPreface();
    client.SendRequest(1, "/test/Park", "x");
    server.parked.Await(1, "call arrived");
  }
  server.done.Await(1, "OnDone");
  EXPECT_FALSE(server.done.At(0));
}

TEST(GrpcDone, IsToldAlsoToThoseWhoAskLate) {
  TestServer server;
  Call(server.NewChannel(), "/test/Park", "x", absl::Milliseconds(50));
  server.done.Await(1, "OnDone");
  Inbox<bool> late;
  server.parked.At(0).call->OnDone([&](bool written) { late.Put(written); });
  late.Await(1, "late OnDone");
  EXPECT_FALSE(late.At(0));
}

TEST(GrpcServerStreaming, MessagesArriveInOrderAndWhole) {
  TestServer server;
  for (const char* request : {"1 0", "3 10", "100 1000", "40 100000", "5 3000000"}) {
    SCOPED_TRACE(request);
    grpc::ClientContext context;
    context.set_wait_for_ready(true);
    std::unique_ptr<grpc::ClientReader<ByteBuffer>> reader(
        grpc::internal::ClientReaderFactory<ByteBuffer>::Create(
            server.NewChannel().get(), RpcMethod("/test/Many", RpcMethod::SERVER_STREAMING),
            &context, Buffer(request)));
    const int count = std::stoi(request);
    const size_t size = std::stoul(std::string(request).substr(std::string(request).find(' ')));
    ByteBuffer message;
    for (int i = 0; i < count; ++i) {
      ASSERT_TRUE(reader->Read(&message));
      ASSERT_TRUE(Text(message) == std::string(size, static_cast<char>('a' + i % 26))) << i;
    }
    EXPECT_FALSE(reader->Read(&message));
    EXPECT_TRUE(reader->Finish().ok());
  }
}

TEST(GrpcBidi, EachMessageIsAnsweredWhileTheStreamIsOpen) {
  TestServer server;
  grpc::ClientContext context;
  const auto channel = server.NewChannel();
  const Chat chat = OpenChat(channel, &context);
  ByteBuffer answer;
  for (int i = 0; i < 500; ++i) {
    const std::string text =
        absl::StrCat("message ", i, std::string(static_cast<size_t>(i) * 50, '.'));
    ASSERT_TRUE(chat->Write(Buffer(text)));
    ASSERT_TRUE(chat->Read(&answer));
    ASSERT_EQ(Text(answer), text);
  }
  chat->WritesDone();
  EXPECT_FALSE(chat->Read(&answer));
  EXPECT_TRUE(chat->Finish().ok());
}

TEST(GrpcBidi, InitialMetadataLeavesAtOnce) {
  TestServer server;
  Inbox<GrpcCallPtr> calls;
  server.listener->Stop();
  server.service.AddStream("/test/Greet", [&](GrpcCallPtr call) {
    call->SendInitialMetadata();
    calls.Put(std::move(call));
  });
  server.listener = *Listener::Open({.address = "127.0.0.1:0"});
  server.listener->Start(&server.loops, server.budget, {.grpc = &server.service});

  grpc::ClientContext context;
  const auto channel = server.NewChannel();
  const Chat chat = OpenChat(channel, &context, "/test/Greet");
  chat->WaitForInitialMetadata();  // Hangs if the server waits for a message.

  calls.Await(1, "call arrived");
  calls.At(0)->Finish(GrpcCode::kAborted, "bye");
  ByteBuffer message;
  EXPECT_FALSE(chat->Read(&message));
  EXPECT_EQ(chat->Finish().error_message(), "bye");
}

TEST(GrpcBidi, TheServerMayEndFirst) {
  TestServer server;
  RawClient client(server.port());
  client.SendPreface();
  client.Send({kHeadersFrame, kEndHeaders, 1, RequestBlock("/test/Nothing")});

  const Frame headers = client.ReadUntil(kHeadersFrame);
  EXPECT_EQ(headers.flags & kEndStream, kEndStream);
  // NO_ERROR: the client should stop sending, nothing is wrong.
  EXPECT_EQ(client.ReadUntil(kResetFrame).payload, std::string(4, '\0'));
}

TEST(GrpcWrite, SaysWaitAndThenWritable) {
  NetLimits limits;
  limits.stream_write_pause_bytes = 100'000;
  TestServer server(limits);
  grpc::ClientContext context;
  const auto channel = server.NewChannel();
  std::unique_ptr<grpc::ClientReader<ByteBuffer>> reader(
      grpc::internal::ClientReaderFactory<ByteBuffer>::Create(
          channel.get(), RpcMethod("/test/Park", RpcMethod::SERVER_STREAMING), &context,
          Buffer("x")));
  server.parked.Await(1, "call arrived");
  const GrpcCallPtr call = server.parked.At(0).call;
  Inbox<int> writable;
  call->OnWritable([&] { writable.Put(1); });

  int written = 0;
  while (call->Write(std::string(10'000, 'x'))) ++written;
  ++written;
  EXPECT_GE(written, 10);
  ByteBuffer message;
  for (int i = 0; i < written; ++i) ASSERT_TRUE(reader->Read(&message));

  writable.Await(1, "OnWritable");
  call->Finish();
  EXPECT_FALSE(reader->Read(&message));
  EXPECT_TRUE(reader->Finish().ok());
}

TEST(GrpcWrite, AStreamThatHoldsTooMuchIsReset) {
  NetLimits limits;
  limits.stream_write_bytes_max = 1 << 20;
  TestServer server(limits);
  RawClient client(server.port(), 4096);
  client.SendPreface();
  client.SendRequest(1, "/test/Park", "x");
  server.parked.Await(1, "call arrived");
  const GrpcCallPtr call = server.parked.At(0).call;

  // The client's window is 64 KiB and never opened.
  for (int i = 0; i < 40; ++i) call->Write(std::string(100'000, 'x'));

  server.done.Await(1, "OnDone");
  EXPECT_FALSE(server.done.At(0));
  EXPECT_EQ(server.refused(NetRefusal::kResponseBytesHeld), 1u);
  AwaitThat([&] { return server.budget->counters().response_bytes_held == 0; }, "bytes returned");
}

TEST(GrpcTyped, MessagesAreParsedAndWritten) {
  // Any type with protobuf's three methods will do.
  struct Number {
    int value = 0;
    bool ParseFromArray(const void* data, int size) {
      const std::string text(static_cast<const char*>(data), static_cast<size_t>(size));
      if (text.empty() || text.find_first_not_of("0123456789") != std::string::npos) return false;
      value = std::stoi(text);
      return true;
    }
    std::string SerializeAsString() const { return std::to_string(value); }
  };
  TestServer server;
  server.listener->Stop();
  server.service.AddRequest("/test/Double",
                            TypedRequest<Number, Number>([](TypedCall<Number> call, Number n) {
                              call.Reply(Number{n.value * 2});
                            }));
  server.listener = *Listener::Open({.address = "127.0.0.1:0"});
  server.listener->Start(&server.loops, server.budget, {.grpc = &server.service});
  const auto channel = server.NewChannel();

  EXPECT_EQ(Call(channel, "/test/Double", "21").reply, "42");
  EXPECT_EQ(Call(channel, "/test/Double", "x").code, grpc::StatusCode::INTERNAL);
}

}  // namespace
}  // namespace totora::net
