#include "namesrv/classic_routes.h"

#include <gtest/gtest.h>

namespace totora::namesrv {
namespace {

void AddReplica(GroupRoute* group, uint32_t id, bool is_alive, bool has_group_address) {
  ReplicaRoute* replica = group->add_replicas();
  replica->set_replica_id(id);
  replica->set_is_alive(is_alive);
  model::Listener* listener = replica->add_listeners();
  listener->set_name("default");
  listener->set_protocol(model::Listener::ANY);
  listener->mutable_address()->set_host("10.0.0." + std::to_string(id));
  listener->mutable_address()->set_port(10911);
  if (has_group_address) {
    listener->mutable_group_address()->set_host("group.example");
    listener->mutable_group_address()->set_port(8081);
  }
}

// A group "a" of three that replica 2 serves, with topic "t".
TableUpdate ThreeReplicas(bool has_group_address) {
  TableUpdate table;
  GroupRoute* group = table.add_groups();
  group->set_cluster("c");
  group->set_group_name("a");
  group->set_serving_replica_id(2);
  for (uint32_t id = 1; id <= 3; ++id) AddReplica(group, id, true, has_group_address);
  model::Topic* topic = group->mutable_topic_changes()->add_topics()->mutable_topic();
  topic->set_name("t");
  topic->set_permission(6);
  topic->set_read_queues(8);
  topic->set_write_queues(4);
  return table;
}

TEST(TopicRoute, WhoServesIsId0AndTheOthersFollow) {
  const remoting::TopicRouteData route = TopicRoute(ThreeReplicas(false), {});
  ASSERT_EQ(route.brokers.size(), 1u);
  EXPECT_EQ(route.brokers[0].broker_name, "a");
  EXPECT_EQ(route.brokers[0].cluster, "c");
  EXPECT_EQ(route.brokers[0].addresses,
            (std::map<int64_t, std::string>{
                {0, "10.0.0.2:10911"}, {1, "10.0.0.1:10911"}, {2, "10.0.0.3:10911"}}));
  ASSERT_EQ(route.queues.size(), 1u);
  EXPECT_EQ(route.queues[0].perm, 6);
  EXPECT_EQ(route.queues[0].read_queue_nums, 8);
  EXPECT_EQ(route.queues[0].write_queue_nums, 4);
}

TEST(TopicRoute, AGroupAddressStandsAloneAndStaysTheSameWhoeverServes) {
  TableUpdate table = ThreeReplicas(true);
  const std::string before = remoting::EncodeBody(TopicRoute(table, {}));
  EXPECT_NE(before.find(R"("brokerAddrs":{"0":"group.example:8081"})"), std::string::npos)
      << before;

  table.mutable_groups(0)->set_serving_replica_id(3);
  EXPECT_EQ(remoting::EncodeBody(TopicRoute(table, {})), before);
}

TEST(TopicRoute, DeadReplicasAreNotNamed) {
  TableUpdate table = ThreeReplicas(false);
  table.mutable_groups(0)->mutable_replicas(0)->set_is_alive(false);
  EXPECT_EQ(TopicRoute(table, {}).brokers[0].addresses,
            (std::map<int64_t, std::string>{{0, "10.0.0.2:10911"}, {1, "10.0.0.3:10911"}}));
}

// No client sends to a broker name without an id 0, and Java's tools fail on
// one without any address.
TEST(TopicRoute, AGroupWithoutALiveReplicaIsNotThere) {
  TableUpdate table = ThreeReplicas(false);
  for (int i = 0; i < 3; ++i) table.mutable_groups(0)->mutable_replicas(i)->set_is_alive(false);
  EXPECT_TRUE(TopicRoute(table, {}).brokers.empty());
  EXPECT_TRUE(TopicRoute(table, {}).queues.empty());
  EXPECT_TRUE(Clusters(table).broker_addr_table.empty());
}

TEST(TopicRoute, ThereIsAnId0EvenIfNobodyIsKnownToServe) {
  TableUpdate table = ThreeReplicas(false);
  table.mutable_groups(0)->set_serving_replica_id(0);
  EXPECT_EQ(TopicRoute(table, {}).brokers[0].addresses.count(0), 1u);
}

TEST(TopicRoute, AGroupWithoutWritePermissionIsStillReadFrom) {
  EXPECT_EQ(TopicRoute(ThreeReplicas(false), {"a"}).queues[0].perm, 4);
  EXPECT_EQ(TopicRoute(ThreeReplicas(false), {"b"}).queues[0].perm, 6);
}

TEST(TopicRoute, AnIpv6HostStandsInBrackets) {
  TableUpdate table = ThreeReplicas(false);
  table.mutable_groups(0)->mutable_replicas(1)->mutable_listeners(0)->mutable_address()->set_host(
      "fd00::2");
  EXPECT_EQ(TopicRoute(table, {}).brokers[0].addresses.at(0), "[fd00::2]:10911");
}

TEST(Clusters, NameEveryReplica) {
  const remoting::ClusterInfo info = Clusters(ThreeReplicas(false));
  EXPECT_EQ(info.cluster_addr_table.at("c"), std::vector<std::string>{"a"});
  EXPECT_EQ(info.broker_addr_table.at("a").addresses,
            (std::map<int64_t, std::string>{
                {0, "10.0.0.2:10911"}, {1, "10.0.0.1:10911"}, {2, "10.0.0.3:10911"}}));
}

// mqadmin's queryMsgById compares id 0 with the store host of the message.
TEST(Clusters, BeginWithTheGroupAddressAndNameEveryReplicaBehindIt) {
  TableUpdate table = ThreeReplicas(true);
  const std::map<int64_t, std::string> all = {{0, "group.example:8081"},
                                              {1, "10.0.0.1:10911"},
                                              {2, "10.0.0.2:10911"},
                                              {3, "10.0.0.3:10911"}};
  EXPECT_EQ(Clusters(table).broker_addr_table.at("a").addresses, all);

  table.mutable_groups(0)->set_serving_replica_id(3);
  EXPECT_EQ(Clusters(table).broker_addr_table.at("a").addresses, all);
  EXPECT_EQ(SystemTopics(table).broker_address, "group.example:8081");
}

TEST(Topics, AreNamedOnceAndByCluster) {
  TableUpdate table = ThreeReplicas(false);
  *table.add_groups() = table.groups(0);
  table.mutable_groups(1)->set_group_name("b");
  table.mutable_groups(1)->set_cluster("d");
  EXPECT_EQ(Topics(table, "").topics, std::vector<std::string>{"t"});
  EXPECT_EQ(Topics(table, "d").topics, std::vector<std::string>{"t"});
  EXPECT_TRUE(Topics(table, "e").topics.empty());
}

TEST(SystemTopics, AreClustersAndGroupsAndSomebodyToAskForMore) {
  const remoting::TopicList list = SystemTopics(ThreeReplicas(false));
  EXPECT_EQ(list.topics, (std::vector<std::string>{"c", "a"}));
  EXPECT_EQ(list.broker_address, "10.0.0.2:10911");
}

}  // namespace
}  // namespace totora::namesrv
