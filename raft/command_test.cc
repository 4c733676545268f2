#include "raft/command.h"

#include <gtest/gtest.h>

#include "absl/strings/escaping.h"

namespace totora::raft {
namespace {

Command Make(uint64_t sequence, absl::string_view payload) {
  Command command;
  command.id = {ReplicaId(2), Incarnation(7), sequence};
  command.low_watermark = sequence - 1;
  command.kind = 3;
  command.payload = payload;
  return command;
}

TEST(Command, EveryFieldHasItsPlaceInTheBytes) {
  std::string bytes;
  AppendCommand(Make(0x1122, "ab"), &bytes);

  EXPECT_EQ(absl::BytesToHexString(bytes),
            "00000022"          // 32 bytes of header behind the length, 2 of payload.
            "0003" "0000"
            "00000002" "0000000000000007" "0000000000001122"
            "0000000000001121"
            "6162");
}

TEST(Command, AnEntrySplitsIntoTheCommandsItWasMadeOf) {
  std::string body;
  AppendCommand(Make(5, "first"), &body);
  AppendCommand(Make(6, ""), &body);
  AppendCommand(Make(7, "third"), &body);

  const absl::StatusOr<std::vector<Command>> commands = DecodeCommands(body);

  ASSERT_TRUE(commands.ok()) << commands.status();
  ASSERT_EQ(commands->size(), 3u);
  EXPECT_EQ((*commands)[0].payload, "first");
  EXPECT_EQ((*commands)[1].payload, "");
  EXPECT_EQ((*commands)[2].payload, "third");
  for (size_t i = 0; i < 3; ++i) {
    const Command& command = (*commands)[i];
    EXPECT_EQ(command.id, Make(5 + i, "").id);
    EXPECT_EQ(command.low_watermark, 4 + i);
    EXPECT_EQ(command.kind, 3);
    EXPECT_EQ(body.substr(command.payload_offset, command.payload.size()), command.payload);
  }
}

TEST(Command, AnEmptyEntryHasNoCommands) {
  const absl::StatusOr<std::vector<Command>> commands = DecodeCommands("");
  ASSERT_TRUE(commands.ok());
  EXPECT_TRUE(commands->empty());
}

TEST(Command, TheLowWatermarkCanBeOverwrittenInPlace) {
  std::string body;
  AppendCommand(Make(5, "payload"), &body);
  std::string expected;
  Command command = Make(5, "payload");
  command.low_watermark = 0x123456789a;
  AppendCommand(command, &expected);

  PatchLowWatermark(body.data(), 0x123456789a);

  EXPECT_EQ(body, expected);
}

// Only between two commands may an entry end.
TEST(Command, ATruncatedEntryIsDataLoss) {
  std::string body;
  AppendCommand(Make(5, "first"), &body);
  const size_t boundary = body.size();
  AppendCommand(Make(6, "second"), &body);

  for (size_t keep = 1; keep < body.size(); ++keep) {
    if (keep == boundary) continue;
    EXPECT_EQ(DecodeCommands(absl::string_view(body).substr(0, keep)).status().code(),
              absl::StatusCode::kDataLoss)
        << keep;
  }
}

// No flip may lead outside of the bytes, and none in the length or the zero
// field of the last command goes unseen.
TEST(Command, AFlippedBitNeverReadsBeyondTheEntry) {
  std::string body;
  AppendCommand(Make(6, "second"), &body);

  for (size_t bit = 0; bit < body.size() * 8; ++bit) {
    std::string flipped = body;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    const auto commands = DecodeCommands(flipped);
    const bool must_fail = bit < 32 || (bit >= 48 && bit < 64);
    EXPECT_EQ(commands.ok(), !must_fail) << bit;
  }
}

}  // namespace
}  // namespace totora::raft
