#include "message/message_id.h"

#include <gtest/gtest.h>

#include <set>

namespace totora::message {
namespace {

constexpr int64_t kNovember14Ms = 1700000000000;  // 2023-11-14T22:13:20Z.

TEST(OffsetMessageId, IsTheOneThatRocketMqMakes) {
  const OffsetMessageId id{Host::Parse("10.0.0.1", 10911).value(), BytePosition(0x1234)};

  EXPECT_EQ(id.Encode(), "0A00000100002A9F0000000000001234");
}

TEST(OffsetMessageId, ComesBackForBothAddressFamilies) {
  for (const char* ip : {"10.0.0.1", "255.255.255.255", "2001:db8::1"}) {
    const OffsetMessageId id{Host::Parse(ip, 65535).value(), BytePosition(~uint64_t{0})};
    const std::string text = id.Encode();
    EXPECT_EQ(text.size(), id.store_host.is_ipv6 ? 56u : 32u);

    absl::StatusOr<OffsetMessageId> decoded = OffsetMessageId::Decode(text);

    ASSERT_TRUE(decoded.ok()) << decoded.status();
    EXPECT_EQ(*decoded, id);
  }
}

TEST(OffsetMessageId, TakesLowerCase) {
  EXPECT_EQ(OffsetMessageId::Decode("0a00000100002a9f0000000000001234")->Encode(),
            "0A00000100002A9F0000000000001234");
}

TEST(OffsetMessageId, EveryOtherTextIsRefused) {
  const std::string good = "0A00000100002A9F0000000000001234";
  for (size_t keep = 0; keep < good.size(); ++keep) {
    EXPECT_EQ(OffsetMessageId::Decode(good.substr(0, keep)).status().code(),
              absl::StatusCode::kInvalidArgument);
  }
  for (size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = 'G';
    EXPECT_FALSE(OffsetMessageId::Decode(bad).ok());
  }
}

IdOrigin Origin() {
  return {.host = Host::Parse("10.0.0.9", 0).value(),
          .mac = {0x02, 0x42, 0xac, 0x11, 0x00, 0x02},
          .process_id = 0x12345,
          .salt = 0xcafebabe};
}

TEST(MessageIdMaker, UniqueIdsHaveJavasLayout) {
  MessageIdMaker maker(Origin());

  // 13 days, 22 h, 13 min, 20 s since the start of the month.
  EXPECT_EQ(maker.NextUniqueId(kNovember14Ms), "0A0000092345CAFEBABE47B760000000");
  EXPECT_EQ(maker.NextUniqueId(kNovember14Ms), "0A0000092345CAFEBABE47B760000001");
}

TEST(MessageIdMaker, V2IdsHaveTheClientsLayout) {
  MessageIdMaker maker(Origin());

  // 1700000000 - 1609459200 = 90540800 = 0x05658B00.
  EXPECT_EQ(maker.NextV2Id(kNovember14Ms), "010242AC110002234505658B0000000000");
  EXPECT_EQ(maker.NextV2Id(kNovember14Ms), "010242AC110002234505658B0000000001");
  EXPECT_TRUE(IsV2Id(maker.NextV2Id(kNovember14Ms)));
}

TEST(MessageIdMaker, NoIdRepeatsWithinItsPromise) {
  MessageIdMaker maker(Origin());
  std::set<std::string> ids;
  for (int i = 0; i < 65536; ++i) ids.insert(maker.NextUniqueId(kNovember14Ms));
  EXPECT_EQ(ids.size(), 65536u);
}

TEST(IsV2Id, KnowsClassicIdsFromThem) {
  EXPECT_FALSE(IsV2Id(""));
  EXPECT_FALSE(IsV2Id("0A0000092345CAFEBABE47DB9B000000"));
  EXPECT_FALSE(IsV2Id("020242AC11000223450565950000000000"));
  EXPECT_FALSE(IsV2Id("010242AC1100022345056595000000000x"));
}

}  // namespace
}  // namespace totora::message
