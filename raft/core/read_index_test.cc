// Linearizable reads: dissertation §6.4.
#include <optional>
#include <vector>

#include "gtest/gtest.h"
#include "raft/core/core.h"
#include "tests/support/core_cluster.h"

namespace totora::raft {
namespace {

using Packet = CoreCluster::Packet;

constexpr auto kAny = [](const Packet&) { return true; };

CoreCluster WithLeader(int replicas, CoreConfig config = {}) {
  CoreCluster cluster(replicas, config);
  cluster.Campaign(kN1);
  cluster.Deliver();
  EXPECT_EQ(cluster.Leader(), kN1);
  return cluster;
}

// The answer to `read`; fails the test if there is none or more than one.
std::optional<LogIndex> AnswerOf(const CoreCluster& cluster, ReplicaId id, uint64_t read) {
  int answers = 0;
  std::optional<LogIndex> index;
  for (const ReadState& state : cluster.ReadsOf(id)) {
    if (state.id != read) continue;
    ++answers;
    index = state.index;
  }
  EXPECT_EQ(answers, 1) << "read " << read << " of replica " << id;
  return index;
}

template <typename T>
int CountInFlight(const CoreCluster& cluster) {
  int count = 0;
  for (const Packet& packet : cluster.in_flight()) {
    count += std::holds_alternative<T>(packet.message) ? 1 : 0;
  }
  return count;
}

TEST(ReadIndex, TheLeaderAnswersWithItsCommitIndexAfterARound) {
  CoreCluster cluster = WithLeader(3);
  ASSERT_TRUE(cluster.Propose(kN1).ok());
  cluster.Deliver();

  cluster.Read(kN1, 7);
  EXPECT_TRUE(cluster.ReadsOf(kN1).empty()) << "nobody has confirmed it yet";
  cluster.Deliver();

  EXPECT_EQ(AnswerOf(cluster, kN1, 7), LogIndex(2));
}

TEST(ReadIndex, AFollowerAsksItsLeader) {
  CoreCluster cluster = WithLeader(3);
  ASSERT_TRUE(cluster.Propose(kN1).ok());
  cluster.Deliver();

  cluster.Read(kN3, 7);
  cluster.Deliver();

  EXPECT_EQ(AnswerOf(cluster, kN3, 7), LogIndex(2));
}

TEST(ReadIndex, OneFollowersAnswerIsEnoughOfThree) {
  CoreCluster cluster = WithLeader(3);
  cluster.Crash(kN3);

  cluster.Read(kN1, 7);
  cluster.Deliver();

  EXPECT_EQ(AnswerOf(cluster, kN1, 7), LogIndex(1));
}

TEST(ReadIndex, ASingleVoterAnswersAtOnce) {
  CoreCluster cluster = WithLeader(1);

  cluster.Read(kN1, 7);

  EXPECT_EQ(AnswerOf(cluster, kN1, 7), LogIndex(1));
}

// A new leader knows what is committed only after an entry of its own term.
TEST(ReadIndex, IsRefusedBeforeAnEntryOfTheTermIsCommitted) {
  CoreCluster cluster = WithLeader(3);
  ASSERT_TRUE(cluster.Propose(kN1).ok());
  cluster.Deliver();
  cluster.Crash(kN1);
  cluster.Suspect(kN2);
  cluster.Suspect(kN3);
  while (cluster.Leader() != kN2) {
    for (ReplicaId id : {kN2, kN3}) {
      if (!cluster.Leader()) cluster.Persist(id);
    }
    cluster.DeliverOnly(kAny);
    cluster.Tick(kN2);
  }
  cluster.Drop(kAny);
  ASSERT_FALSE(cluster.core(kN2).HasCommittedInTerm());

  cluster.Read(kN2, 7);
  cluster.Step(kN2, kN3, ReadIndexRequest{.term = cluster.core(kN2).term(), .id = 55});

  EXPECT_EQ(AnswerOf(cluster, kN2, 7), std::nullopt);
  ASSERT_EQ(CountInFlight<ReadIndexReply>(cluster), 1);
  EXPECT_EQ(std::get<ReadIndexReply>(cluster.in_flight().back().message).index, LogIndex(0));
}

TEST(ReadIndex, IsRefusedWithoutALeader) {
  CoreCluster cluster(3);

  cluster.Read(kN1, 7);

  EXPECT_EQ(AnswerOf(cluster, kN1, 7), std::nullopt);
}

TEST(ReadIndex, AReplicaThatDoesNotLeadRefusesForwardedReads) {
  CoreCluster cluster = WithLeader(3);

  cluster.Step(kN2, kN3, ReadIndexRequest{.term = Term(1), .id = 55});

  ASSERT_EQ(CountInFlight<ReadIndexReply>(cluster), 1);
  const ReadIndexReply reply =
      std::get<ReadIndexReply>(cluster.in_flight().back().message);
  EXPECT_EQ(reply.id, 55u);
  EXPECT_EQ(reply.index, LogIndex(0));
}

// The leader was deposed without knowing it. It must not answer from its own
// commit index: the new one may be ahead.
TEST(ReadIndex, ADeposedLeaderAnswersNothing) {
  CoreCluster cluster = WithLeader(3);
  cluster.Isolate(kN1);
  cluster.Run(CoreConfig().election_ticks_min / 2);
  cluster.Suspect(kN2);
  cluster.Suspect(kN3);
  cluster.Deliver();
  for (int i = 0; i < 5; ++i) {
    cluster.Tick(kN2);
    cluster.Tick(kN3);
    cluster.Deliver();
  }
  ASSERT_NE(cluster.Leader(), kN1);
  ASSERT_TRUE(cluster.Propose(*cluster.Leader()).ok());
  cluster.Deliver();
  ASSERT_EQ(cluster.core(kN1).role(), Role::kLeader);

  cluster.Read(kN1, 7);
  cluster.Run(CoreConfig().election_ticks_max);

  EXPECT_EQ(AnswerOf(cluster, kN1, 7), std::nullopt);
}

TEST(ReadIndex, LosingTheLeadRefusesAllThatWait) {
  CoreCluster cluster = WithLeader(3);
  cluster.Read(kN1, 7);
  cluster.Step(kN1, kN3, ReadIndexRequest{.term = Term(1), .id = 55});
  cluster.Drop(kAny);

  cluster.Step(kN1, kN2, HeartbeatReply{.term = Term(2), .round = 0});

  EXPECT_EQ(AnswerOf(cluster, kN1, 7), std::nullopt);
  ASSERT_EQ(CountInFlight<ReadIndexReply>(cluster), 1);
  EXPECT_EQ(std::get<ReadIndexReply>(cluster.in_flight().back().message).index, LogIndex(0));
}

TEST(ReadIndex, AFollowersReadEndsWithItsLeader) {
  CoreCluster cluster = WithLeader(3);
  cluster.Read(kN3, 7);
  cluster.Drop(kAny);

  cluster.Step(kN3, kN2, Heartbeat{.term = Term(2), .round = 1});

  EXPECT_EQ(AnswerOf(cluster, kN3, 7), std::nullopt);
}

TEST(ReadIndex, ALostQuestionIsAnsweredEmptyAfterAnElectionTimeout) {
  const CoreConfig config;
  CoreCluster cluster = WithLeader(3, config);
  cluster.Read(kN3, 7);
  cluster.Drop(kAny);

  cluster.Run(config.election_ticks_max - 1);
  EXPECT_TRUE(cluster.ReadsOf(kN3).empty());
  cluster.Run(1);

  EXPECT_EQ(AnswerOf(cluster, kN3, 7), std::nullopt);
}

// Read 7 was given up, and its number used again. The answer to the first
// question is too old for the second one.
TEST(ReadIndex, ALateAnswerNeverAnswersANewerRead) {
  CoreCluster cluster = WithLeader(3);
  cluster.Read(kN3, 7);
  cluster.DeliverOnly(kAny);  // The question.
  cluster.DeliverOnly(kAny);  // The round.
  cluster.DeliverOnly([](const Packet& p) {
    return std::holds_alternative<HeartbeatReply>(p.message);
  });
  ASSERT_EQ(CountInFlight<ReadIndexReply>(cluster), 1);
  const Packet late = cluster.in_flight().back();
  cluster.Drop(kAny);
  cluster.Run(CoreConfig().election_ticks_max);
  ASSERT_EQ(AnswerOf(cluster, kN3, 7), std::nullopt);
  ASSERT_TRUE(cluster.Propose(kN1).ok());
  cluster.Deliver();

  cluster.Read(kN3, 7);
  cluster.Step(kN3, kN1, late.message);

  EXPECT_EQ(cluster.ReadsOf(kN3).size(), 1u);
}

TEST(ReadIndex, ReadsThatComeDuringARoundShareTheNextOne) {
  CoreCluster cluster = WithLeader(3);
  cluster.Read(kN1, 1);
  for (uint64_t read = 2; read <= 100; ++read) cluster.Read(kN1, read);
  EXPECT_EQ(CountInFlight<Heartbeat>(cluster), 2) << "one round of two";
  int heartbeats = 0;
  cluster.set_trace([&heartbeats](const Packet& packet) {
    heartbeats += std::holds_alternative<Heartbeat>(packet.message) ? 1 : 0;
  });

  cluster.Deliver();

  EXPECT_EQ(heartbeats, 4);
  EXPECT_EQ(cluster.ReadsOf(kN1).size(), 100u);
  for (const ReadState& state : cluster.ReadsOf(kN1)) EXPECT_EQ(state.index, LogIndex(1));
}

// The round of read 1 began before read 2 was asked: it confirms nothing for it.
TEST(ReadIndex, ARoundConfirmsOnlyReadsThatWereAskedBefore) {
  CoreCluster cluster = WithLeader(3);
  cluster.Read(kN1, 1);
  cluster.DeliverOnly(kAny);
  cluster.Read(kN1, 2);

  cluster.DeliverOnly(kAny);

  ASSERT_EQ(cluster.ReadsOf(kN1).size(), 1u);
  EXPECT_EQ(cluster.ReadsOf(kN1)[0].id, 1u);
  cluster.Deliver();
  EXPECT_EQ(cluster.ReadsOf(kN1).size(), 2u);
}

TEST(ReadIndex, ALostRoundIsReplacedByTheNextHeartbeat) {
  CoreCluster cluster = WithLeader(3);
  cluster.Read(kN1, 7);
  cluster.Drop(kAny);

  cluster.Run(CoreConfig().heartbeat_ticks);

  EXPECT_EQ(AnswerOf(cluster, kN1, 7), LogIndex(1));
}

TEST(ReadIndex, ReadsThatWaitAreBounded) {
  CoreConfig config;
  config.pending_reads_max = 10;
  CoreCluster cluster = WithLeader(3, config);
  for (uint64_t read = 1; read <= 12; ++read) {
    cluster.Read(kN1, read);
    cluster.Read(kN2, read);
  }

  for (ReplicaId id : {kN1, kN2}) {
    ASSERT_EQ(cluster.ReadsOf(id).size(), 2u);
    EXPECT_EQ(cluster.ReadsOf(id)[0].index, std::nullopt);
  }
}

TEST(ReadIndex, ARoundThatWasNeverBegunConfirmsNothing) {
  CoreCluster cluster = WithLeader(3);
  cluster.Read(kN1, 7);
  cluster.Drop(kAny);

  cluster.Step(kN1, kN2, HeartbeatReply{.term = Term(1), .round = 1000});

  EXPECT_TRUE(cluster.ReadsOf(kN1).empty());
  EXPECT_EQ(cluster.core(kN1).protocol_violations(), 1u);
}

}  // namespace
}  // namespace totora::raft
