#include "cli/delivery_ledger.h"

#include <gtest/gtest.h>

namespace totora::cli {
namespace {

constexpr absl::Duration kLease = absl::Seconds(30);

absl::Duration At(int second) { return absl::Seconds(second); }

TEST(DeliveryLedger, AMessageThatNeverCameIsLost) {
  DeliveryLedger ledger;
  ledger.Sent("a");
  ledger.Sent("b");
  ledger.Received("a", At(1), kLease);

  EXPECT_EQ(ledger.Missing(), 1u);
  EXPECT_EQ(ledger.MissingIds(10), std::vector<std::string>{"b"});
  EXPECT_EQ(ledger.Total().lost, 1u);
  EXPECT_EQ(ledger.Total().received, 1u);
}

// A consumer can be faster than the answer to the producer.
TEST(DeliveryLedger, AMessageMayArriveBeforeItsSendIsAnswered) {
  DeliveryLedger ledger;
  ledger.Received("a", At(1), kLease);
  ledger.Sent("a");

  EXPECT_EQ(ledger.Missing(), 0u);
  EXPECT_EQ(ledger.Total().received, 1u);
}

TEST(DeliveryLedger, ASecondDeliveryWithinTheLeaseIsADuplicate) {
  DeliveryLedger ledger;
  ledger.Sent("a");
  ledger.Received("a", At(1), kLease);
  ledger.Received("a", At(2), kLease);

  EXPECT_EQ(ledger.Total().duplicated, 1u);
  EXPECT_EQ(ledger.Total().redelivered, 0u);
}

TEST(DeliveryLedger, ASecondDeliveryAfterTheLeaseIsARedelivery) {
  DeliveryLedger ledger;
  ledger.Sent("a");
  ledger.Received("a", At(1), kLease);
  ledger.Received("a", At(31), kLease);

  EXPECT_EQ(ledger.Total().duplicated, 0u);
  EXPECT_EQ(ledger.Total().redelivered, 1u);
}

TEST(DeliveryLedger, ASecondDeliveryAfterAReplicaDiedIsARedelivery) {
  DeliveryLedger ledger;
  ledger.Sent("a");
  ledger.Received("a", At(1), kLease);
  ledger.ReplicaDied();
  ledger.Received("a", At(2), kLease);
  ledger.Received("a", At(3), kLease);  // Nobody died in between: no excuse.

  EXPECT_EQ(ledger.Total().redelivered, 1u);
  EXPECT_EQ(ledger.Total().duplicated, 1u);
}

TEST(DeliveryLedger, NothingExcusesADeliveryAfterItsAcknowledgement) {
  DeliveryLedger ledger;
  ledger.Sent("a");
  ledger.Received("a", At(1), kLease);
  ledger.Acknowledged("a");
  ledger.ReplicaDied();
  ledger.Received("a", At(60), kLease);

  EXPECT_EQ(ledger.Total().duplicated, 1u);
}

TEST(DeliveryLedger, AnIdStoredTwiceIsADuplicateEvenIfDeliveredOnce) {
  DeliveryLedger ledger;
  ledger.Sent("a");
  ledger.Received("a", At(1), kLease);
  ledger.Stored("a");
  ledger.Stored("a");

  EXPECT_EQ(ledger.Total().stored_twice, 1u);
  EXPECT_EQ(ledger.Total().duplicated, 1u);
}

TEST(DeliveryLedger, AnUnansweredSendThatArrivesIsNeitherLostNorCounted) {
  DeliveryLedger ledger;
  ledger.Received("a", At(1), kLease);

  const DeliveryLedger::Totals totals = ledger.Total();
  EXPECT_EQ(totals.unacknowledged, 1u);
  EXPECT_EQ(totals.sent, 0u);
  EXPECT_EQ(totals.received, 0u);
  EXPECT_EQ(totals.lost, 0u);
}

}  // namespace
}  // namespace totora::cli
