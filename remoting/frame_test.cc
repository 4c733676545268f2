#include "remoting/frame.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/coding.h"
#include "remoting/request_code.h"
#include "remoting/response_code.h"

namespace totora::remoting {
namespace {

std::string FromHex(absl::string_view hex) { return absl::HexStringToBytes(hex); }

std::string WithPrefix(Serializer serializer, absl::string_view header, absl::string_view body) {
  std::string frame;
  AppendU32(&frame, static_cast<uint32_t>(4 + header.size() + body.size()));
  AppendU32(&frame, static_cast<uint32_t>(serializer) << 24 | static_cast<uint32_t>(header.size()));
  return absl::StrCat(frame, header, body);
}

std::string JsonFrame(absl::string_view header, absl::string_view body = "") {
  return WithPrefix(Serializer::kJson, header, body);
}

std::string Encode(const Head& head, const FieldBuffer& fields, absl::string_view body = "") {
  std::string frame;
  EXPECT_TRUE(AppendFrameHead(head, fields, body.size(), &frame, body.size()).ok());
  return absl::StrCat(frame, body);
}

std::string Value(const Command& command, absl::string_view name) {
  const std::optional<absl::string_view> value = command.fields.Find(name);
  return value.has_value() ? std::string(*value) : "(absent)";
}

// The vectors were produced by RocketMQ's own classes.
const char kGoldenJsonRequest[] =
    "{\"code\":105,\"extFields\":{\"topic\":\"T\"},\"flag\":0,\"language\":\"JAVA\",\"opaque\":7,"
    "\"serializeTypeCurrentRPC\":\"JSON\",\"version\":479}";
const char kGoldenJsonResponse[] =
    "{\"code\":17,\"flag\":1,\"language\":\"JAVA\",\"opaque\":7,\"remark\":\"no route\","
    "\"serializeTypeCurrentRPC\":\"JSON\",\"version\":479}";
const char kGoldenCompactRequest[] =
    "000000250100002100690001df0000000700000000000000000000000c0005746f7069630000000154";
const char kGoldenCompactResponse[] =
    "000000210100001d00110001df0000000700000001000000086e6f20726f75746500000000";

// The third byte is the language, Java's 0: the vectors above begin with
// code 0x0069, language 0x00, version 0x01df.
void ExpectGoldenRequest(const Command& command) {
  EXPECT_EQ(command.code, 105);
  EXPECT_EQ(command.language, Language::kJava);
  EXPECT_EQ(command.version, 479);
  EXPECT_EQ(command.opaque, 7);
  EXPECT_EQ(command.flag, 0);
  EXPECT_FALSE(command.is_response());
  EXPECT_FALSE(command.is_oneway());
  EXPECT_EQ(command.fields.size(), 1u);
  EXPECT_EQ(Value(command, "topic"), "T");
  EXPECT_EQ(command.body.size(), 0u);
}

TEST(GoldenFrame, TheJsonRequestOfJavaIsRead) {
  const std::string frame = absl::StrCat(FromHex("0000007f0000007b"), kGoldenJsonRequest);
  absl::StatusOr<Command> command = DecodeFrame(frame);
  ASSERT_TRUE(command.ok()) << command.status();
  EXPECT_EQ(command->serializer, Serializer::kJson);
  ExpectGoldenRequest(*command);
}

TEST(GoldenFrame, TheCompactRequestOfJavaIsRead) {
  absl::StatusOr<Command> command = DecodeFrame(FromHex(kGoldenCompactRequest));
  ASSERT_TRUE(command.ok()) << command.status();
  EXPECT_EQ(command->serializer, Serializer::kCompact);
  ExpectGoldenRequest(*command);
}

TEST(GoldenFrame, BothResponsesOfJavaAreRead) {
  for (const std::string& frame : {absl::StrCat(FromHex("0000007800000074"), kGoldenJsonResponse),
                                   FromHex(kGoldenCompactResponse)}) {
    absl::StatusOr<Command> command = DecodeFrame(frame);
    ASSERT_TRUE(command.ok()) << command.status();
    EXPECT_EQ(command->code, 17);
    EXPECT_TRUE(command->is_response());
    EXPECT_EQ(command->opaque, 7);
    EXPECT_EQ(command->remark, "no route");
    EXPECT_TRUE(command->fields.empty());
  }
}

TEST(GoldenFrame, OursAreTheSameBytesAsJavas) {
  FieldBuffer topic;
  topic.Add("topic", "T");
  Head request{.code = 105, .opaque = 7, .language = Language::kJava};
  Head response{
      .code = 17, .opaque = 7, .flag = 1, .language = Language::kJava, .remark = "no route"};

  EXPECT_EQ(Encode(request, topic), absl::StrCat(FromHex("0000007f0000007b"), kGoldenJsonRequest));
  EXPECT_EQ(Encode(response, {}), absl::StrCat(FromHex("0000007800000074"), kGoldenJsonResponse));
  request.serializer = response.serializer = Serializer::kCompact;
  EXPECT_EQ(absl::BytesToHexString(Encode(request, topic)), kGoldenCompactRequest);
  EXPECT_EQ(absl::BytesToHexString(Encode(response, {})), kGoldenCompactResponse);
}

TEST(Frame, WhatIsEncodedIsDecodedInBothSerializers) {
  std::string all_bytes;
  for (int c = 1; c < 256; ++c) all_bytes.push_back(static_cast<char>(c));
  FieldBuffer fields;
  fields.Add("properties", absl::string_view("TAGS\x01TagA\x02KEYS\x01\"k\\\"\x02"));
  fields.AddNumber("queueOffset", int64_t{-9223372036854775807 - 1});
  fields.AddBool("batch", true);
  fields.Add("all", all_bytes);
  for (const Serializer serializer : {Serializer::kJson, Serializer::kCompact}) {
    const Head head{.code = -1006,
                    .opaque = -5,
                    .flag = kFlagOneway,
                    .serializer = serializer,
                    .language = Language::kGo,
                    .version = 317,
                    .remark = "a \"remark\"\n\x7f"};
    absl::StatusOr<Command> command = DecodeFrame(Encode(head, fields, "the body"));
    ASSERT_TRUE(command.ok()) << command.status();
    EXPECT_EQ(command->serializer, serializer);
    EXPECT_EQ(command->code, -1006);
    EXPECT_EQ(command->opaque, -5);
    EXPECT_TRUE(command->is_oneway());
    EXPECT_EQ(command->language, Language::kGo);
    EXPECT_EQ(command->version, 317);
    EXPECT_EQ(command->remark, head.remark);
    EXPECT_EQ(Value(*command, "properties"), "TAGS\x01TagA\x02KEYS\x01\"k\\\"\x02");
    EXPECT_EQ(Value(*command, "queueOffset"), "-9223372036854775808");
    EXPECT_EQ(Value(*command, "batch"), "true");
    EXPECT_EQ(Value(*command, "all"), all_bytes);
    EXPECT_EQ(command->body.view(), "the body");
  }
}

TEST(Frame, ACodeTooLargeForTheCompactHeaderGoesOutAsJson) {
  const std::string frame = Encode({.code = 200050, .serializer = Serializer::kCompact}, {});
  absl::StatusOr<Command> command = DecodeFrame(frame);
  ASSERT_TRUE(command.ok()) << command.status();
  EXPECT_EQ(command->serializer, Serializer::kJson);
  EXPECT_EQ(command->code, 200050);
}

TEST(Frame, TheHeadTakesOneAllocation) {
  FieldBuffer fields;
  fields.Add("properties", std::string(2000, 'p'));
  fields.AddNumber("queueOffset", 5);
  for (const Serializer serializer : {Serializer::kJson, Serializer::kCompact}) {
    std::string frame;
    const Head head{.code = -2147483647,
                    .opaque = -2147483647,
                    .flag = -2147483647,
                    .serializer = serializer,
                    .language = Language::kErlang,
                    .version = -2147483647,
                    .remark = "r"};
    ASSERT_TRUE(AppendFrameHead(head, fields, 100, &frame, 100).ok());
    EXPECT_GE(frame.capacity(), frame.size() + 100);
    EXPECT_LE(frame.capacity(), 8 + 176 + 1 + fields.bytes().size() + 100) << "made once";
    EXPECT_EQ(FrameSize(frame).value(), frame.size() + 100);
  }
}

TEST(Frame, AnAnswerAboveSixteenMebibytesIsRefusedAndNothingIsAppended) {
  std::string frame = "before";
  EXPECT_EQ(AppendFrameHead({}, {}, kFrameBytesMax, &frame).code(),
            absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(frame, "before");
  FieldBuffer fields;
  fields.Add("f", std::string(kHeaderBytesMax, 'x'));
  EXPECT_FALSE(AppendFrameHead({}, fields, 0, &frame).ok());
  FieldBuffer escaped;  // Too long only as JSON.
  escaped.Add("f", std::string(kHeaderBytesMax / 2, '\x01'));
  EXPECT_FALSE(AppendFrameHead({}, escaped, 0, &frame).ok());
  EXPECT_EQ(frame, "before");
  EXPECT_TRUE(AppendFrameHead({.serializer = Serializer::kCompact}, escaped, 0, &frame).ok());
}

TEST(FrameSize, LyingLengthsAreFoundInTheFirstEightBytes) {
  EXPECT_EQ(FrameSize(FromHex("000001")).value(), 0u);
  EXPECT_EQ(FrameSize(FromHex("00000010")).value(), 0u);
  EXPECT_EQ(FrameSize(FromHex("0000001000000004")).value(), 0x14u);
  EXPECT_EQ(FrameSize(FromHex("00fffffc00000004")).value(), kFrameBytesMax);

  EXPECT_FALSE(FrameSize(FromHex("00000003")).ok());          // No room for the second word.
  EXPECT_FALSE(FrameSize(FromHex("00fffffd")).ok());          // Above 16 MiB.
  EXPECT_FALSE(FrameSize(FromHex("ffffffff")).ok());          // "Negative".
  EXPECT_FALSE(FrameSize(FromHex("000000100000000d")).ok());  // Header beyond the frame.
  EXPECT_FALSE(FrameSize(FromHex("0000001002000004")).ok());  // Unknown serializer.
  EXPECT_FALSE(FrameSize(FromHex("00f0000000100001")).ok());  // Header above 1 MiB.
}

TEST(JsonHeader, FieldsMayBeNumbersBooleansNullAndRepeated) {
  absl::StatusOr<Command> command = DecodeFrame(JsonFrame(
      R"({ "code" : "310", "extFields":{"e":1,"g":1700000000000,"m":true,"l":null,"x":1.50,)"
      R"("a":"first","a":"last","b":"gone","b":null,"o":{"k":[1,2]}},"opaque":3,"more":{"a":[{}]},)"
      R"("remark":null,"language":"COBOL","version":317})"
      "\n"));
  ASSERT_TRUE(command.ok()) << command.status();
  EXPECT_EQ(command->code, 310);
  EXPECT_EQ(command->language, Language::kUnknown);
  EXPECT_EQ(command->remark, "");
  EXPECT_EQ(Value(*command, "e"), "1");
  EXPECT_EQ(Value(*command, "g"), "1700000000000");
  EXPECT_EQ(Value(*command, "m"), "true");
  EXPECT_EQ(Value(*command, "l"), "(absent)");
  EXPECT_EQ(Value(*command, "x"), "1.50");
  EXPECT_EQ(Value(*command, "a"), "last");
  EXPECT_EQ(Value(*command, "b"), "(absent)");
  EXPECT_EQ(Value(*command, "o"), R"({"k":[1,2]})");
}

TEST(JsonHeader, MissingAndNullMembersAreNoError) {
  for (const char* header : {"{}", R"({"extFields":null,"code":null,"language":null})",
                             R"({"extFields":{}})", R"({"language":99})"}) {
    absl::StatusOr<Command> command = DecodeFrame(JsonFrame(header));
    ASSERT_TRUE(command.ok()) << header << command.status();
    EXPECT_EQ(command->code, 0);
    EXPECT_EQ(command->language, Language::kUnknown);
    EXPECT_TRUE(command->fields.empty());
  }
}

TEST(JsonHeader, EscapesAreResolvedWhereverTheyStand) {
  absl::StatusOr<Command> command = DecodeFrame(JsonFrame(
      R"({"co\u0064e":5,"extFields":{"\u0069":"T\u0001a\u0002\u003c\n\/","z":"\ud83d\ude00 \ud83d."}})"));
  ASSERT_TRUE(command.ok()) << command.status();
  EXPECT_EQ(command->code, 5);
  EXPECT_EQ(Value(*command, "i"),
            "T\x01"
            "a\x02<\n/");
  EXPECT_EQ(Value(*command, "z"), "\xF0\x9F\x98\x80 \xEF\xBF\xBD.");
}

TEST(JsonHeader, WhatIsNotAHeaderIsAnError) {
  const std::string deep = absl::StrCat(R"({"x":)", std::string(100'000, '['), "}");
  for (const std::string& header :
       {std::string(""), std::string("[]"), std::string("{"), std::string(R"({"code")"),
        std::string(R"({"code":})"), std::string(R"({"code":1.5})"),
        std::string(R"({"code":99999999999})"), std::string(R"({"code":1,})"),
        std::string(R"({"code":1} {})"), std::string(R"({"remark":"\q"})"),
        std::string(R"({"remark":"\u12"})"), std::string(R"({"remark":"x)"),
        std::string(R"({"extFields":[]})"), std::string("{\"remark\":\"\\"), deep}) {
    EXPECT_EQ(DecodeFrame(JsonFrame(header)).status().code(), absl::StatusCode::kInvalidArgument)
        << header.substr(0, 60);
  }
}

TEST(JsonHeader, TooManyFieldsAreAnError) {
  std::string fields;
  for (size_t i = 0; i < kFieldsMax; ++i) absl::StrAppend(&fields, "\"f", i, "\":1,");
  EXPECT_TRUE(DecodeFrame(JsonFrame(absl::StrCat("{\"extFields\":{",
                                                 fields.substr(0, fields.size() - 1), "}}")))
                  .ok());
  EXPECT_FALSE(DecodeFrame(JsonFrame(absl::StrCat("{\"extFields\":{", fields, "\"g\":1}}"))).ok());
}

TEST(CompactHeader, EmptyTextIsAbsentAndLengthsBeyondTheEndAreErrors) {
  FieldBuffer fields;
  fields.Add("a", "1");
  fields.Add("b", "");
  const std::string frame = Encode({.code = 10, .serializer = Serializer::kCompact}, fields);
  absl::StatusOr<Command> command = DecodeFrame(frame);
  ASSERT_TRUE(command.ok()) << command.status();
  EXPECT_EQ(command->remark, "");
  EXPECT_EQ(Value(*command, "a"), "1");
  EXPECT_EQ(Value(*command, "b"), "(absent)");

  std::string lying = frame;
  lying[8 + 13] = '\x7f';  // Remark length.
  EXPECT_FALSE(DecodeFrame(lying).ok());
  lying = frame;
  lying[8 + 17] = '\xff';  // Length of the field block.
  EXPECT_FALSE(DecodeFrame(lying).ok());
  lying = frame;
  lying[8 + 21] = '\xff';  // Length of the first name.
  EXPECT_FALSE(DecodeFrame(lying).ok());
}

TEST(CompactHeader, AnUnknownLanguageByteIsNoError) {
  std::string frame = FromHex(kGoldenCompactRequest);
  frame[10] = '\x63';
  absl::StatusOr<Command> command = DecodeFrame(frame);
  ASSERT_TRUE(command.ok()) << command.status();
  EXPECT_EQ(command->language, Language::kUnknown);
}

// What a send of the Java client looks like in both serializers.
std::vector<std::string> SampleFrames() {
  std::vector<std::string> frames;
  for (const Serializer serializer : {Serializer::kJson, Serializer::kCompact}) {
    FieldBuffer fields;
    fields.Add("a", "PG");
    fields.Add("b", "T");
    fields.Add("g", "1700000000000");
    fields.Add("i", absl::string_view("UNIQ_KEY\x01"
                                      "0A\x02WAIT\x01true\x02"));
    frames.push_back(Encode({.code = static_cast<int32_t>(RequestCode::kSendMessageV2),
                             .opaque = 42,
                             .serializer = serializer,
                             .remark = "\"r\""},
                            fields, "body"));
  }
  return frames;
}

TEST(HostileFrame, CutAnywhereItIsIncompleteOrAnError) {
  for (const std::string& whole : SampleFrames()) {
    for (size_t keep = 0; keep < whole.size(); ++keep) {
      SCOPED_TRACE(keep);
      const std::string cut = whole.substr(0, keep);
      const absl::StatusOr<size_t> size = FrameSize(cut);
      ASSERT_TRUE(size.ok()) << size.status();
      EXPECT_TRUE(*size == 0 || *size == whole.size());
      EXPECT_FALSE(DecodeFrame(cut).ok());

      // The same with lengths that agree with what is left.
      if (keep < kFramePrefixBytes) continue;
      const Serializer serializer = static_cast<Serializer>(whole[4]);
      const size_t header = GetAt<uint32_t>(whole.data() + 4) & 0xFFFFFF;
      if (keep - kFramePrefixBytes >= header) continue;
      const auto rest = absl::string_view(cut).substr(kFramePrefixBytes);
      EXPECT_FALSE(DecodeFrame(WithPrefix(serializer, rest, "")).ok());
    }
  }
}

TEST(HostileFrame, EveryFlippedByteIsReadOrRefused) {
  size_t read = 0;
  size_t refused = 0;
  for (const std::string& whole : SampleFrames()) {
    for (size_t at = 0; at < whole.size(); ++at) {
      for (int bit = 0; bit < 256; ++bit) {
        std::string flipped = whole;
        flipped[at] = static_cast<char>(bit);
        const absl::StatusOr<Command> command = DecodeFrame(flipped);
        command.ok() ? ++read : ++refused;
        if (!command.ok()) {
          ASSERT_EQ(command.status().code(), absl::StatusCode::kInvalidArgument);
        }
      }
    }
  }
  EXPECT_GT(read, 0u);
  EXPECT_GT(refused, 0u);
}

TEST(HostileFrame, RandomBytesNeverHarm) {
  const uint32_t seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  const std::string alphabet = "{}[]\":,\\u0123etrflasn ";
  for (int i = 0; i < 20'000; ++i) {
    std::string header;
    const size_t size = random() % 60;
    for (size_t j = 0; j < size; ++j) header.push_back(alphabet[random() % alphabet.size()]);
    (void)DecodeFrame(JsonFrame("{\"extFields\":{" + header)).ok();
    (void)DecodeFrame(WithPrefix(Serializer::kCompact, header, "")).ok();
  }
}

}  // namespace
}  // namespace totora::remoting
