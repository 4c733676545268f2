#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "remoting/fields.h"
#include "remoting/frame.h"
#include "remoting/header/admin.h"
#include "remoting/header/client.h"
#include "remoting/header/nameserver.h"
#include "remoting/header/offsets.h"
#include "remoting/header/pull.h"
#include "remoting/header/send.h"

namespace totora::remoting {
namespace {

using Pairs = std::vector<std::pair<absl::string_view, absl::string_view>>;

FieldList Fields(const Pairs& pairs) {
  FieldList fields;
  for (const auto& [name, value] : pairs) fields.Put(name, value);
  return fields;
}

std::string Text(const FieldBuffer& fields) {
  std::string text;
  fields.ForEach([&text](absl::string_view name, absl::string_view value) {
    absl::StrAppend(&text, name, "=", value, ";");
  });
  return text;
}

template <typename Header>
std::string Written(const Header& header) {
  FieldBuffer fields;
  WriteFields(header, &fields);
  return Text(fields);
}

// What the Java client sends, the order of its map.
const Pairs kJavaSend = {{"a", "PG"},
                         {"b", "T"},
                         {"c", "TBW102"},
                         {"d", "4"},
                         {"e", "1"},
                         {"f", "769"},
                         {"g", "1700000000000"},
                         {"h", "0"},
                         {"i",
                          "TAGS\x01"
                          "A\x02"},
                         {"j", "0"},
                         {"k", "false"},
                         {"m", "false"},
                         {"n", "broker-a"}};

TEST(SendHeader, TheLettersOfJavaAreRead) {
  Command command;
  command.code = static_cast<int32_t>(RequestCode::kSendMessageV2);
  command.fields = Fields(kJavaSend);

  absl::StatusOr<SendMessageRequest> header = ReadSendMessage(command);

  ASSERT_TRUE(header.ok()) << header.status();
  EXPECT_EQ(header->producer_group, "PG");
  EXPECT_EQ(header->topic, "T");
  EXPECT_EQ(header->default_topic, "TBW102");
  EXPECT_EQ(header->default_topic_queue_nums, 4);
  EXPECT_EQ(header->queue_id, 1);
  EXPECT_EQ(header->sys_flag, 769);
  EXPECT_EQ(header->born_timestamp, 1700000000000);
  EXPECT_EQ(header->properties,
            "TAGS\x01"
            "A\x02");
  EXPECT_EQ(header->reconsume_times, 0);
  EXPECT_FALSE(header->max_reconsume_times.has_value());
  EXPECT_FALSE(header->batch);
  EXPECT_EQ(header->broker_name, "broker-a");
}

TEST(SendHeader, TheCodeDecidesWhichNamesCount) {
  Command command;
  command.fields = Fields(kJavaSend);
  for (const int32_t code : {310, 320, 325}) {
    command.code = code;
    EXPECT_TRUE(ReadSendMessage(command).ok()) << code;
  }
  for (const int32_t code : {10, 324}) {
    command.code = code;
    EXPECT_EQ(ReadSendMessage(command).status().message(),
              "the custom field <producerGroup> is null");
  }
}

TEST(SendHeader, WordsAndLettersAreTheSameHeader) {
  for (const SendFieldNames names : {SendFieldNames::kWords, SendFieldNames::kLetters}) {
    FieldBuffer written;
    WriteSendMessage({.producer_group = "g",
                      .topic = "t",
                      .default_topic = "d",
                      .queue_id = -1,
                      .born_timestamp = 5,
                      .max_reconsume_times = 16,
                      .batch = true},
                     names, &written);
    Command command;
    command.code = names == SendFieldNames::kWords ? 10 : 320;
    written.ForEach(
        [&](absl::string_view name, absl::string_view value) { command.fields.Put(name, value); });
    absl::StatusOr<SendMessageRequest> header = ReadSendMessage(command);
    ASSERT_TRUE(header.ok()) << header.status();
    EXPECT_EQ(header->queue_id, -1);
    EXPECT_EQ(header->max_reconsume_times, 16);
    EXPECT_TRUE(header->batch);
    EXPECT_EQ(header->properties, "");
  }
}

TEST(Fields, AreReadInAnyOrderAndUnknownOnesAreIgnored) {
  Pairs backwards(kJavaSend.rbegin(), kJavaSend.rend());
  backwards.insert(backwards.begin() + 3, {"AccessKey", "k"});
  Command command;
  command.code = 310;
  command.fields = Fields(backwards);
  absl::StatusOr<SendMessageRequest> header = ReadSendMessage(command);
  ASSERT_TRUE(header.ok()) << header.status();
  EXPECT_EQ(header->topic, "T");
  EXPECT_EQ(header->default_topic_queue_nums, 4);
}

TEST(Fields, EachMissingRequiredOneIsNamedInJavasWords) {
  for (size_t gone = 0; gone < 8; ++gone) {  // a to h.
    Pairs rest = kJavaSend;
    const std::string name(rest[gone].first);
    rest.erase(rest.begin() + static_cast<ptrdiff_t>(gone));
    Command command;
    command.code = 310;
    command.fields = Fields(rest);
    const absl::Status status = ReadSendMessage(command).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(status.message(), absl::StrCat("the custom field <", name, "> is null"));
  }
}

TEST(Fields, ARequiredNumberThatIsNoneIsNamed) {
  for (const char* text : {"", " 1", "1 ", "0x1", "1.0", "2147483648", "-", "+-1", "1e3"}) {
    const FieldList fields = Fields({{"topic", "T"}, {"queueId", text}});
    EXPECT_EQ(ReadFields<QueueRequest>(fields).status().message(),
              absl::StrCat("the custom field <queueId> is not a number: \"", text, "\""));
  }
}

TEST(Fields, NumbersAndBooleansAreReadAsJavaReadsThem) {
  int32_t i = 0;
  EXPECT_TRUE(ParseJava("+7", &i) && i == 7);
  EXPECT_TRUE(ParseJava("-2147483648", &i) && i == -2147483647 - 1);
  EXPECT_TRUE(ParseJava("007", &i) && i == 7);
  int64_t l = 0;
  EXPECT_TRUE(ParseJava("9223372036854775807", &l) && l == 9223372036854775807);
  EXPECT_FALSE(ParseJava("9223372036854775808", &l));
  bool b = false;
  EXPECT_TRUE(ParseJava("TrUe", &b) && b);
  EXPECT_TRUE(ParseJava("1", &b) && !b);
}

TEST(Fields, AnOptionalOneThatCannotBeReadIsAsIfAbsent) {
  const FieldList fields = Fields({{"topic", "T"},
                                   {"queueId", "1"},
                                   {"committed", "yes"},
                                   {"offset", "x"},
                                   {"timestamp", "-1"},
                                   {"group", "g"},
                                   {"isForce", "true"}});
  EXPECT_FALSE(ReadFields<QueueRequest>(fields)->committed);
  EXPECT_FALSE(ReadFields<ResetOffsetRequest>(fields)->offset.has_value());
}

TEST(Fields, DefaultsHoldWhereTheFieldIsAbsent) {
  const FieldList fields = Fields(
      {{"topic", "T"}, {"queueId", "1"}, {"timestamp", "-1"}, {"group", "g"}, {"isForce", "true"}});
  EXPECT_TRUE(ReadFields<QueueRequest>(fields)->committed);
  EXPECT_EQ(ReadFields<QueryConsumerOffsetRequest>(fields).status().message(),
            "the custom field <consumerGroup> is null");
}

// Clients throw without these, whatever the code.
TEST(Replies, CarryWhatJavaRequires) {
  EXPECT_EQ(Written(SendMessageReply{.message_id = "0A", .queue_id = 3, .queue_offset = 0}),
            "msgId=0A;queueId=3;queueOffset=0;");
  EXPECT_EQ(
      Written(SendMessageReply{
          .message_id = "0A", .transaction_id = "U", .region = "DefaultRegion", .trace_on = true}),
      "msgId=0A;queueId=0;queueOffset=0;transactionId=U;MSG_REGION=DefaultRegion;"
      "TRACE_ON=true;");
  EXPECT_EQ(Written(PullMessageReply{.next_begin_offset = 5, .max_offset = 6}),
            "suggestWhichBrokerId=0;nextBeginOffset=5;minOffset=0;maxOffset=6;");
  EXPECT_EQ(Written(QueryMessageReply{}), "indexLastUpdateTimestamp=0;indexLastUpdatePhyoffset=0;");
  EXPECT_EQ(Written(OffsetReply{.offset = -1}), "offset=-1;");
  EXPECT_EQ(Written(HeartbeatReply{}), "IS_SUPPORT_HEART_BEAT_V2=false;IS_SUB_CHANGE=false;");
}

// Writes a header whose fields are set by `Visit` to distinct values, sends it
// through both serializers, reads it back and writes it again.
struct Filler {
  template <typename T>
  void Required(absl::string_view, T& to) {
    Fill(to);
  }
  template <typename T>
  void Optional(absl::string_view, T& to) {
    Fill(to);
  }
  void Fill(absl::string_view& to) {
    texts.push_back(std::make_unique<std::string>(absl::StrCat("t\x01", ++next)));
    to = *texts.back();
  }
  void Fill(int32_t& to) { to = -++next; }
  void Fill(int64_t& to) { to = (int64_t{1} << 40) + ++next; }
  void Fill(bool& to) { to = ++next % 2 == 0; }
  template <typename T>
  void Fill(std::optional<T>& to) {
    T value{};
    Fill(value);
    to = value;
  }

  int next = 0;
  std::vector<std::unique_ptr<std::string>> texts;
};

template <typename Header>
class EveryHeader : public ::testing::Test {};

using Headers = ::testing::Types<
    SendMessageRequest, SendMessageReply, ConsumerSendMessageBackRequest, RecallMessageRequest,
    RecallMessageReply, PushReplyMessageRequest, PullMessageRequest, PullMessageReply,
    QueryMessageRequest, QueryMessageReply, ViewMessageRequest, QueryConsumerOffsetRequest,
    UpdateConsumerOffsetRequest, SearchOffsetRequest, QueueRequest, OffsetReply, TimestampReply,
    ResetOffsetRequest, QueryCorrectionOffsetRequest, CloneGroupOffsetRequest, HeartbeatReply,
    UnregisterClientRequest, EndTransactionRequest, CheckTransactionStateRequest,
    ConsumerGroupRequest, GetConsumerStatusRequest, GetConsumerRunningInfoRequest,
    ConsumeMessageDirectlyRequest, GetRouteInfoRequest, PutKvConfigRequest, KvConfigRequest,
    GetKvConfigReply, GetKvListRequest, BrokerNameRequest, WipeWritePermissionReply,
    AddWritePermissionReply, NameserverTopicRequest, GetTopicsByClusterRequest, CreateTopicRequest,
    TopicRequest, GetTopicConfigRequest, GetAllTopicConfigRequest, GetBrokerConfigReply,
    ProducerGroupRequest, DeleteSubscriptionGroupRequest, GetConsumeStatsRequest,
    QueryConsumeTimeSpanRequest, GroupRequest, UpdateGroupForbiddenRequest,
    ViewBrokerStatsDataRequest, GetBrokerConsumeStatsRequest, QueryConsumeQueueRequest>;
TYPED_TEST_SUITE(EveryHeader, Headers);

TYPED_TEST(EveryHeader, ComesBackAsItWasThroughBothSerializers) {
  TypeParam header;
  Filler filler;
  TypeParam::Visit(header, filler);
  FieldBuffer written;
  WriteFields(header, &written);
  ASSERT_EQ(written.size(), static_cast<size_t>(filler.next));
  for (const Serializer serializer : {Serializer::kJson, Serializer::kCompact}) {
    std::string frame;
    ASSERT_TRUE(AppendFrameHead({.code = 1, .serializer = serializer}, written, 0, &frame).ok());
    absl::StatusOr<Command> command = DecodeFrame(frame);
    ASSERT_TRUE(command.ok()) << command.status();

    absl::StatusOr<TypeParam> read = ReadFields<TypeParam>(command->fields);

    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(Written(*read), Text(written));
  }
}

}  // namespace
}  // namespace totora::remoting
