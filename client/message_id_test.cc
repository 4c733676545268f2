#include "client/message_id.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/civil_time.h"

namespace totora::client {
namespace {

absl::Time At(int year, int second) {
  return absl::FromCivil(absl::CivilSecond(year, 1, 1, 0, 0, second), absl::UTCTimeZone());
}

TEST(MessageId, HasTheLayoutOfTheOfficialClients) {
  MessageIdGenerator generator(
      {.machine = 0x0A1B2C3D4E5F, .process = 0x12345678, .start = At(2021, 16)});

  EXPECT_EQ(generator.Next(), "010A1B2C3D4E5F5678" "00000010" "00000000");
  EXPECT_EQ(generator.Next(), "010A1B2C3D4E5F5678" "00000010" "00000001");
}

TEST(MessageId, IsUniqueOverThreads) {
  MessageIdGenerator* const generator = MessageIdGenerator::OfProcess();
  std::vector<std::vector<std::string>> ids(4);
  std::vector<std::thread> threads;
  for (auto& mine : ids) {
    threads.emplace_back([&mine, generator] {
      for (int i = 0; i < 10000; ++i) mine.push_back(generator->Next());
    });
  }
  for (std::thread& thread : threads) thread.join();

  std::set<std::string> all;
  for (const auto& mine : ids) all.insert(mine.begin(), mine.end());
  EXPECT_EQ(all.size(), 40000u);
}

TEST(MessageId, WriteNextFillsExactlyItsPlace) {
  std::string bytes(kMessageIdLength + 2, '*');

  MessageIdGenerator::OfProcess()->WriteNext(bytes.data() + 1);

  EXPECT_EQ(bytes.front(), '*');
  EXPECT_EQ(bytes.back(), '*');
  EXPECT_EQ(bytes.find('*', 1), bytes.size() - 1);
}

}  // namespace
}  // namespace totora::client
