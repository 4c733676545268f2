#include "message/override.h"

#include <gtest/gtest.h>

#include "message/codec.h"
#include "message/message.h"
#include "message/properties.h"

namespace totora::message {
namespace {

using Kind = PropertyChange::Kind;

std::string Packed(const std::vector<std::pair<std::string, std::string>>& properties) {
  std::string packed;
  for (const auto& [name, value] : properties) {
    EXPECT_TRUE(AppendProperty(&packed, name, value).ok());
  }
  return packed;
}

std::string Stored(absl::string_view topic, absl::string_view properties, bool is_ipv6 = false) {
  Message message;
  message.topic = topic;
  message.body = "the body";
  message.properties = properties;
  message.queue_id = 3;
  message.queue_offset = QueueOffset(1);
  message.position = BytePosition(2);
  message.born_time_ms = 4;
  message.born_host = *Host::Parse(is_ipv6 ? "2001:db8::1" : "10.0.0.1", 5);
  message.store_time_ms = 6;
  message.store_host = *Host::Parse("10.0.0.2", 7);
  message.system_flags = kTransactionPrepared | kCompressedFlag;
  std::string stored;
  EXPECT_TRUE(EncodeMessage(message, &stored).ok());
  return stored;
}

const Place kPlace{"%RETRY%g", 9, QueueOffset(10), BytePosition(11), 12};

Override Example() {
  Override record;
  record.position = BytePosition(0x123456789);
  record.reconsume_times = 2;
  record.transaction = kTransactionCommit;
  record.prepared_position = BytePosition(77);
  record.Change(Kind::kSetIfAbsent, kRetryTopicProperty, "orders");
  record.Change(Kind::kUnset, kDelayLevelProperty);
  record.Change(Kind::kCopy, kDeadLetterMessageIdProperty, kUniqueKeyProperty);
  return record;
}

TEST(Override, RoundTripsAndRefusesEveryTruncation) {
  for (const Override& record : {Override(), Example()}) {
    const std::string bytes = record.Encode();
    const absl::StatusOr<Override> decoded = Override::Decode(bytes);
    ASSERT_TRUE(decoded.ok()) << decoded.status();
    EXPECT_EQ(*decoded, record);
    for (size_t keep = 0; keep < bytes.size(); ++keep) {
      EXPECT_FALSE(Override::Decode(bytes.substr(0, keep)).ok()) << keep;
    }
    EXPECT_FALSE(Override::Decode(bytes + "x").ok());
  }
}

TEST(Override, AFlipIsRefusedOrIsAnotherValue) {
  const std::string bytes = Example().Encode();
  for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    std::string flipped = bytes;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    const absl::StatusOr<Override> decoded = Override::Decode(flipped);
    if (decoded.ok()) {
      EXPECT_EQ(decoded->Encode(), flipped) << bit;
    }
  }
}

TEST(Override, IsBounded) {
  Override record;
  record.Change(Kind::kSet, "a", std::string(kOverrideBytesMax, 'x'));
  EXPECT_FALSE(record.Check().ok());
  Override many;
  for (size_t i = 0; i <= kPropertyChangesMax; ++i) {
    EXPECT_TRUE(many.Check().ok());
    many.Change(Kind::kSet, std::string(i + 1, 'n'), "v");
  }
  EXPECT_FALSE(many.Check().ok());
}

TEST(Override, ChangesThatAreMadeAgainDoNotGather) {
  Override record = Example();
  const size_t before = record.properties.size();
  for (int i = 0; i < 5; ++i) {
    record.Change(Kind::kSetIfAbsent, kRetryTopicProperty, "orders");
    record.Change(Kind::kUnset, kDelayLevelProperty);
    record.Change(Kind::kCopy, kDeadLetterMessageIdProperty, kUniqueKeyProperty);
    record.Change(Kind::kSet, "n", std::string(1, static_cast<char>('a' + i)));
  }
  EXPECT_EQ(record.properties.size(), before + 1);
}

TEST(AsRead, WithoutARecordOnlyThePlaceChanges) {
  for (bool is_ipv6 : {false, true}) {
    const std::string stored = Stored("orders", Packed({{"a", "b"}}), is_ipv6);
    std::string read = "before";
    Place place = kPlace;
    place.topic = "orders";
    ASSERT_TRUE(AppendAsRead(stored, place, nullptr, &read).ok());

    ASSERT_EQ(read.substr(0, 6), "before");
    const auto view = StoredMessageView::Parse(absl::string_view(read).substr(6));
    ASSERT_TRUE(view.ok()) << view.status();
    EXPECT_EQ(view->size(), stored.size());
    EXPECT_EQ(view->queue_id(), 9u);
    EXPECT_EQ(view->queue_offset(), QueueOffset(10));
    EXPECT_EQ(view->position(), BytePosition(11));
    EXPECT_EQ(view->store_time_ms(), 12);
    std::string back = read.substr(6);
    PatchQueueId(back.data(), 3);
    PatchQueueOffset(back.data(), QueueOffset(1));
    PatchPosition(back.data(), BytePosition(2));
    PatchStoreTime(back.data(), 6);
    EXPECT_EQ(back, stored);
  }
}

TEST(AsRead, ARecordIsLaidOverTopicPropertiesAndFields) {
  for (bool is_ipv6 : {false, true}) {
    const std::string stored = Stored(
        "orders", Packed({{"a", "b"}, {kDelayLevelProperty, "3"}, {kUniqueKeyProperty, "id"}}),
        is_ipv6);
    const Override record = Example();
    std::string read;
    ASSERT_TRUE(AppendAsRead(stored, kPlace, &record, &read).ok());

    const auto view = StoredMessageView::Parse(read);
    ASSERT_TRUE(view.ok()) << view.status();
    EXPECT_EQ(view->size(), read.size());
    EXPECT_TRUE(view->CheckBody().ok());
    EXPECT_EQ(view->topic(), "%RETRY%g");
    EXPECT_EQ(view->body(), "the body");
    EXPECT_EQ(view->properties(),
              Packed({{"a", "b"},
                      {kUniqueKeyProperty, "id"},
                      {kRetryTopicProperty, "orders"},
                      {kDeadLetterMessageIdProperty, "id"}}));
    EXPECT_EQ(view->position(), BytePosition(0x123456789));
    EXPECT_EQ(view->queue_id(), 9u);
    EXPECT_EQ(view->queue_offset(), QueueOffset(10));
    EXPECT_EQ(view->store_time_ms(), 12);
    EXPECT_EQ(view->reconsume_times(), 2);
    EXPECT_EQ(view->prepared_position(), BytePosition(77));
    EXPECT_EQ(view->system_flags() & kTransactionMask, kTransactionCommit);
    EXPECT_NE(view->system_flags() & kCompressedFlag, 0u);
    EXPECT_EQ(view->born_host().ToString(), is_ipv6 ? "[2001:db8::1]:5" : "10.0.0.1:5");
    EXPECT_EQ(view->store_host().ToString(), "10.0.0.2:7");
    EXPECT_EQ(view->born_time_ms(), 4);
  }
}

// Retry topics of long consumer groups have a length of two bytes.
TEST(AsRead, ALongTopicChangesTheVersionAndAShortOneChangesItBack) {
  const std::string long_topic = "%RETRY%" + std::string(130, 'g');
  const std::string stored = Stored("orders", "");
  const Override record;
  Place place = kPlace;
  place.topic = long_topic;
  std::string read;
  ASSERT_TRUE(AppendAsRead(stored, place, &record, &read).ok());
  ASSERT_TRUE(StoredMessageView::Parse(read).ok());
  EXPECT_EQ(StoredMessageView::Parse(read)->topic(), long_topic);

  std::string again;
  ASSERT_TRUE(AppendAsRead(read, kPlace, &record, &again).ok());
  ASSERT_TRUE(StoredMessageView::Parse(again).ok());
  EXPECT_EQ(StoredMessageView::Parse(again)->topic(), "%RETRY%g");
  EXPECT_EQ(GetAt<uint32_t>(again.data() + kMagicAt), kMagicV1);
}

TEST(AsRead, EachChangeSeesThoseBeforeIt) {
  Override record;
  record.Change(Kind::kSetIfAbsent, "RETRY_TOPIC", "orders");
  record.Change(Kind::kCopy, "DLQ_ORIGIN_TOPIC", "RETRY_TOPIC");
  record.Change(Kind::kCopyIfAbsent, "a", "RETRY_TOPIC");  // It is there.
  record.Change(Kind::kCopyIfAbsent, "c", "nothing");
  record.Change(Kind::kCopy, "d", "nothing");
  const auto properties = [&](const std::string& packed) {
    std::string read;
    EXPECT_TRUE(AppendAsRead(Stored("t", packed), kPlace, &record, &read).ok());
    return std::string(StoredMessageView::Parse(read)->properties());
  };
  EXPECT_EQ(properties(Packed({{"a", "b"}, {"d", "e"}})),
            Packed({{"RETRY_TOPIC", "orders"}, {"DLQ_ORIGIN_TOPIC", "orders"}, {"a", "b"},
                    {"d", "e"}}));
  EXPECT_EQ(properties(Packed({{"a", "b"}, {"RETRY_TOPIC", "first"}})),
            Packed({{"RETRY_TOPIC", "first"}, {"DLQ_ORIGIN_TOPIC", "first"}, {"a", "b"}}));
}

TEST(AsRead, WhatHasNoPlaceIsLeftOutAndTheMessageDelivered) {
  const std::string full =
      Packed({{"a", std::string(kPropertiesBytesMax - 20, 'x')}, {"b", "y"}});
  Override record;
  record.Change(Kind::kSet, "long-name-of-a-property", "value");
  record.Change(Kind::kSet, "bad\x01name", "value");
  record.Change(Kind::kSet, "s", "t");
  std::string read;
  ASSERT_TRUE(AppendAsRead(Stored("t", full), kPlace, &record, &read).ok());
  const auto view = StoredMessageView::Parse(read);
  ASSERT_TRUE(view.ok());
  EXPECT_EQ(view->properties(), full + Packed({{"s", "t"}}));
}

TEST(AsRead, DamagedBytesAreRefusedAndNothingIsAppended) {
  const std::string stored = Stored("orders", Packed({{"a", "b"}}));
  const Override record = Example();
  for (const Override* laid : {static_cast<const Override*>(nullptr), &record}) {
    for (size_t keep = 0; keep < stored.size(); ++keep) {
      std::string read = "x";
      EXPECT_EQ(AppendAsRead(stored.substr(0, keep), kPlace, laid, &read).code(),
                absl::StatusCode::kDataLoss);
      EXPECT_EQ(read, "x");
    }
  }
}

}  // namespace
}  // namespace totora::message
