// Each promise of ledger.h, kept once and broken once: a checker that cannot
// fail is worthless.
#include "tests/integration/ledger.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace totora::integration {
namespace {

constexpr uint64_t kSeed = 17;
constexpr size_t kBodyMax = 200;

std::string Id(uint32_t producer, uint64_t sequence) {
  return std::to_string(producer) + "-" + std::to_string(sequence);
}

// Two producers with three acknowledged messages each, in two queues, and one
// send of the second that never got an answer.
class LedgerTest : public testing::Test {
 protected:
  LedgerTest() {
    uint64_t position = 0;
    uint64_t next_offset[2] = {0, 0};
    for (uint64_t sequence = 1; sequence <= 3; ++sequence) {
      for (uint32_t producer = 0; producer < 2; ++producer) {
        const uint32_t queue = (producer + sequence) % 2;
        log_.push_back({.message_id = Id(producer, sequence),
                        .queue_id = queue,
                        .queue_offset = next_offset[queue]++,
                        .position = position += 100,
                        .body_crc = 1});
        sends_[producer].push_back({.message_id = Id(producer, sequence),
                                    .sequence = sequence,
                                    .is_acknowledged = true,
                                    .queue_offset = static_cast<int64_t>(log_.back().queue_offset)});
        received_.push_back({Id(producer, sequence),
                             MakeBody(kSeed, {.producer = producer, .sequence = sequence},
                                      kBodyMax)});
      }
    }
    sends_[1].push_back({.message_id = Id(1, 4), .sequence = 4});
  }

  Verdict Judge() {
    Ledger ledger(kSeed, kBodyMax);
    ledger.Add(0, sends_[0]);
    ledger.Add(1, sends_[1]);
    const std::vector<StoredMessage>& other = other_log_.empty() ? log_ : other_log_;
    return ledger.Judge({{"b1", log_}, {"b2", other}, {"b3", log_}}, &received_);
  }

  StoredMessage* Stored(uint32_t producer, uint64_t sequence) {
    for (StoredMessage& message : log_) {
      if (message.message_id == Id(producer, sequence)) return &message;
    }
    return nullptr;
  }

  std::vector<Ledger::Send> sends_[2];
  std::vector<StoredMessage> log_;
  std::vector<StoredMessage> other_log_;  // Of b2, if it differs.
  std::vector<ReceivedBody> received_;
};

TEST_F(LedgerTest, HasNothingToComplainWhenEveryPromiseWasKept) {
  const Verdict verdict = Judge();

  EXPECT_TRUE(verdict.Kept()) << verdict.Describe();
  EXPECT_EQ(verdict.acknowledged, 6u);
  EXPECT_EQ(verdict.unknown, 1u);
  EXPECT_EQ(verdict.unknown_stored, 0u);
}

TEST_F(LedgerTest, AnAcknowledgedMessageThatIsNotInTheLogIsLost) {
  log_.pop_back();

  const Verdict verdict = Judge();

  EXPECT_EQ(verdict.lost, 1u) << verdict.Describe();
  EXPECT_FALSE(verdict.Kept());
}

TEST_F(LedgerTest, AMessageAtAnotherPlaceThanItsReceiptSaidIsLost) {
  sends_[0][2].queue_offset += 1;

  EXPECT_EQ(Judge().lost, 1u);
}

TEST_F(LedgerTest, AScanOfNoReplicaLosesEverything) {
  Ledger ledger(kSeed, kBodyMax);
  ledger.Add(0, sends_[0]);

  EXPECT_EQ(ledger.Judge({}, nullptr).lost, 3u);
}

TEST_F(LedgerTest, ASecondCopyIsSeenAlsoInAnotherQueue) {
  StoredMessage copy = *Stored(0, 2);
  copy.queue_id ^= 1;
  copy.queue_offset = 77;
  copy.position = 10'000;
  log_.push_back(copy);

  const Verdict verdict = Judge();

  EXPECT_EQ(verdict.stored_twice, 1u) << verdict.Describe();
  EXPECT_EQ(verdict.out_of_order, 0u) << verdict.Describe();
  EXPECT_FALSE(verdict.Kept());
}

TEST_F(LedgerTest, AFailedSendMayBeStoredOnceAndNotTwice) {
  log_.push_back({.message_id = Id(1, 4), .queue_id = 0, .queue_offset = 50, .position = 5'000});
  EXPECT_TRUE(Judge().Kept());
  EXPECT_EQ(Judge().unknown_stored, 1u);

  log_.push_back({.message_id = Id(1, 4), .queue_id = 0, .queue_offset = 51, .position = 5'100});
  EXPECT_EQ(Judge().stored_twice, 1u);
}

TEST_F(LedgerTest, TwoMessagesOfAProducerThatChangedPlacesAreOutOfOrder) {
  // Messages 1 and 3 of producer 0 share a queue.
  std::swap(Stored(0, 1)->message_id, Stored(0, 3)->message_id);
  for (Ledger::Send& send : sends_[0]) send.queue_offset = -1;

  const Verdict verdict = Judge();

  EXPECT_GT(verdict.out_of_order, 0u) << verdict.Describe();
  EXPECT_EQ(verdict.lost, 0u);
  EXPECT_FALSE(verdict.Kept());
}

TEST_F(LedgerTest, OrderIsJudgedAcrossQueuesToo) {
  std::swap(Stored(0, 1)->message_id, Stored(0, 2)->message_id);
  for (Ledger::Send& send : sends_[0]) send.queue_offset = -1;

  EXPECT_GT(Judge().out_of_order, 0u);
}

TEST_F(LedgerTest, OffsetsThatRunAgainstTheLogAreOutOfOrder) {
  for (Ledger::Send& send : sends_[0]) send.queue_offset = -1;
  std::swap(Stored(0, 1)->queue_offset, Stored(0, 3)->queue_offset);

  EXPECT_GT(Judge().out_of_order, 0u);
}

TEST_F(LedgerTest, AMessageThatNobodySentIsAStranger) {
  log_.push_back({.message_id = "ghost", .queue_id = 0, .queue_offset = 60, .position = 6'000});

  EXPECT_EQ(Judge().strangers, 1u);
}

TEST_F(LedgerTest, AReplicaThatHoldsLessDiffers) {
  other_log_ = log_;
  other_log_.pop_back();

  EXPECT_EQ(Judge().replicas_differ, 1u);
}

TEST_F(LedgerTest, AReplicaWithOtherBytesInAMessageDiffers) {
  other_log_ = log_;
  other_log_[2].body_crc += 1;

  EXPECT_EQ(Judge().replicas_differ, 1u);
}

TEST_F(LedgerTest, AnAcknowledgedMessageThatWasNeverDeliveredIsCounted) {
  received_.erase(received_.begin());

  EXPECT_EQ(Judge().not_consumed, 1u);
}

TEST_F(LedgerTest, OneWrongByteInABodyIsSeen) {
  received_[1].body.back() ^= 1;

  EXPECT_EQ(Judge().wrong_content, 1u);
}

TEST_F(LedgerTest, AnIntactBodyUnderAnotherIdIsWrongContent) {
  std::swap(received_[0].body, received_[1].body);

  EXPECT_EQ(Judge().wrong_content, 2u);
}

TEST_F(LedgerTest, ASecondDeliveryIsCountedAndBreaksNoPromise) {
  received_.push_back(received_[0]);

  const Verdict verdict = Judge();

  EXPECT_EQ(verdict.consumed_again, 1u);
  EXPECT_TRUE(verdict.Kept());
}

TEST(Body, TellsItsOriginAndDependsOnTheSeed) {
  const Origin origin = {.producer = 4'000'000'000u, .sequence = 123'456'789'012ull};
  const std::string body = MakeBody(kSeed, origin, kBodyMax);

  Origin read;
  EXPECT_TRUE(ReadBody(kSeed, body, kBodyMax, &read));
  EXPECT_EQ(read, origin);
  EXPECT_FALSE(ReadBody(kSeed + 1, body, kBodyMax, &read));
  EXPECT_FALSE(ReadBody(kSeed, body.substr(0, body.size() - 1), kBodyMax, &read));
  EXPECT_FALSE(ReadBody(kSeed, "", kBodyMax, &read));
}

}  // namespace
}  // namespace totora::integration
