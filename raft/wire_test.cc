#include "raft/wire.h"

#include <gtest/gtest.h>

#include <random>

#include "absl/strings/escaping.h"
#include "common/crc32c.h"
#include "raft/command.h"

namespace totora::raft {
namespace {

SharedBytes Flatten(const WireMessage& message) {
  std::string bytes = message.head;
  for (const SharedBytes& part : message.parts) bytes += std::string(part.view());
  return SharedBytes(std::move(bytes));
}

Frame MakeFrame(uint64_t index, const std::string& body) {
  FrameHeader header;
  header.index = LogIndex(index);
  header.term = Term(3);
  header.start = BytePosition(index * 1000);
  header.body_bytes = static_cast<uint32_t>(body.size());
  header.body_crc = Crc32c(body);
  header.timestamp_ms = 1'700'000'000'000;
  header.passed_ms = 70'000;
  header.chain_crc = ChainCrc(0, header);
  return Frame{header, SharedBytes(body)};
}

WireMessage MakeAppend() {
  AppendRequest request;
  request.term = Term(3);
  request.prev_index = LogIndex(4);
  request.prev_term = Term(2);
  request.commit = LogIndex(4);
  const std::vector<Frame> frames = {MakeFrame(5, "first body"), MakeFrame(6, ""),
                                     MakeFrame(7, "third")};
  for (const Frame& frame : frames) request.entries.push_back(frame.meta());
  return EncodeProtocol(request, frames, {});
}

TEST(Wire, AnAppendRequestComesBackWithItsFrames) {
  const auto content = DecodeWire(Flatten(MakeAppend()));
  ASSERT_TRUE(content.ok()) << content.status();
  const auto& protocol = std::get<ProtocolMessage>(*content);
  const auto& request = std::get<AppendRequest>(protocol.message);
  EXPECT_EQ(request.prev_index, LogIndex(4));
  EXPECT_EQ(request.prev_term, Term(2));
  ASSERT_EQ(protocol.frames.size(), 3u);
  EXPECT_EQ(protocol.frames[0].body.view(), "first body");
  EXPECT_EQ(protocol.frames[2].header, MakeFrame(7, "third").header);
  EXPECT_EQ(request.entries[2], protocol.frames[2].meta());
}

TEST(Wire, RepliesCarryTheWallClockAndHeartbeatsLogTime) {
  const WireTimes times{.wall_ms = 12345, .log_ms = 777, .passed_ms = 55};
  const auto times_of = [&times](const Message& message) {
    const auto content = DecodeWire(Flatten(EncodeProtocol(message, {}, times)));
    const WireTimes read =
        content.ok() ? std::get<ProtocolMessage>(*content).times : WireTimes{-1, -1, -1};
    return std::vector<int64_t>{read.wall_ms, read.log_ms, read.passed_ms};
  };
  EXPECT_EQ(times_of(HeartbeatReply{Term(9), 77}), (std::vector<int64_t>{12345, 0, 0}));
  EXPECT_EQ(times_of(VoteReply{Term(9), false, true}), (std::vector<int64_t>{12345, 0, 55}));
  EXPECT_EQ(times_of(Heartbeat{Term(9), LogIndex(3), 77}), (std::vector<int64_t>{0, 777, 55}));
  const auto content = DecodeWire(Flatten(EncodeProtocol(HeartbeatReply{Term(9), 77}, {}, times)));
  ASSERT_TRUE(content.ok());
  const auto& protocol = std::get<ProtocolMessage>(*content);
  EXPECT_EQ(std::get<HeartbeatReply>(protocol.message).round, 77u);
}

TEST(Wire, VoteFlagsSurvive) {
  VoteRequest request{Term(4), LogIndex(10), Term(3), true, true};
  const auto content = DecodeWire(Flatten(EncodeProtocol(request, {}, {})));
  ASSERT_TRUE(content.ok());
  const auto& decoded = std::get<VoteRequest>(std::get<ProtocolMessage>(*content).message);
  EXPECT_TRUE(decoded.is_pre_vote);
  EXPECT_TRUE(decoded.is_transfer);
  EXPECT_EQ(decoded.last_index, LogIndex(10));
}

TEST(Wire, HellosRoundTripWithTheirVoters) {
  Hello hello;
  hello.cluster = "c";
  hello.group = GroupId(2);
  hello.replica = ReplicaId(3);
  hello.volume = std::string(16, 'v');
  hello.incarnation = Incarnation(5);
  hello.is_leader = true;
  hello.term = Term(8);
  hello.voters = {{ReplicaId(1), "a"}, {ReplicaId(3), std::string(16, 'v')}};
  Hello decoded;
  ASSERT_TRUE(DecodeHello(EncodeHello(hello), &decoded));
  EXPECT_EQ(decoded.voters, hello.voters);
  EXPECT_EQ(decoded.incarnation, hello.incarnation);
  EXPECT_TRUE(decoded.is_leader);
}

TEST(Wire, ForwardedCommandsAreSplitWhereTheyWereJoined) {
  Command command;
  command.id = {ReplicaId(1), Incarnation(1), 1};
  command.payload = "one";
  std::string first;
  AppendCommand(command, &first);
  command.id.sequence = 2;
  command.payload = "";
  std::string second;
  AppendCommand(command, &second);
  const auto content =
      DecodeWire(Flatten(EncodeForward({SharedBytes(first), SharedBytes(second)})));
  ASSERT_TRUE(content.ok()) << content.status();
  const auto& forwarded = std::get<ForwardedCommands>(*content);
  ASSERT_EQ(forwarded.commands.size(), 2u);
  EXPECT_EQ(forwarded.commands[0].view(), first);
  EXPECT_EQ(forwarded.commands[1].view(), second);
}

TEST(Wire, TheLayoutOfAVoteReplyIsPinned) {
  const WireMessage message = EncodeProtocol(VoteReply{Term(7), false, true}, {},
                                             {.wall_ms = 0x1122, .passed_ms = 0x33});
  EXPECT_EQ(absl::BytesToHexString(message.head),
            "0200000000000000070200000000000011220000000000000033");
}

TEST(Wire, EveryCutOfAMessageIsRefused) {
  const std::string whole(Flatten(MakeAppend()).view());
  for (size_t keep = 0; keep < whole.size(); ++keep) {
    EXPECT_FALSE(DecodeWire(SharedBytes(whole.substr(0, keep))).ok()) << keep;
  }
}

TEST(Wire, AFlippedBitNeverReachesAnEntry) {
  const std::string whole(Flatten(MakeAppend()).view());
  const auto original = DecodeWire(SharedBytes(whole));
  for (size_t at = 0; at < whole.size(); ++at) {
    std::string flipped = whole;
    flipped[at] = static_cast<char>(flipped[at] ^ 0x10);
    const auto content = DecodeWire(SharedBytes(flipped));
    if (!content.ok() || !std::holds_alternative<ProtocolMessage>(*content)) continue;
    const auto& protocol = std::get<ProtocolMessage>(*content);
    if (!std::holds_alternative<AppendRequest>(protocol.message)) continue;
    const auto& expected = std::get<ProtocolMessage>(*original);
    ASSERT_EQ(protocol.frames.size(), expected.frames.size());
    for (size_t i = 0; i < protocol.frames.size(); ++i) {
      EXPECT_EQ(protocol.frames[i].header, expected.frames[i].header) << at;
      EXPECT_EQ(protocol.frames[i].body.view(), expected.frames[i].body.view()) << at;
    }
  }
}

TEST(Wire, GarbageIsRefusedWithoutReadingBeyondIt) {
  const uint64_t seed = 20261121;
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  for (int i = 0; i < 20000; ++i) {
    std::string bytes(random() % 200, '\0');
    for (char& c : bytes) c = static_cast<char>(random());
    if (!bytes.empty() && i % 2 == 0) bytes[0] = static_cast<char>(random() % 24);
    DecodeWire(SharedBytes(bytes)).IgnoreError();
  }
}

}  // namespace
}  // namespace totora::raft
