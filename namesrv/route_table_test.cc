#include "namesrv/route_table.h"

#include <gtest/gtest.h>

namespace totora::namesrv {
namespace {

class FakeClock : public Clock {
 public:
  absl::Time WallNow() const override { return absl::UnixEpoch() + now; }
  absl::Duration SteadyNow() const override { return now; }
  absl::Duration now = absl::Seconds(1);
};

RegisterRequest Report(const std::string& process, uint32_t replica, uint64_t term,
                       uint32_t leader, uint64_t incarnation = 1) {
  RegisterRequest request;
  request.set_sequence(1);
  request.set_is_full(true);
  request.mutable_hello()->set_process(process);
  request.mutable_hello()->set_incarnation(incarnation);
  request.mutable_hello()->set_cluster("c");
  GroupReport* group = request.add_groups();
  group->set_group_id(1);
  group->set_group_name("g");
  group->set_replica_id(replica);
  group->set_term(term);
  group->set_leader_id(leader);
  return request;
}

RegisterRequest WithTopic(RegisterRequest request, uint64_t base, uint64_t version,
                          const std::string& topic, bool is_deleted = false) {
  TopicChanges* changes = request.mutable_groups(0)->mutable_topic_changes();
  changes->set_base_version(base);
  changes->set_version(version);
  TopicDelta* delta = changes->add_topics();
  delta->mutable_topic()->set_name(topic);
  delta->set_is_deleted(is_deleted);
  return request;
}

class RouteTableTest : public testing::Test {
 protected:
  GroupRoute Route() {
    const TableUpdate update = table_.Query({});
    EXPECT_EQ(update.groups_size(), 1);
    return update.groups_size() == 1 ? update.groups(0) : GroupRoute();
  }
  void RegisterThree() {
    for (uint32_t id = 1; id <= 3; ++id) {
      ASSERT_TRUE(table_.Take(id, Report("p" + std::to_string(id), id, 5, 1)).ok());
    }
  }

  FakeClock clock_;
  RouteTable table_{&clock_, 42};
};

TEST_F(RouteTableTest, TheLeaderServesItsGroup) {
  RegisterThree();
  EXPECT_EQ(Route().serving_replica_id(), 1u);
}

TEST_F(RouteTableTest, ALowerTermNeverChangesWhoLeads) {
  RegisterThree();
  ASSERT_TRUE(table_.Take(3, Report("p3", 3, 4, 3)).ok());
  EXPECT_EQ(Route().leader_id(), 1u);
}

TEST_F(RouteTableTest, AHigherTermDoes) {
  RegisterThree();
  ASSERT_TRUE(table_.Take(3, Report("p3", 3, 6, 3)).ok());
  EXPECT_EQ(Route().serving_replica_id(), 3u);
}

TEST_F(RouteTableTest, AGroupWhoseLeaderDiedIsServedByAnyLiveReplica) {
  RegisterThree();
  table_.StreamClosed(1);
  EXPECT_EQ(Route().leader_id(), 1u);
  EXPECT_NE(Route().serving_replica_id(), 1u);
  EXPECT_NE(Route().serving_replica_id(), 0u);
}

TEST_F(RouteTableTest, SilenceFor120SecondsIsDeath) {
  RegisterThree();
  clock_.now += absl::Seconds(119);
  ASSERT_TRUE(table_.Take(2, Report("p2", 2, 5, 1)).ok());
  table_.ExpireSilent();
  EXPECT_EQ(Route().serving_replica_id(), 1u);
  clock_.now += absl::Seconds(2);
  table_.ExpireSilent();
  EXPECT_EQ(Route().serving_replica_id(), 2u);
}

TEST_F(RouteTableTest, AnOlderLifeOfAProcessIsTurnedAway) {
  ASSERT_TRUE(table_.Take(1, Report("p1", 1, 5, 1, 7)).ok());
  EXPECT_EQ(table_.Take(2, Report("p1", 1, 5, 1, 6)).status().code(),
            absl::StatusCode::kAlreadyExists);
}

TEST_F(RouteTableTest, TheLateEndOfAnOldStreamDoesNotTouchTheNewOne) {
  ASSERT_TRUE(table_.Take(1, Report("p1", 1, 5, 1, 1)).ok());
  ASSERT_TRUE(table_.Take(2, Report("p1", 1, 5, 1, 2)).ok());
  table_.StreamClosed(1);
  EXPECT_EQ(Route().serving_replica_id(), 1u);
}

TEST_F(RouteTableTest, TopicsComeAndGoByVersions) {
  ASSERT_TRUE(table_.Take(1, WithTopic(Report("p1", 1, 5, 1), 0, 3, "a")).ok());
  ASSERT_TRUE(table_.Take(1, WithTopic(Report("p1", 1, 5, 1), 3, 4, "b")).ok());
  EXPECT_EQ(Route().topic_changes().topics_size(), 2);
  ASSERT_TRUE(table_.Take(1, WithTopic(Report("p1", 1, 5, 1), 4, 5, "a", true)).ok());
  ASSERT_EQ(Route().topic_changes().topics_size(), 1);
  EXPECT_EQ(Route().topic_changes().topics(0).topic().name(), "b");
}

TEST_F(RouteTableTest, AGapInVersionsIsAnsweredWithTheVersionKnown) {
  ASSERT_TRUE(table_.Take(1, WithTopic(Report("p1", 1, 5, 1), 0, 3, "a")).ok());
  const auto reply = table_.Take(1, WithTopic(Report("p1", 1, 5, 1), 7, 8, "b"));
  ASSERT_TRUE(reply.ok());
  EXPECT_EQ(reply->topic_versions(0).version(), 3u);
}

TEST_F(RouteTableTest, AWatcherHearsTheWholeTableAndThenChangesInOrder) {
  RegisterThree();
  std::vector<TableUpdate> heard;
  table_.Watch(9, [&heard](const TableUpdate& update) { heard.push_back(update); });
  table_.StreamClosed(1);
  table_.Unwatch(9);
  table_.StreamClosed(2);
  ASSERT_EQ(heard.size(), 2u);
  EXPECT_EQ(heard[0].base_version(), 0u);
  EXPECT_EQ(heard[1].base_version(), heard[0].version());
}

TEST_F(RouteTableTest, AStreamWithoutHelloIsRefused) {
  RegisterRequest request = Report("p1", 1, 5, 1);
  request.clear_hello();
  EXPECT_EQ(table_.Take(1, request).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(RouteTableLimits, TooManyGroupsAreRefused) {
  FakeClock clock;
  RouteTableLimits limits;
  limits.groups_max = 1;
  RouteTable table(&clock, 1, limits);
  ASSERT_TRUE(table.Take(1, Report("p1", 1, 5, 1)).ok());
  RegisterRequest second = Report("p1", 1, 5, 1);
  second.mutable_groups(0)->set_group_name("h");
  EXPECT_EQ(table.Take(1, second).status().code(), absl::StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace totora::namesrv
