#include "cli/local_config.h"

#include <gtest/gtest.h>

namespace totora::cli {
namespace {

ClusterFile TwoBrokers() {
  ClusterFile cluster;
  cluster.group_address = "127.0.0.1:8081";
  cluster.segment_bytes = 1048576;
  cluster.broker_settings = {{"public.extra-listen", "127.0.0.1:10911"}};
  cluster.namesrv.name = "namesrv";
  cluster.namesrv.address = "127.0.0.1:9876";
  cluster.namesrv.process = {.pid = 7, .start_ticks = 70};
  for (uint32_t id = 1; id <= 2; ++id) {
    LocalBroker broker;
    broker.id = id;
    broker.name = "broker-" + std::to_string(id);
    broker.process = {.pid = static_cast<pid_t>(10 + id), .start_ticks = 100 + id};
    broker.public_address = "127.0.0.1:2000" + std::to_string(id);
    broker.internal_address = "127.0.0.1:3000" + std::to_string(id);
    broker.metrics_address = "127.0.0.1:4000" + std::to_string(id);
    cluster.brokers.push_back(broker);
  }
  return cluster;
}

TEST(LocalConfig, ABrokersFileNamesItsReplicaAndItsPeers) {
  const ClusterFile cluster = TwoBrokers();

  EXPECT_EQ(BrokerConfig(cluster, cluster.brokers[1], "/d"),
            "# Written by `totora local`; a restart writes it again.\n"
            "cluster.name = totora-local\n"
            "broker.name = broker-a\n"
            "group.id = 1\n"
            "replica.id = 2\n"
            "replica.peers = 1@127.0.0.1:30001,2@127.0.0.1:30002\n"
            "data.dir = /d/broker-2\n"
            "log.file = /d/broker-2.log\n"
            "log.levels = info\n"
            "public.listen = 127.0.0.1:20002\n"
            "group.address = 127.0.0.1:8081\n"
            "group.listen = 127.0.0.1:8081\n"
            "internal.listen = 127.0.0.1:30002\n"
            "metrics.listen = 127.0.0.1:40002\n"
            "namesrv.addresses = 127.0.0.1:9876\n"
            "segment.bytes = 1048576\n"
            "public.extra-listen = 127.0.0.1:10911\n");
}

TEST(LocalConfig, WithoutAGroupAddressClientsStartAtTheFirstBroker) {
  ClusterFile cluster = TwoBrokers();
  EXPECT_EQ(AccessPoint(cluster), "127.0.0.1:8081");
  cluster.group_address.clear();
  EXPECT_EQ(AccessPoint(cluster), cluster.brokers[0].public_address);
  EXPECT_EQ(BrokerConfig(cluster, cluster.brokers[1], "/d").find("group.address"),
            std::string::npos);
}

TEST(LocalConfig, TheNameserversFileIsShort) {
  EXPECT_EQ(NamesrvConfig(TwoBrokers(), "/d"),
            "# Written by `totora local`; a restart writes it again.\n"
            "listen = 127.0.0.1:9876\n"
            "log.file = /d/namesrv.log\n"
            "log.levels = info\n");
}

TEST(ClusterFile, ComesBackAsItWasWritten) {
  const std::string text = ClusterFileText(TwoBrokers());

  const auto cluster = ParseClusterFile(text);

  ASSERT_TRUE(cluster.ok()) << cluster.status();
  EXPECT_EQ(ClusterFileText(*cluster), text);
  EXPECT_EQ(cluster->brokers[1].process.start_ticks, 102u);
  EXPECT_EQ(cluster->broker_settings.size(), 1u);
}

TEST(ClusterFile, CutAtAnyByteItIsRefusedAndNeverCrashes) {
  const std::string text = ClusterFileText(TwoBrokers());

  for (size_t keep = 0; keep + 2 < text.size(); ++keep) {
    EXPECT_FALSE(ParseClusterFile(text.substr(0, keep)).ok()) << keep;
  }
}

TEST(ClusterFile, AFieldOfTheWrongTypeIsNamed) {
  std::string text = ClusterFileText(TwoBrokers());
  const size_t at = text.find("\"pid\": 11");
  ASSERT_NE(at, std::string::npos);
  text.replace(at, 9, "\"pid\": \"x\"");

  const auto cluster = ParseClusterFile(text);

  ASSERT_FALSE(cluster.ok());
  EXPECT_EQ(cluster.status().message(), "cluster.json: pid is missing or of the wrong type");
}

}  // namespace
}  // namespace totora::cli
