#include "broker/service/receipt_handle.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace totora::service {
namespace {

ReceiptHandle Sample() {
  return {GroupId(7), {"%RETRY%orders", 3, QueueOffset(1ull << 40), 0xfedcba9876543210ull}};
}

TEST(ReceiptHandle, ComesBackAsItWentOut) {
  const std::string text = EncodeReceiptHandle(Sample());

  const absl::StatusOr<ReceiptHandle> handle = DecodeReceiptHandle(text);

  ASSERT_TRUE(handle.ok()) << handle.status();
  EXPECT_EQ(handle->group, GroupId(7));
  EXPECT_EQ(handle->receipt.topic, "%RETRY%orders");
  EXPECT_EQ(handle->receipt.queue_id, 3u);
  EXPECT_EQ(handle->receipt.offset, QueueOffset(1ull << 40));
  EXPECT_EQ(handle->receipt.delivery_id, 0xfedcba9876543210ull);
}

TEST(ReceiptHandle, IsPrintableAsciiWithoutSpaces) {
  const std::string text = EncodeReceiptHandle(Sample());

  EXPECT_TRUE(std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; }));
  EXPECT_LT(text.size(), kReceiptHandleBytesMax);
}

TEST(ReceiptHandle, EveryChangedCharacterAndEveryShorterTextIsRefused) {
  const std::string text = EncodeReceiptHandle(Sample());

  for (size_t i = 0; i < text.size(); ++i) {
    std::string changed = text;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    // The last character has bits that base64 does not use.
    if (i + 2 < text.size()) {
      EXPECT_FALSE(DecodeReceiptHandle(changed).ok()) << i;
    }
    EXPECT_FALSE(DecodeReceiptHandle(text.substr(0, i)).ok()) << i;
  }
  EXPECT_FALSE(DecodeReceiptHandle(std::string(100'000, 'A')).ok());
  EXPECT_FALSE(DecodeReceiptHandle("0 1700000000000 60000 3 0 broker-a 2 17 4711").ok());
}

}  // namespace
}  // namespace totora::service
