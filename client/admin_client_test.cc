#include "client/admin_client.h"

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "proto/admin.grpc.pb.h"

namespace totora::client {
namespace {

// Topics in pages of two; a log of five messages in two replies.
class FakeAdmin : public admin::Admin::Service {
 public:
  FakeAdmin() {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
  }
  std::string address() const { return absl::StrCat("127.0.0.1:", port_); }

 private:
  grpc::Status ListTopics(grpc::ServerContext*, const admin::ListTopicsRequest* request,
                          admin::ListTopicsReply* reply) override {
    const std::string names = "abcde";
    size_t at = request->after().empty() ? 0 : names.find(request->after()) + 1;
    for (int i = 0; i < 2 && at < names.size(); ++i, ++at) {
      reply->add_topics()->mutable_topic()->set_name(std::string(1, names[at]));
    }
    if (at < names.size()) reply->set_next_after(std::string(1, names[at - 1]));
    return grpc::Status::OK;
  }

  grpc::Status ScanLog(grpc::ServerContext*, const admin::ScanLogRequest*,
                       grpc::ServerWriter<admin::ScanLogReply>* writer) override {
    admin::ScanLogReply reply;
    for (uint64_t offset = 0; offset < 5; ++offset) {
      if (offset == 3) {
        writer->Write(reply);
        reply.Clear();
      }
      reply.add_messages()->set_queue_offset(offset);
    }
    writer->Write(reply);
    return grpc::Status::OK;
  }

  grpc::Status TransferLeadership(grpc::ServerContext*, const admin::TransferLeadershipRequest*,
                                  admin::TransferLeadershipReply*) override {
    return grpc::Status(grpc::StatusCode::FAILED_PRECONDITION, "replica 2 leads");
  }

  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

TEST(AdminClient, ListsAllPages) {
  FakeAdmin server;
  AdminClient client(server.address(), absl::Seconds(30));

  const auto reply = client.ListTopics(admin::ListTopicsRequest());

  ASSERT_TRUE(reply.ok()) << reply.status();
  std::string names;
  for (const auto& topic : reply->topics()) names += topic.topic().name();
  EXPECT_EQ(names, "abcde");
}

TEST(AdminClient, AScanVisitsEveryMessageInOrder) {
  FakeAdmin server;
  AdminClient client(server.address(), absl::Seconds(30));
  std::vector<uint64_t> offsets;

  const absl::Status status = client.ScanLog({}, [&](const admin::ScannedMessage& message) {
    offsets.push_back(message.queue_offset());
    return true;
  });

  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(offsets, (std::vector<uint64_t>{0, 1, 2, 3, 4}));
}

TEST(AdminClient, AScanEndsWhenItsVisitorHadEnough) {
  FakeAdmin server;
  AdminClient client(server.address(), absl::Seconds(30));
  int visits = 0;

  const absl::Status status =
      client.ScanLog({}, [&](const admin::ScannedMessage&) { return ++visits < 2; });

  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(visits, 2);
}

TEST(AdminClient, ErrorsNameTheBrokerAndKeepTheirCode) {
  FakeAdmin server;
  AdminClient client(server.address(), absl::Seconds(30));

  const absl::Status status = client.TransferLeadership("", 3).status();

  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_EQ(status.message(), absl::StrCat("broker at ", server.address(), ": replica 2 leads"));
}

}  // namespace
}  // namespace totora::client
