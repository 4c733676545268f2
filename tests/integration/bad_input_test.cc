// What a running cluster says to programs that are wrong, hostile or half
// there, and to operators who are. Codes: RocketMQ's v2 protocol, as
// rocketmq-proxy checks requests (GrpcValidator, SendMessageActivity).
#include <fcntl.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/rocketmq/v2/service.grpc.pb.h"
#include "tests/integration/command.h"
#include "tests/integration/crash_run.h"
#include "tests/integration/kill_probe.h"
#include "tests/integration/loop_volume.h"
#include "tests/integration/manual_cluster.h"
#include "tests/integration/raw_http2.h"

namespace totora::integration {
namespace {

namespace v2 = apache::rocketmq::v2;
using testing::HasSubstr;

constexpr char kTopic[] = "bad-input";
constexpr char kService[] = "/apache.rocketmq.v2.MessagingService/";
constexpr absl::Duration kWhole = absl::Seconds(60);
constexpr size_t kBodyMax = 4 << 20;
constexpr uint32_t kRefusedStream = 7;  // RFC 9113 §7.
constexpr uint32_t kCancel = 8;

std::string Program(const std::string& name) {
  const char* directory = std::getenv("TOTORA_BIN");
  return absl::StrCat(directory == nullptr ? "build/dev/bin" : directory, "/", name);
}

// One cluster in a directory of its own, gone at the end.
class Stage {
 public:
  using Settings = std::map<std::string, std::string>;

  explicit Stage(const Settings& settings = {}, const Settings& namesrv_settings = {}) {
    directory_ = *MakeTemporaryDirectory("totora-bad-input");
    options_.totora = Program("totora");
    options_.directory = directory_ + "/cluster";
    options_.settings = settings;
    options_.namesrv_settings = namesrv_settings;
  }
  ~Stage() {
    cluster_.reset();
    if (!testing::Test::HasFailure()) std::filesystem::remove_all(directory_);
  }

  absl::Status Start() {
    absl::StatusOr<std::unique_ptr<Cluster>> cluster = ManualCluster::Start(options_);
    if (!cluster.ok()) return cluster.status();
    cluster_ = *std::move(cluster);
    if (absl::Status status = cluster_->WaitUntilWhole(kWhole); !status.ok()) return status;
    return cluster_->CreateTopic(kTopic, 8);
  }

  Cluster* cluster() { return cluster_.get(); }
  const std::string& directory() const { return options_.directory; }

 private:
  std::string directory_;
  ClusterOptions options_;
  std::unique_ptr<Cluster> cluster_;
};

// Calls of the v2 service at the group address.
class Caller {
 public:
  explicit Caller(const std::string& address) {
    grpc::ChannelArguments arguments;
    arguments.SetMaxReceiveMessageSize(-1);
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    channel_ = grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
    stub_ = v2::MessagingService::NewStub(channel_);
  }

  static void Prepare(grpc::ClientContext* context, bool with_client_id = true) {
    if (with_client_id) context->AddMetadata("x-mq-client-id", "bad-input-test");
    context->AddMetadata("x-mq-language", "CPP");
    context->set_deadline(absl::ToChronoTime(absl::Now() + absl::Seconds(10)));
  }

  // The answer for the first message, or the overall one if there is none.
  v2::Status Send(const v2::SendMessageRequest& request, bool with_client_id = true) {
    grpc::ClientContext context;
    Prepare(&context, with_client_id);
    v2::SendMessageResponse reply;
    last_ = stub_->SendMessage(&context, request, &reply);
    if (!last_.ok()) return {};
    return reply.entries_size() > 0 && reply.status().code() != v2::OK ? reply.entries(0).status()
                                                                     : reply.status();
  }

  v2::Status Send(const std::string& topic, const std::string& body) {
    return Send(RequestFor(topic, body));
  }

  static v2::SendMessageRequest RequestFor(const std::string& topic, const std::string& body) {
    static int number = 0;
    v2::SendMessageRequest request;
    v2::Message* message = request.add_messages();
    message->mutable_topic()->set_name(topic);
    message->set_body(body);
    v2::SystemProperties* system = message->mutable_system_properties();
    system->set_message_id(absl::StrCat("bad-input-", getpid(), "-", ++number));
    system->set_message_type(v2::NORMAL);
    system->set_body_encoding(v2::IDENTITY);
    system->set_born_host("localhost");
    return request;
  }

  v2::Status QueryRoute(const std::string& topic) {
    grpc::ClientContext context;
    Prepare(&context);
    v2::QueryRouteRequest request;
    request.mutable_topic()->set_name(topic);
    v2::QueryRouteResponse reply;
    last_ = stub_->QueryRoute(&context, request, &reply);
    return reply.status();
  }

  v2::Status Ack(const std::string& handle) {
    grpc::ClientContext context;
    Prepare(&context);
    v2::AckMessageRequest request;
    request.mutable_topic()->set_name(kTopic);
    request.mutable_group()->set_name("bad-input-group");
    v2::AckMessageEntry* entry = request.add_entries();
    entry->set_message_id("01234567890123456789012345678901234");
    entry->set_receipt_handle(handle);
    v2::AckMessageResponse reply;
    last_ = stub_->AckMessage(&context, request, &reply);
    return reply.entries_size() == 1 ? reply.entries(0).status() : reply.status();
  }

  static v2::ReceiveMessageRequest ReceiveRequest(const std::string& group, int wait_seconds) {
    v2::ReceiveMessageRequest request;
    request.mutable_group()->set_name(group);
    request.mutable_message_queue()->mutable_topic()->set_name(kTopic);
    request.mutable_message_queue()->set_id(-1);
    request.mutable_filter_expression()->set_type(v2::TAG);
    request.mutable_filter_expression()->set_expression("*");
    request.set_batch_size(32);
    request.mutable_invisible_duration()->set_seconds(30);
    request.mutable_long_polling_timeout()->set_seconds(wait_seconds);
    return request;
  }

  // How many messages one receive brought; -1: the call failed.
  int Receive(const std::string& group, v2::Status* status) {
    grpc::ClientContext context;
    Prepare(&context);
    const v2::ReceiveMessageRequest request = ReceiveRequest(group, 2);
    const auto reader = stub_->ReceiveMessage(&context, request);
    v2::ReceiveMessageResponse reply;
    int messages = 0;
    while (reader->Read(&reply)) {
      if (reply.has_message()) ++messages;
      if (reply.has_status()) *status = reply.status();
    }
    last_ = reader->Finish();
    return last_.ok() ? messages : -1;
  }

  // `bytes` as a request of `method`, whatever they are.
  grpc::Status CallWithBytes(const std::string& method, const std::string& bytes,
                             std::string* answer) {
    grpc::GenericStub stub(channel_);
    grpc::ClientContext context;
    Prepare(&context);
    grpc::CompletionQueue queue;
    grpc::Slice slice(bytes);
    const auto call =
        stub.PrepareUnaryCall(&context, kService + method, grpc::ByteBuffer(&slice, 1), &queue);
    call->StartCall();
    grpc::ByteBuffer reply;
    grpc::Status status;
    call->Finish(&reply, &status, nullptr);
    void* tag = nullptr;
    bool ok = false;
    queue.Next(&tag, &ok);
    if (status.ok()) {
      std::vector<grpc::Slice> slices;
      (void)reply.Dump(&slices);
      for (const grpc::Slice& part : slices) {
        answer->append(reinterpret_cast<const char*>(part.begin()), part.size());
      }
    }
    return status;
  }

  const grpc::Status& last() const { return last_; }

 private:
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v2::MessagingService::Stub> stub_;
  grpc::Status last_;
};

class BadRequest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    stage_ = new Stage;
    started_ = new absl::Status(stage_->Start());
  }
  static void TearDownTestSuite() {
    delete stage_;
    delete started_;
  }
  void SetUp() override {
    ASSERT_TRUE(started_->ok()) << *started_;
    caller_ = std::make_unique<Caller>(stage_->cluster()->access_point());
  }
  // Whatever a test did, others are served.
  void TearDown() override {
    if (!started_->ok()) return;
    Caller other(stage_->cluster()->access_point());
    EXPECT_EQ(other.Send(kTopic, "still served").code(), v2::OK) << other.last().error_message();
  }
  const std::string& address() const { return stage_->cluster()->brokers()[0].address; }

  static Stage* stage_;
  static absl::Status* started_;
  std::unique_ptr<Caller> caller_;
};
Stage* BadRequest::stage_ = nullptr;
absl::Status* BadRequest::started_ = nullptr;

TEST_F(BadRequest, AnUnknownTopicIsNotFoundByRouteAndSend) {
  EXPECT_EQ(caller_->QueryRoute("no-such-topic").code(), v2::TOPIC_NOT_FOUND);
  EXPECT_EQ(caller_->Send("no-such-topic", "x").code(), v2::TOPIC_NOT_FOUND);
}

TEST_F(BadRequest, AnIllegalNameIsRefusedByNameAndNotLookedUp) {
  for (const std::string& name : {std::string("with blank"), std::string(128, 'a'),
                                  std::string("../../etc"), std::string()}) {
    EXPECT_EQ(caller_->QueryRoute(name).code(), v2::ILLEGAL_TOPIC) << name;
    EXPECT_EQ(caller_->Send(name, "x").code(), v2::ILLEGAL_TOPIC) << name;
  }
  v2::Status status;
  EXPECT_EQ(caller_->Receive("bad group!", &status), 0);
  EXPECT_EQ(status.code(), v2::ILLEGAL_CONSUMER_GROUP);
}

TEST_F(BadRequest, ABodyHasOneToFourMebibytes) {
  EXPECT_EQ(caller_->Send(kTopic, "").code(), v2::MESSAGE_BODY_EMPTY);
  EXPECT_EQ(caller_->Send(kTopic, std::string(kBodyMax + 1, 'x')).code(),
            v2::MESSAGE_BODY_TOO_LARGE);
  EXPECT_EQ(caller_->Send(kTopic, std::string(kBodyMax, 'x')).code(), v2::OK);
}

TEST_F(BadRequest, ARequestAboveSixteenMebibytesIsRefusedByTheTransport) {
  caller_->Send(kTopic, std::string(17 << 20, 'x'));

  EXPECT_EQ(caller_->last().error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED)
      << caller_->last().error_message();
}

TEST_F(BadRequest, AHandleThatIsNoneIsInvalid) {
  EXPECT_EQ(caller_->Ack("").code(), v2::INVALID_RECEIPT_HANDLE);
  EXPECT_EQ(caller_->Ack("not a handle").code(), v2::INVALID_RECEIPT_HANDLE);
  EXPECT_EQ(caller_->Ack(std::string(100'000, 'A')).code(), v2::INVALID_RECEIPT_HANDLE);
}

TEST_F(BadRequest, AMissingClientIdIsNamed) {
  EXPECT_EQ(caller_->Send(Caller::RequestFor(kTopic, "x"), /*with_client_id=*/false).code(),
            v2::CLIENT_ID_REQUIRED);
}

TEST_F(BadRequest, BrokenProtobufIsABadRequestInBand) {
  std::string answer;
  const grpc::Status status =
      caller_->CallWithBytes("SendMessage", "\xff\xff\xff not protobuf", &answer);

  ASSERT_TRUE(status.ok()) << status.error_message();
  v2::SendMessageResponse reply;
  ASSERT_TRUE(reply.ParseFromString(answer));
  EXPECT_EQ(reply.status().code(), v2::BAD_REQUEST);
}

TEST_F(BadRequest, AnUnknownMethodIsUnimplemented) {
  std::string answer;
  EXPECT_EQ(caller_->CallWithBytes("NoSuchMethod", "", &answer).error_code(),
            grpc::StatusCode::UNIMPLEMENTED);
}

TEST_F(BadRequest, AnEmptyListOfMessagesIsRefused) {
  const v2::Status status = caller_->Send(v2::SendMessageRequest());

  EXPECT_TRUE(caller_->last().ok()) << caller_->last().error_message();
  EXPECT_EQ(status.code(), v2::MESSAGE_CORRUPTED);
}

// A send whose deadline has passed may still be carried out, since nobody can
// tell how long ago; but it is answered, and a call that waits ends in time.
TEST_F(BadRequest, ADeadlineEndsTheCallAlsoWhenItHasPassedAlready) {
  auto raw = RawHttp2::Connect(address());
  ASSERT_TRUE(raw.ok()) << raw.status();
  const auto finish = [&](const char* method, const char* timeout, const std::string& bytes) {
    const int32_t id = (*raw)->Open(absl::StrCat(kService, method),
                                    {{"x-mq-client-id", "bad-input-test"},
                                     {"grpc-timeout", timeout}},
                                    GrpcFrame(bytes));
    const absl::Status run = (*raw)->RunUntil(
        [&] { return (*raw)->stream(id).closed.has_value(); }, absl::Seconds(4));
    EXPECT_TRUE(run.ok()) << method << ": " << run;
    // An answer that was on its way when the time was over is cut off instead.
    EXPECT_TRUE((*raw)->stream(id).grpc_status != "" ||
                (*raw)->stream(id).closed == kCancel)
        << method;
  };
  finish("SendMessage", "1n", Caller::RequestFor(kTopic, "late").SerializeAsString());
  finish("ReceiveMessage", "1n", Caller::ReceiveRequest("deadline-group", 20).SerializeAsString());
  finish("ReceiveMessage", "500m",
         Caller::ReceiveRequest("deadline-group", 20).SerializeAsString());
}

TEST_F(BadRequest, StreamsAboveTheLimitAreRefusedOneByOne) {
  constexpr int kAllowed = 10'000;
  constexpr int kTooMany = 500;
  auto raw = RawHttp2::Connect(address());
  ASSERT_TRUE(raw.ok()) << raw.status();
  for (int i = 0; i < kAllowed + kTooMany; ++i) {
    (*raw)->Open(absl::StrCat(kService, "SendMessage"), {{"x-mq-client-id", "bad-input-test"}},
                 std::nullopt);
  }
  ASSERT_TRUE((*raw)->Flush().ok());

  const absl::Status run = (*raw)->RunUntil(
      [&] { return (*raw)->CountClosed(kRefusedStream) >= kTooMany; }, absl::Seconds(20));

  EXPECT_TRUE(run.ok()) << run << " refused: " << (*raw)->CountClosed(kRefusedStream);
  EXPECT_EQ((*raw)->CountClosed(kRefusedStream), static_cast<size_t>(kTooMany));
}

TEST_F(BadRequest, HalfOpenConnectionsAreClosedAndHoldNobodyUp) {
  const absl::Duration patience = absl::Seconds(25);
  std::vector<std::pair<std::string, int>> sockets;
  for (const char* greeting : {"", "PRI * HTTP/2.0\r\n", "\x16\x03\x01\x02", "\xde\xad\xbe\xef"}) {
    absl::StatusOr<int> fd = ConnectTcp(address());
    ASSERT_TRUE(fd.ok()) << fd.status();
    const std::string bytes = greeting;
    ASSERT_EQ(send(*fd, bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
    sockets.emplace_back(bytes, *fd);
  }
  EXPECT_EQ(caller_->Send(kTopic, "meanwhile").code(), v2::OK);

  const absl::Time deadline = absl::Now() + patience;
  for (const auto& [greeting, fd] : sockets) {
    timeval left{};
    left.tv_sec = std::max<time_t>(1, absl::ToInt64Seconds(deadline - absl::Now()));
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &left, sizeof(left));
    char buffer[4096];
    ssize_t n = 0;
    while ((n = recv(fd, buffer, sizeof(buffer), 0)) > 0) {
    }
    const bool is_closed = n == 0 || errno == ECONNRESET;
    EXPECT_TRUE(is_closed) << "still open after " << absl::FormatDuration(patience)
                           << ", having sent " << greeting.size() << " bytes";
    close(fd);
  }
}

// --- Operators --------------------------------------------------------------

// Runs a broker that must refuse to start; returns its words.
std::string RefusedStart(const std::string& config) {
  const absl::StatusOr<CommandResult> result =
      RunCommand({Program("totora-broker"), "--config", config}, absl::Seconds(20));
  if (!result.ok()) return absl::StrCat("it did not refuse: ", result.status().ToString());
  if (result->status != 1) return absl::StrCat("it ended with status ", result->status);
  return result->err + result->out;
}

class BadConfig : public testing::Test {
 protected:
  void SetUp() override { directory_ = *MakeTemporaryDirectory("totora-bad-config"); }
  void TearDown() override { std::filesystem::remove_all(directory_); }
  std::string Write(const std::string& text) {
    const std::string path = directory_ + "/broker.conf";
    std::ofstream(path) << text;
    return path;
  }
  std::string directory_;
};

TEST_F(BadConfig, AnUnknownKeyIsNamedWithFileLineAndItsNearest) {
  const std::string path = Write("broker.name = a\n\npublic.lisen = 127.0.0.1:0\n");

  const std::string words = RefusedStart(path);

  EXPECT_THAT(words, HasSubstr(path + ":3"));
  EXPECT_THAT(words, HasSubstr("public.lisen"));
  EXPECT_THAT(words, HasSubstr("public.listen"));
}

TEST_F(BadConfig, AValueOutOfBoundsIsNamedWithFileAndLine) {
  const std::string path = Write("broker.name = a\nsegment.bytes = 1KiB\n");

  const std::string words = RefusedStart(path);

  EXPECT_THAT(words, HasSubstr(path + ":2"));
  EXPECT_THAT(words, HasSubstr("segment.bytes"));
}

TEST_F(BadConfig, AMissingFileAndAMissingKeyAreNamed) {
  EXPECT_THAT(RefusedStart(directory_ + "/none.conf"), HasSubstr("none.conf"));
  EXPECT_THAT(RefusedStart(Write("# nothing\n")), HasSubstr("broker.name"));
}

// The text of `path` with the value of `name` replaced.
std::string WithSetting(const std::string& path, const std::string& name,
                        const std::string& value) {
  std::ifstream file(path);
  std::string text;
  for (std::string line; std::getline(file, line);) {
    const bool is_it = line.rfind(name + " = ", 0) == 0;
    absl::StrAppend(&text, is_it ? absl::StrCat(name, " = ", value) : line, "\n");
  }
  return text;
}

TEST(DataDirectory, OfAnotherReplicaOrClusterIsRefusedByNameAndLeftAlone) {
  Stage stage;
  const absl::Status started = stage.Start();
  ASSERT_TRUE(started.ok()) << started;
  Cluster* cluster = stage.cluster();
  cluster->Kill({3});
  ASSERT_TRUE(WaitForEnd(cluster->broker(3).pid, absl::Seconds(10)).ok());
  const std::string own = ManualCluster::ConfigFile(stage.directory(), 3);
  const std::string bad = own + ".bad";

  std::ofstream(bad) << WithSetting(own, "replica.id", "2");
  EXPECT_THAT(RefusedStart(bad), HasSubstr("replica 3, not 2"));
  std::ofstream(bad) << WithSetting(own, "cluster.name", "elsewhere");
  EXPECT_THAT(RefusedStart(bad), HasSubstr("cluster \"integration\", not \"elsewhere\""));
  std::ofstream(bad) << WithSetting(own, "broker.name", "group-b");
  EXPECT_THAT(RefusedStart(bad), HasSubstr("group-a"));

  ASSERT_TRUE(cluster->Restart({3}).ok());
  const absl::Status whole = cluster->WaitUntilWhole(kWhole);
  EXPECT_TRUE(whole.ok()) << whole;
}

TEST(DataDirectory, InUseByAnotherProcessIsRefused) {
  Stage stage;
  const absl::Status started = stage.Start();
  ASSERT_TRUE(started.ok()) << started;
  const std::string own = ManualCluster::ConfigFile(stage.directory(), 3);
  const std::string second = own + ".second";
  const absl::StatusOr<std::vector<std::string>> free = FreeAddresses(3);
  ASSERT_TRUE(free.ok());
  // Ports of its own, so that only the directory is in its way.
  std::ofstream(second) << WithSetting(own, "public.listen", (*free)[0]);
  std::ofstream(second + ".2") << WithSetting(second, "internal.listen", (*free)[1]);
  std::ofstream(second) << WithSetting(second + ".2", "metrics.listen", (*free)[2]);

  EXPECT_THAT(RefusedStart(second), HasSubstr(ManualCluster::DataDirectory(stage.directory(), 3)));
}

// --- A door that is open to everybody ------------------------------------------

int LinesWith(const std::string& path, const std::string& text) {
  std::ifstream file(path);
  int count = 0;
  for (std::string line; std::getline(file, line);) {
    count += line.find(text) == std::string::npos ? 0 : 1;
  }
  return count;
}

TEST(RemoteAdministration, WhoOpensItToEverybodyIsWarnedAtEveryStart) {
  const std::string kOpen = "admin.remote = all";
  Stage stage({{"admin.remote", "all"}}, {{"admin.remote", "all"}});
  const absl::Status started = stage.Start();
  ASSERT_TRUE(started.ok()) << started;
  const std::string log = ManualCluster::LogFile(stage.directory(), 3);
  EXPECT_EQ(LinesWith(stage.directory() + "/namesrv.log", kOpen), 1);
  EXPECT_EQ(LinesWith(log, kOpen), 1);

  Cluster* cluster = stage.cluster();
  cluster->Kill({3});
  ASSERT_TRUE(WaitForEnd(cluster->broker(3).pid, absl::Seconds(10)).ok());
  ASSERT_TRUE(cluster->Restart({3}).ok());
  const absl::Status whole = cluster->WaitUntilWhole(kWhole);
  ASSERT_TRUE(whole.ok()) << whole;
  EXPECT_EQ(LinesWith(log, kOpen), 2);
}

// --- A full disk --------------------------------------------------------------

class FullDisk : public testing::Test {
 protected:
  static constexpr uint64_t kDiskBytes = 192 << 20;

  void SetUp() override {
    const absl::Status mounts = EnterPrivateMounts();
    if (!mounts.ok()) GTEST_SKIP() << "SKIPPED, nothing was tested: " << mounts;
    stage_ = std::make_unique<Stage>(std::map<std::string, std::string>{
        {"segment.bytes", "4MiB"}, {"disk.reserve", "16MiB"}});
    for (int id = 1; id <= 3; ++id) {
      disks_.push_back(ManualCluster::DataDirectory(stage_->directory(), id));
      std::filesystem::create_directories(disks_.back());
      if (mount("tmpfs", disks_.back().c_str(), "tmpfs", 0,
                absl::StrCat("size=", kDiskBytes).c_str()) != 0) {
        GTEST_SKIP() << "SKIPPED, nothing was tested: tmpfs cannot be mounted";
      }
    }
    const absl::Status started = stage_->Start();
    ASSERT_TRUE(started.ok()) << started;
    caller_ = std::make_unique<Caller>(stage_->cluster()->access_point());
  }

  void TearDown() override {
    for (const std::string& disk : disks_) {
      std::filesystem::remove(disk + "/filler");
    }
    caller_.reset();
    if (stage_ != nullptr && stage_->cluster() != nullptr) stage_->cluster()->Kill({1, 2, 3});
    for (const std::string& disk : disks_) umount2(disk.c_str(), MNT_DETACH);
    stage_.reset();
  }

  // Somebody else's file takes all but `left` bytes of the disk.
  static void Fill(const std::string& disk, uint64_t left) {
    const std::filesystem::space_info space = std::filesystem::space(disk);
    ASSERT_GT(space.available, left);
    const int fd = open((disk + "/filler").c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    ASSERT_GE(fd, 0);
    EXPECT_EQ(posix_fallocate(fd, 0, static_cast<off_t>(space.available - left)), 0);
    close(fd);
  }

  // Sends until one is refused, or `count` were not.
  v2::Status SendUntilRefused(int count) {
    v2::Status status;
    for (int i = 0; i < count; ++i) {
      status = caller_->Send(kTopic, std::string(64 << 10, 'x'));
      if (!caller_->last().ok() || status.code() != v2::OK) return status;
    }
    return status;
  }

  std::vector<std::string> disks_;
  std::unique_ptr<Stage> stage_;
  std::unique_ptr<Caller> caller_;
};

TEST_F(FullDisk, RefusesWritesWithTheReasonGoesOnReadingAndRecovers) {
  v2::Status status;
  caller_->Receive("bad-input-group", &status);  // So that the group exists.
  ASSERT_EQ(caller_->Send(kTopic, "before").code(), v2::OK);
  for (const std::string& disk : disks_) Fill(disk, 8 << 20);

  // More than the disk has: whether the reserve or the last byte stops it.
  const v2::Status refused = SendUntilRefused(512);
  EXPECT_TRUE(caller_->last().ok()) << "not in band: " << caller_->last().error_message();
  EXPECT_NE(refused.code(), v2::OK);
  EXPECT_THAT(refused.message(), HasSubstr("disk")) << v2::Code_Name(refused.code());

  // A delivery is a small entry in the log; the reserve is there for it.
  EXPECT_GE(caller_->Receive("bad-input-group", &status), 1)
      << caller_->last().error_message() << " " << status.message();
  for (const BrokerProcess& broker : stage_->cluster()->brokers()) {
    EXPECT_TRUE(IsRunning(broker.pid)) << "broker " << broker.id << " is gone";
    // A replica that was not writing looks at its disk once a second.
    const absl::Time noticed_by = absl::Now() + absl::Seconds(10);
    absl::StatusOr<ReplicaView> view = stage_->cluster()->Look(broker.id);
    while (view.ok() && !view->is_disk_full && absl::Now() < noticed_by) {
      absl::SleepFor(absl::Milliseconds(50));
      view = stage_->cluster()->Look(broker.id);
    }
    ASSERT_TRUE(view.ok()) << view.status();
    EXPECT_TRUE(view->is_disk_full) << "broker " << broker.id;
  }
  EXPECT_EQ(caller_->QueryRoute(kTopic).code(), v2::OK);

  for (const std::string& disk : disks_) std::filesystem::remove(disk + "/filler");
  const absl::Time deadline = absl::Now() + absl::Seconds(20);
  v2::Status after;
  do {
    after = caller_->Send(kTopic, "after");
    absl::SleepFor(absl::Milliseconds(200));
  } while (after.code() != v2::OK && absl::Now() < deadline);
  EXPECT_EQ(after.code(), v2::OK) << after.message();
  const absl::Status whole = stage_->cluster()->WaitUntilWhole(kWhole);
  EXPECT_TRUE(whole.ok()) << whole;
}

}  // namespace
}  // namespace totora::integration
