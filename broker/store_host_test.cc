#include "broker/store_host.h"

#include <gtest/gtest.h>

namespace totora::broker {
namespace {

// A world in which two names are known.
std::vector<uint32_t> Resolve(const std::string& name) {
  if (name == "one.example") return {0x0a000001};
  if (name == "three.example") return {0x0a000001, 0x0a000002, 0x0a000003};
  if (name == "self.example") return {0x0a000002};
  return {};
}

const service::Address kOwn = {"10.0.0.9", 10911};

TEST(StoreHost, IsTheGroupsAddressIfThatIsOne) {
  EXPECT_EQ(ChooseStoreHost(service::Address{"10.0.0.7", 18081}, kOwn, Resolve),
            (StoreHost{0x0a000007, 18081}));
  EXPECT_EQ(ChooseStoreHost(service::Address{"one.example", 18081}, kOwn, Resolve),
            (StoreHost{0x0a000001, 18081}));
}

TEST(StoreHost, IsTheReplicasOwnIfTheGroupsNameStandsForSeveralOrNone) {
  EXPECT_EQ(ChooseStoreHost(service::Address{"three.example", 18081}, kOwn, Resolve),
            (StoreHost{0x0a000009, 10911}));
  EXPECT_EQ(ChooseStoreHost(service::Address{"gone.example", 18081}, kOwn, Resolve),
            (StoreHost{0x0a000009, 10911}));
  EXPECT_EQ(ChooseStoreHost(std::nullopt, kOwn, Resolve), (StoreHost{0x0a000009, 10911}));
}

TEST(StoreHost, OfAReplicaWithANameIsWhatThatStandsFor) {
  EXPECT_EQ(ChooseStoreHost(std::nullopt, {"self.example", 8081}, Resolve),
            (StoreHost{0x0a000002, 8081}));
  EXPECT_EQ(ChooseStoreHost(std::nullopt, {"gone.example", 8081}, Resolve),
            (StoreHost{0x7f000001, 8081}));
}

TEST(StoreHost, DottedAddressesAreResolvedByNobody) {
  const auto fail = [](const std::string& name) -> std::vector<uint32_t> {
    ADD_FAILURE() << name;
    return {};
  };
  ChooseStoreHost(service::Address{"10.0.0.7", 1}, kOwn, fail);
  ChooseStoreHost(std::nullopt, kOwn, fail);
}

}  // namespace
}  // namespace totora::broker
