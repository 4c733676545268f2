#include "cli/ports.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

namespace totora::cli {
namespace {

TEST(PortPicker, NoPortIsGivenTwiceAndTheOneTwoBelowIsKeptFree) {
  PortPicker picker({});
  std::set<uint16_t> used;

  for (int i = 0; i < 50; ++i) {
    const auto port = picker.Pick();
    ASSERT_TRUE(port.ok()) << port.status();
    EXPECT_TRUE(used.insert(*port).second) << *port;
    EXPECT_TRUE(used.insert(static_cast<uint16_t>(*port - 2)).second) << *port;
  }
}

// A killed broker's port must not become the source of somebody's connection.
TEST(PortPicker, PortsLieBelowTheKernelsRangeForOutgoingConnections) {
  std::ifstream range("/proc/sys/net/ipv4/ip_local_port_range");
  int low = 0;
  ASSERT_TRUE(range >> low);
  if (low <= 14000) GTEST_SKIP() << "this machine uses all ports for outgoing connections";

  for (int i = 0; i < 20; ++i) {
    PortPicker picker({});
    EXPECT_LT(*picker.Pick(), low);
  }
}

TEST(PortPicker, AWantedPortIsTakenIfItIsFree) {
  uint16_t port = 0;
  {
    PortPicker picker({});
    port = *picker.Pick();
  }
  PortPicker picker({});
  EXPECT_EQ(*picker.Pick(port), port);

  PortPicker other({});
  EXPECT_NE(*other.Pick(port), port);
  PortPicker one_that_knows({static_cast<uint16_t>(port - 2)});
  EXPECT_NE(*one_that_knows.Pick(port), port);
}

TEST(PortPicker, TwoPickersAtOnceDoNotMeet) {
  PortPicker one({});
  PortPicker two({});
  std::set<uint16_t> used;
  for (int i = 0; i < 50; ++i) {
    EXPECT_TRUE(used.insert(*one.Pick()).second);
    EXPECT_TRUE(used.insert(*two.Pick()).second);
  }
}

TEST(PortPicker, AMachineWithoutFreePortsIsAnError) {
  std::set<uint16_t> all;
  for (int port = 1; port < 65536; ++port) all.insert(static_cast<uint16_t>(port));
  PortPicker picker(all);

  EXPECT_TRUE(absl::IsResourceExhausted(picker.Pick().status()));
}

TEST(PortRegistry, AStoppedClusterKeepsItsPortsUntilItsFolderGoes) {
  std::string root = testing::TempDir() + "portsXXXXXX";
  ASSERT_NE(mkdtemp(root.data()), nullptr);
  const std::string cluster = root + "/cluster";
  std::filesystem::create_directory(cluster);
  std::ofstream(cluster + "/cluster.json") << "{}";
  PortRegistry registry(root + "/registry");
  ASSERT_TRUE(registry.Claim(cluster, {20000, 20010}).ok());

  EXPECT_EQ(registry.Taken(), (std::set<uint16_t>{19998, 20000, 20008, 20010}));

  std::filesystem::remove_all(cluster);
  EXPECT_TRUE(registry.Taken().empty());
  std::filesystem::remove_all(root);
}

}  // namespace
}  // namespace totora::cli
