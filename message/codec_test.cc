#include "message/codec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <random>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "message/digest.h"

namespace totora::message {
namespace {

using ::testing::HasSubstr;

// Made by RocketMQ's own classes: docs/formats/message.md.
std::string GoldenBytes() {
  return absl::HexStringToBytes(
      "00000068daa320a758932aac000000010000000000000000000000020000000000001234000000000000018bcfe5"
      "68000a000009000015b30000018bcfe568010a00000100002a9f0000000000000000000000000000000268690154"
      "000a54414753015461674102");
}

Message GoldenMessage() {
  Message message;
  message.topic = "T";
  message.body = "hi";
  message.properties = "TAGS\x01TagA\x02";
  message.queue_id = 1;
  message.queue_offset = QueueOffset(2);
  message.position = BytePosition(0x1234);
  message.born_time_ms = 1700000000000;
  message.born_host = Host::Parse("10.0.0.9", 5555).value();
  message.store_time_ms = 1700000000001;
  message.store_host = Host::Parse("10.0.0.1", 10911).value();
  return message;
}

// Every field has a value of its own, so that no two can be mixed up.
Message FullMessage() {
  Message message = GoldenMessage();
  message.flag = -7;
  message.system_flags = kCompressedFlag | kTransactionCommit | 0x200;
  message.born_host = Host::Parse("2001:db8::9", 5556).value();
  message.reconsume_times = 16;
  message.prepared_position = BytePosition(0x1122334455667788);
  return message;
}

std::string Encoded(const Message& message) {
  std::string bytes;
  const absl::Status status = EncodeMessage(message, &bytes);
  EXPECT_TRUE(status.ok()) << status;
  return bytes;
}

void ExpectSame(const Message& a, const Message& b) {
  EXPECT_EQ(a.topic, b.topic);
  EXPECT_EQ(a.body, b.body);
  EXPECT_EQ(a.properties, b.properties);
  EXPECT_EQ(a.queue_id, b.queue_id);
  EXPECT_EQ(a.queue_offset, b.queue_offset);
  EXPECT_EQ(a.position, b.position);
  EXPECT_EQ(a.flag, b.flag);
  EXPECT_EQ(a.born_time_ms, b.born_time_ms);
  EXPECT_EQ(a.born_host, b.born_host);
  EXPECT_EQ(a.store_time_ms, b.store_time_ms);
  EXPECT_EQ(a.store_host, b.store_host);
  EXPECT_EQ(a.reconsume_times, b.reconsume_times);
  EXPECT_EQ(a.prepared_position, b.prepared_position);
}

// Parses a copy that ends exactly where its allocation ends, so that the
// address sanitizer sees each read beyond it, and reads all there is.
bool ParsesWithoutReadingBeyond(absl::string_view bytes) {
  const std::unique_ptr<char[]> copy(new char[bytes.size()]);
  std::memcpy(copy.get(), bytes.data(), bytes.size());
  absl::StatusOr<StoredMessageView> view =
      StoredMessageView::Parse(absl::string_view(copy.get(), bytes.size()));
  if (!view.ok()) {
    EXPECT_EQ(view.status().code(), absl::StatusCode::kDataLoss);
    return false;
  }

  const Message message = view->ToMessage();
  (void)view->CheckBody();
  (void)view->Property("TAGS");
  std::string read = absl::StrCat(message.topic, message.body, message.properties);
  EXPECT_LE(read.size(), bytes.size());
  EXPECT_EQ(StoredSize(message), view->size());
  return true;
}

TEST(EncodeMessage, WritesTheBytesThatRocketMqWrites) {
  EXPECT_EQ(absl::BytesToHexString(Encoded(GoldenMessage())),
            absl::BytesToHexString(GoldenBytes()));
}

TEST(StoredMessage, TheGoldenBytesReadAsTheMessageTheyAreMadeOf) {
  const std::string bytes = GoldenBytes();

  absl::StatusOr<StoredMessageView> view = StoredMessageView::Parse(bytes);

  ASSERT_TRUE(view.ok()) << view.status();
  ExpectSame(view->ToMessage(), GoldenMessage());
  EXPECT_EQ(view->body_crc(), 1486039724u);
  EXPECT_EQ(view->Property("TAGS"), "TagA");
  EXPECT_EQ(view->Property("KEYS"), "");
  EXPECT_TRUE(view->CheckBody().ok());
}

TEST(StoredMessage, EveryFieldComesBackWithEachPairOfAddressFamilies) {
  for (const char* born : {"10.0.0.9", "2001:db8::9"}) {
    for (const char* store : {"10.0.0.1", "2001:db8::1"}) {
      SCOPED_TRACE(absl::StrCat(born, " ", store));
      Message message = FullMessage();
      message.born_host = Host::Parse(born, 1).value();
      message.store_host = Host::Parse(store, 65535).value();

      const std::string bytes = Encoded(message);
      absl::StatusOr<StoredMessageView> view = StoredMessageView::Parse(bytes);

      ASSERT_TRUE(view.ok()) << view.status();
      EXPECT_EQ(view->size(), StoredSize(message));
      ExpectSame(view->ToMessage(), message);
      EXPECT_EQ(view->system_flags(), message.system_flags |
                                          (message.born_host.is_ipv6 ? kBornHostIpv6Flag : 0) |
                                          (message.store_host.is_ipv6 ? kStoreHostIpv6Flag : 0));
    }
  }
}

TEST(StoredMessage, ATopicOf127BytesIsVersionOneAndALongerOneVersionTwo) {
  Message message = GoldenMessage();
  const std::string topic(kStoredTopicBytesMax, 't');
  for (const size_t size : {1, 127, 128, 255}) {
    SCOPED_TRACE(size);
    message.topic = absl::string_view(topic).substr(0, size);
    const std::string bytes = Encoded(message);

    EXPECT_EQ(GetAt<uint32_t>(bytes.data() + kMagicAt), size <= 127 ? kMagicV1 : kMagicV2);
    absl::StatusOr<StoredMessageView> view = StoredMessageView::Parse(bytes);
    ASSERT_TRUE(view.ok()) << view.status();
    ExpectSame(view->ToMessage(), message);
  }
}

TEST(StoredMessage, TheMaximaTogetherAreReadable) {
  const std::string body(kBodyBytesMax, 'b');
  const std::string topic(kStoredTopicBytesMax, 't');
  const std::string properties(kPropertiesBytesMax, 'p');
  Message message = FullMessage();
  message.store_host = Host::Parse("::1", 1).value();
  message.body = body;
  message.topic = topic;
  message.properties = properties;

  const std::string bytes = Encoded(message);

  EXPECT_EQ(bytes.size(), kStoredBytesMax);
  EXPECT_TRUE(StoredMessageView::Parse(bytes).ok());
}

TEST(EncodeMessage, OneByteAboveAMaximumIsRefusedAndNothingWritten) {
  const std::string body(kBodyBytesMax + 1, 'b');
  const std::string topic(kStoredTopicBytesMax + 1, 't');
  const std::string properties(kPropertiesBytesMax + 1, 'p');
  Message too_much_body = GoldenMessage(), too_much_topic = GoldenMessage(),
          too_many_properties = GoldenMessage(), no_topic = GoldenMessage();
  too_much_body.body = body;
  too_much_topic.topic = topic;
  too_many_properties.properties = properties;
  no_topic.topic = "";

  for (const Message& message : {too_much_body, too_much_topic, too_many_properties, no_topic}) {
    std::string bytes = "before";
    EXPECT_EQ(EncodeMessage(message, &bytes).code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(bytes, "before");
  }
}

TEST(EncodeMessage, AppendsBehindWhatIsThere) {
  std::string bytes;
  ASSERT_TRUE(EncodeMessage(GoldenMessage(), &bytes).ok());
  const size_t first = bytes.size();
  ASSERT_TRUE(EncodeMessage(FullMessage(), &bytes).ok());

  absl::StatusOr<StoredMessageView> one = StoredMessageView::Parse(bytes);
  ASSERT_TRUE(one.ok());
  EXPECT_EQ(one->size(), first);
  absl::StatusOr<StoredMessageView> two =
      StoredMessageView::Parse(absl::string_view(bytes).substr(first));
  ASSERT_TRUE(two.ok());
  ExpectSame(two->ToMessage(), FullMessage());
}

// Patching every field gives the bytes of a message encoded with those values.
TEST(Patch, ChangesExactlyItsField) {
  for (const char* born : {"10.0.0.9", "2001:db8::9"}) {
    for (const char* store : {"10.0.0.1", "2001:db8::1"}) {
      SCOPED_TRACE(absl::StrCat(born, " ", store));
      Message before = FullMessage();
      before.born_host = Host::Parse(born, 1).value();
      before.store_host = Host::Parse(store, 2).value();
      Message after = before;
      after.queue_id = 77;
      after.queue_offset = QueueOffset(0x0102030405060708);
      after.position = BytePosition(0x1112131415161718);
      after.system_flags = kTransactionPrepared;
      after.store_time_ms = 1800000000000;
      after.store_host.ip[3] = 99;
      after.store_host.port = 10921;
      after.reconsume_times = 3;
      after.prepared_position = BytePosition(0x2122232425262728);

      std::string bytes = Encoded(before);
      PatchQueueId(bytes.data(), after.queue_id);
      PatchQueueOffset(bytes.data(), after.queue_offset);
      PatchPosition(bytes.data(), after.position);
      PatchSystemFlags(bytes.data(), after.system_flags);
      PatchStoreTime(bytes.data(), after.store_time_ms);
      PatchStoreHost(bytes.data(), after.store_host);
      PatchReconsumeTimes(bytes.data(), after.reconsume_times);
      PatchPreparedPosition(bytes.data(), after.prepared_position);

      EXPECT_EQ(absl::BytesToHexString(bytes), absl::BytesToHexString(Encoded(after)));
    }
  }
}

// A flag that a client sends must not move the fields behind the hosts.
TEST(Patch, SystemFlagsCannotChangeAnAddressFamily) {
  std::string bytes = Encoded(GoldenMessage());

  PatchSystemFlags(bytes.data(), 0xffffffff);

  absl::StatusOr<StoredMessageView> view = StoredMessageView::Parse(bytes);
  ASSERT_TRUE(view.ok()) << view.status();
  EXPECT_EQ(view->store_host(), GoldenMessage().store_host);
}

TEST(PatchDeathTest, AStoreHostOfTheOtherFamilyWouldOverwriteItsNeighbours) {
  std::string bytes = Encoded(GoldenMessage());
  EXPECT_DEATH(PatchStoreHost(bytes.data(), Host::Parse("::1", 1).value()), "is_ipv6");
}

TEST(StoredMessage, CutAnywhereItIsDataLoss) {
  for (const Message& message : {GoldenMessage(), FullMessage()}) {
    const std::string bytes = Encoded(message);
    for (size_t keep = 0; keep < bytes.size(); ++keep) {
      SCOPED_TRACE(keep);
      EXPECT_FALSE(ParsesWithoutReadingBeyond(absl::string_view(bytes).substr(0, keep)));
    }
    EXPECT_TRUE(ParsesWithoutReadingBeyond(bytes));
  }
}

TEST(StoredMessage, AnyFlippedBitIsRefusedOrHarmless) {
  for (const Message& message : {GoldenMessage(), FullMessage()}) {
    const std::string bytes = Encoded(message);
    for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
      SCOPED_TRACE(bit);
      std::string flipped = bytes;
      flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
      ParsesWithoutReadingBeyond(flipped);
    }
  }
}

TEST(StoredMessage, AFlippedBitOfTheBodyIsFoundByItsCrc) {
  std::string bytes = Encoded(GoldenMessage());
  bytes[88] ^= 1;

  absl::StatusOr<StoredMessageView> view = StoredMessageView::Parse(bytes);

  ASSERT_TRUE(view.ok());
  EXPECT_EQ(view->CheckBody().code(), absl::StatusCode::kDataLoss);
}

TEST(StoredMessage, RandomDamageIsRefusedOrHarmless) {
  const char* given = std::getenv("TOTORA_SEED");
  const uint32_t seed = given != nullptr ? std::stoul(given) : std::random_device()();
  SCOPED_TRACE(absl::StrCat("TOTORA_SEED=", seed));
  std::mt19937 random(seed);
  const std::string whole = Encoded(FullMessage()) + Encoded(GoldenMessage());

  for (int round = 0; round < 20000; ++round) {
    std::string bytes = whole;
    for (uint32_t i = random() % 6 + 1; i > 0; --i) {
      bytes[random() % bytes.size()] = static_cast<char>(random());
    }
    bytes.resize(random() % bytes.size() + 1);
    ParsesWithoutReadingBeyond(bytes);
  }
}

// A byte between the parts would shift everything that a client reads.
TEST(StoredMessage, ATotalSizeThatIsNotTheSumOfItsPartsIsDataLoss) {
  std::string bytes = Encoded(GoldenMessage());
  bytes.push_back('x');
  PutAt(bytes.data() + kTotalSizeAt, static_cast<uint32_t>(bytes.size()));

  absl::StatusOr<StoredMessageView> view = StoredMessageView::Parse(bytes);

  EXPECT_EQ(view.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(view.status().message()), HasSubstr("add up"));
}

// The parts are all there; the size claims that a byte is missing.
TEST(StoredMessage, ATotalSizeBeyondTheBytesIsDataLoss) {
  std::string bytes = Encoded(GoldenMessage());
  PutAt(bytes.data() + kTotalSizeAt, static_cast<uint32_t>(bytes.size() + 1));

  EXPECT_EQ(StoredMessageView::Parse(bytes).status().code(), absl::StatusCode::kDataLoss);
}

// Java reads a length above 127 as a negative one and loses the rest of the
// answer that the message is in.
TEST(StoredMessage, ATopicLengthThatNoClientReadsIsDataLoss) {
  const std::string topic(300, 't');
  for (const size_t size : {0, 127, 128, 255}) {
    SCOPED_TRACE(size);
    Message message = GoldenMessage();
    message.topic = absl::string_view(topic).substr(0, 127);
    message.properties = "";
    std::string bytes = Encoded(message);
    bytes.resize(bytes.size() - 127 - 2 - 1);  // Up to the topic length.
    AppendU8(&bytes, static_cast<uint8_t>(size));
    bytes += topic.substr(0, size);
    AppendU16(&bytes, 0);
    PutAt(bytes.data() + kTotalSizeAt, static_cast<uint32_t>(bytes.size()));

    EXPECT_EQ(StoredMessageView::Parse(bytes).ok(), size == 127);
  }
}

TEST(Host, ReadsAddressesInNumbersOnly) {
  EXPECT_EQ(Host::Parse("10.0.0.1", 10911)->ToString(), "10.0.0.1:10911");
  EXPECT_EQ(Host::Parse("2001:DB8::1", 1)->ToString(), "[2001:db8::1]:1");
  EXPECT_EQ(Host::Parse("::ffff:10.0.0.1", 2), Host::Parse("10.0.0.1", 2));
  for (absl::string_view bad : {"", "localhost", "10.0.0", "10.0.0.1:1", "10.0.0.256", "[::1]"}) {
    EXPECT_EQ(Host::Parse(bad, 1).status().code(), absl::StatusCode::kInvalidArgument) << bad;
  }
  EXPECT_FALSE(Host::Parse(absl::string_view("10.0.0.1\0x", 10), 1).ok());
}

TEST(Compression, IsReadFromTheFlagsAsJavaDoes) {
  EXPECT_EQ(CompressionOf(0x300), Compression::kNone);
  EXPECT_EQ(CompressionOf(0x001), Compression::kZlib);
  EXPECT_EQ(CompressionOf(0x101), Compression::kLz4);
  EXPECT_EQ(CompressionOf(0x201), Compression::kZstd);
  EXPECT_EQ(CompressionOf(0x301), Compression::kZlib);
  EXPECT_EQ(CompressionOf(0x701), Compression::kUnknown);
}

}  // namespace
}  // namespace totora::message
