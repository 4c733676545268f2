#include "namesrv/kv_config.h"

#include <gtest/gtest.h>

namespace totora::namesrv {
namespace {

TEST(KvConfig, KeepsTextsByNamespaceAndKey) {
  KvConfig kv;
  ASSERT_TRUE(kv.Put("a", "k", "1").ok());
  ASSERT_TRUE(kv.Put("b", "k", "2").ok());
  ASSERT_TRUE(kv.Put("a", "k", "3").ok());

  EXPECT_EQ(kv.Get("a", "k"), "3");
  EXPECT_EQ(kv.Get("b", "k"), "2");
  EXPECT_EQ(kv.Get("a", "x"), std::nullopt);
  EXPECT_EQ(kv.All("a").size(), 1u);

  kv.Delete("a", "k");
  kv.Delete("a", "k");
  EXPECT_TRUE(kv.All("a").empty());
}

TEST(KvConfig, WhatIsReplacedOrDeletedGivesItsSpaceBack) {
  KvConfig kv;
  const std::string large(KvConfig::kBytesMax - 100, 'x');
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(kv.Put("a", "k", large).ok());
    kv.Delete("a", "k");
    ASSERT_TRUE(kv.Put("a", "k", "small").ok());
    ASSERT_TRUE(kv.Put("a", "k", large).ok());
  }
  EXPECT_EQ(kv.Put("a", "l", large).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(kv.Get("a", "l"), std::nullopt);
}

}  // namespace
}  // namespace totora::namesrv
