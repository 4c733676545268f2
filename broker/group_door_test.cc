#include "broker/group_door.h"

#include <gtest/gtest.h>

namespace totora::broker {
namespace {

class DoorPolicyTest : public testing::Test {
 protected:
  bool After(absl::Duration time, const DoorSigns& signs) {
    now_ += time;
    return policy_.ShouldBeOpen(signs, now_);
  }
  DoorSigns Healthy() { return {true, true, true, false, true}; }

  DoorPolicy policy_;
  absl::Duration now_ = absl::Seconds(100);
};

TEST_F(DoorPolicyTest, IsOpenWhileThereIsALeader) {
  EXPECT_TRUE(After(absl::ZeroDuration(), Healthy()));
  EXPECT_TRUE(After(absl::Seconds(60), Healthy()));
}

TEST_F(DoorPolicyTest, StaysOpenDuringAnElection) {
  ASSERT_TRUE(After(absl::ZeroDuration(), Healthy()));
  DoorSigns signs = Healthy();
  signs.has_leader = false;
  EXPECT_TRUE(After(absl::Seconds(1), signs));
}

TEST_F(DoorPolicyTest, ClosesWhenOthersHaveALeaderAndWeDoNot) {
  ASSERT_TRUE(After(absl::ZeroDuration(), Healthy()));
  DoorSigns signs = Healthy();
  signs.has_leader = false;
  signs.nameserver_names_a_leader = true;
  EXPECT_FALSE(After(absl::Seconds(3), signs));
  EXPECT_TRUE(After(absl::Seconds(1), Healthy()));
}

TEST_F(DoorPolicyTest, StaysAndHoldsRequestsWhenTheQuorumIsGone) {
  ASSERT_TRUE(After(absl::ZeroDuration(), Healthy()));
  DoorSigns signs = Healthy();
  signs.has_leader = signs.reaches_a_peer = false;
  EXPECT_TRUE(After(absl::Seconds(60), signs));
}

TEST_F(DoorPolicyTest, ClosesWhenCutOffFromEverybody) {
  ASSERT_TRUE(After(absl::ZeroDuration(), Healthy()));
  EXPECT_FALSE(After(absl::Seconds(3), DoorSigns()));
}

TEST_F(DoorPolicyTest, ClosesWhenItLags) {
  DoorSigns signs = Healthy();
  signs.is_caught_up = false;
  EXPECT_FALSE(After(absl::ZeroDuration(), signs));
}

}  // namespace
}  // namespace totora::broker
