#include "broker/remoting_api/client_calls.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "broker/remoting_api/remoting_api_fixture.h"
#include "remoting/header/client.h"

namespace totora::remoting_api {
namespace {

class ClientCallsTest : public RemotingApiTest {
 protected:
  int32_t AskRunningInfo(const std::string& client_id, const std::string& group = "g") {
    remoting::FieldBuffer fields;
    remoting::WriteFields(remoting::GetConsumerRunningInfoRequest{group, client_id, true},
                          &fields);
    fields.Add("extra", "kept");
    return Start(peer(), RequestCode::kGetConsumerRunningInfo, fields);
  }
  // The request that a client got, if it got one.
  static Command RequestAt(Peer* at) {
    Command request;
    request.code = -1;
    for (Command& command : at->Received()) {
      if (!command.is_response() && command.code != 40) request = std::move(command);
    }
    return request;
  }
  static remoting::Head ResponseTo(const Command& request, int32_t code,
                                   absl::string_view remark = "") {
    remoting::Head head{.code = code, .opaque = request.opaque, .flag = remoting::kFlagResponse};
    head.remark = remark;
    return head;
  }
};

TEST_F(ClientCallsTest, AQuestionIsPassedOnAndTheAnswerIsTakenAsItIs) {
  Peer* const consumer = Connect();
  Heartbeat(consumer, "c", "g");
  AskRunningInfo("c");

  const Command passed = RequestAt(consumer);
  ASSERT_EQ(passed.code, 307);
  EXPECT_EQ(Field(passed, "clientId"), "c");
  EXPECT_EQ(Field(passed, "extra"), "kept");
  remoting::FieldBuffer fields;
  fields.Add("f", "v");
  consumer->Send(ResponseTo(passed, 0), fields, "{\"odd\":{{}:1} }");
  executor_.Run();

  const Command answer = AnswerAt(peer());
  EXPECT_EQ(answer.code, 0);
  EXPECT_EQ(answer.body.view(), "{\"odd\":{{}:1} }");
  EXPECT_EQ(Field(answer, "f"), "v");
}

TEST_F(ClientCallsTest, ErrorsOfTheClientArePassedBack) {
  Peer* const consumer = Connect();
  Heartbeat(consumer, "c", "g");
  AskRunningInfo("c");
  consumer->Send(ResponseTo(RequestAt(consumer), 1, "no such group"));
  executor_.Run();

  const Command answer = AnswerAt(peer());
  EXPECT_EQ(answer.code, 1);
  EXPECT_EQ(answer.remark, "no such group");
}

TEST_F(ClientCallsTest, AClientThatIsNotAMemberIsNotOnline) {
  Heartbeat(Connect(), "c", "g");
  for (const auto& [client_id, group] :
       std::vector<std::pair<std::string, std::string>>{{"d", "g"}, {"c", "h"}}) {
    AskRunningInfo(client_id, group);
    const Command answer = AnswerAt(peer());
    EXPECT_EQ(answer.code, 1);
    EXPECT_EQ(answer.remark, "The Consumer <" + group + "> <" + client_id + "> not online");
  }
}

TEST_F(ClientCallsTest, AClientThatDoesNotAnswerIsATimeout) {
  Heartbeat(Connect(), "c", "g");
  AskRunningInfo("c");
  EXPECT_EQ(AnswerAt(peer()).code, -1);

  executor_.Advance(absl::Seconds(12));

  EXPECT_EQ(AnswerAt(peer()).code, 207);
}

TEST_F(ClientCallsTest, AMessageIsSentToTheConsumerThatIsToTakeIt) {
  Peer* const consumer = Connect();
  Heartbeat(consumer, "c", "g");
  Produce("t", "first");
  const Command sent = Send(producer(), SendHeader("t", Packed({{"UNIQ_KEY", "X"}})), "second");
  const std::string id = Field(sent, "msgId");
  remoting::ConsumeMessageDirectlyRequest header;
  header.consumer_group = "g";
  header.client_id = "c";
  header.message_id = id;
  remoting::FieldBuffer fields;
  remoting::WriteFields(header, &fields);

  Start(peer(), RequestCode::kConsumeMessageDirectly, fields);

  const Command passed = RequestAt(consumer);
  ASSERT_EQ(passed.code, 309);
  EXPECT_EQ(Field(passed, "brokerName"), "broker-a");
  EXPECT_EQ(Field(passed, "topicSysFlag"), "0");
  const auto messages = MessagesOf(passed);
  ASSERT_EQ(messages.size(), 1u);
  EXPECT_EQ(messages[0].body(), "second");
  EXPECT_EQ(messages[0].queue_offset(), QueueOffset(1));
  consumer->Send(ResponseTo(passed, 0), {}, "{\"consumeResult\":0}");
  executor_.Run();
  EXPECT_EQ(AnswerAt(peer()).body.view(), "{\"consumeResult\":0}");
}

TEST_F(ClientCallsTest, AMessageThatIsNotThereIsNotSent) {
  Heartbeat(Connect(), "c", "g");
  for (const char* id : {"nonsense", "7F00000100000000000000000FFFFFFF", ""}) {
    remoting::ConsumeMessageDirectlyRequest header;
    header.consumer_group = "g";
    header.client_id = "c";
    header.message_id = id;
    EXPECT_EQ(Ask(peer(), RequestCode::kConsumeMessageDirectly, header).code, 1) << id;
  }
}

// The client is known here because another replica told of it.
TEST_F(ClientCallsTest, AClientOfAnotherReplicaIsAskedByThatOne) {
  broker_.log()->SetPeers({ReplicaId(2)});
  service::DirectLog there_log(nullptr, &executor_);
  service::Sessions there(&there_log, &executor_);
  service::PeerCalls there_calls(&there_log, &executor_);
  there_log.SetPeers({ReplicaId(1)});
  there_log.on_send_to_peer = [this](ReplicaId, std::string bytes) {
    broker_.service()->OnPeerMessage(ReplicaId(2), Incarnation(1), bytes);
  };
  broker_.log()->on_send_to_peer = [&](ReplicaId, std::string bytes) {
    if (service::PeerCalls::IsPeerMessage(bytes)) there_calls.PeerMessage(ReplicaId(1), bytes);
  };
  // An answer as its replica encodes it: OK, code 0, no remark, no fields, a body.
  there_calls.SetHandler([](const std::string& question, service::PeerCalls::Reply reply) {
    EXPECT_NE(question.find("kept"), std::string::npos);
    std::string answer(4 + 4 + 4 + 4 + 4 + 3, '\0');
    answer += "\4body";
    reply(answer);
  });
  service::ClientSession session;
  session.client_id = "c";
  session.version = 479;
  session.consumer_groups = {"g"};
  session.memberships = {{"g", {}, {}, {}, {}}};
  ASSERT_TRUE(there.Put(session).ok());

  AskRunningInfo("c");

  const Command answer = AnswerAt(peer());
  EXPECT_EQ(answer.code, 0) << answer.remark;
  EXPECT_EQ(answer.body.view(), "body");
}

}  // namespace
}  // namespace totora::remoting_api
