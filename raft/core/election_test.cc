// Elections: the sentences of the Raft paper §5.1, §5.2, §5.4.1 and of the
// dissertation §3.10, §4.2.3, §9.6, and our own rules on suspicion and
// preference. Each string is one replica's log, one entry per number, the
// number its term.
#include <map>
#include <set>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "raft/core/core.h"
#include "tests/support/core_cluster.h"

namespace totora::raft {
namespace {

using Packet = CoreCluster::Packet;

template <typename T>
bool Is(const Packet& packet) {
  return std::holds_alternative<T>(packet.message);
}

int CountVoteRequests(const CoreCluster& cluster, bool is_pre_vote) {
  int count = 0;
  for (const Packet& packet : cluster.in_flight()) {
    const VoteRequest* request = std::get_if<VoteRequest>(&packet.message);
    if (request != nullptr && request->is_pre_vote == is_pre_vote) ++count;
  }
  return count;
}

CoreCluster WithLeader(int replicas, CoreConfig config = {}) {
  CoreCluster cluster(replicas, config);
  cluster.Campaign(kN1);
  cluster.Deliver();
  EXPECT_EQ(cluster.Leader(), kN1);
  return cluster;
}

// --- Paper §5.1, terms. ------------------------------------------------------

TEST(Terms, AFollowerTakesOverANewerTerm) {
  CoreCluster cluster(3);

  cluster.Step(kN1, kN2, AppendRequest{.term = Term(7)});

  EXPECT_EQ(cluster.core(kN1).term(), Term(7));
  EXPECT_EQ(cluster.core(kN1).leader(), kN2);
}

TEST(Terms, ALeaderThatSeesANewerTermFollows) {
  CoreCluster cluster = WithLeader(3);

  cluster.Step(kN1, kN2, HeartbeatReply{.term = Term(7), .round = 0});

  EXPECT_EQ(cluster.core(kN1).role(), Role::kFollower);
  EXPECT_EQ(cluster.core(kN1).term(), Term(7));
}

TEST(Terms, ACandidateThatSeesANewerTermFollows) {
  CoreCluster cluster(3);
  cluster.Campaign(kN1);
  cluster.DeliverOnly([](const Packet&) { return true; });
  cluster.DeliverOnly([](const Packet&) { return true; });
  ASSERT_EQ(cluster.core(kN1).role(), Role::kCandidate);

  cluster.Step(kN1, kN2, AppendRequest{.term = Term(7)});

  EXPECT_EQ(cluster.core(kN1).role(), Role::kFollower);
  EXPECT_EQ(cluster.core(kN1).leader(), kN2);
}

TEST(Terms, ARequestOfAnOldTermChangesNothingAndTellsTheNewerOne) {
  CoreCluster cluster(3);
  cluster.Step(kN1, kN2, AppendRequest{.term = Term(7)});
  cluster.Deliver();

  cluster.Step(kN1, kN3, AppendRequest{.term = Term(6)});
  cluster.Persist(kN1);

  EXPECT_EQ(cluster.core(kN1).leader(), kN2);
  ASSERT_EQ(cluster.in_flight().size(), 1u);
  const AppendReply reply = std::get<AppendReply>(cluster.in_flight().front().message);
  EXPECT_EQ(reply.term, Term(7));
  EXPECT_FALSE(reply.is_success);
}

TEST(Terms, AnAnswerOfAnOldTermIsIgnored) {
  CoreCluster cluster(3);
  cluster.Campaign(kN1);
  cluster.Deliver();
  cluster.Isolate(kN1);
  ASSERT_TRUE(cluster.Propose(kN1).ok());

  cluster.Step(kN1, kN2, AppendReply{.term = Term(0), .is_success = true, .index = LogIndex(2)});

  EXPECT_EQ(cluster.CommitOf(kN1), LogIndex(1));
}

TEST(Terms, ATermSurvivesACrash) {
  CoreCluster cluster = WithLeader(3);
  const Term term = cluster.core(kN2).term();

  cluster.Crash(kN2);
  cluster.Restart(kN2);

  EXPECT_EQ(cluster.core(kN2).term(), term);
}

// --- Paper §5.2, leader election. ----------------------------------------------

TEST(Election, AReplicaStartsAsAFollower) {
  CoreCluster cluster(3);

  EXPECT_EQ(cluster.core(kN1).role(), Role::kFollower);
  EXPECT_EQ(cluster.core(kN1).leader(), ReplicaId());
}

TEST(Election, ALeaderSendsHeartbeatsToEveryFollowerInTime) {
  CoreCluster cluster = WithLeader(3);

  cluster.Tick(kN1, CoreConfig().heartbeat_ticks);

  std::set<ReplicaId> reached;
  for (const Packet& packet : cluster.in_flight()) {
    if (Is<Heartbeat>(packet)) reached.insert(packet.to);
  }
  EXPECT_EQ(reached, (std::set<ReplicaId>{kN2, kN3}));
}

TEST(Election, AFollowerThatHearsItsLeaderNeverCampaigns) {
  CoreCluster cluster = WithLeader(3);
  const Term term = cluster.core(kN1).term();

  cluster.Run(1000);

  EXPECT_EQ(cluster.Leader(), kN1);
  EXPECT_EQ(cluster.core(kN2).term(), term);
}

TEST(Election, AFollowerWithoutALeaderCampaignsWithinItsTimeout) {
  const CoreConfig config;
  CoreCluster cluster(3, config);

  cluster.Tick(kN1, config.election_ticks_min - 1);
  EXPECT_EQ(cluster.core(kN1).role(), Role::kFollower);

  cluster.Tick(kN1, config.election_ticks_max - config.election_ticks_min + 1);
  EXPECT_EQ(cluster.core(kN1).role(), Role::kPreCandidate);
}

TEST(Election, ACandidateEntersTheNextTermVotesForItselfAndAsksEveryPeer) {
  CoreCluster cluster(3);
  cluster.Campaign(kN1);
  cluster.DeliverOnly([](const Packet&) { return true; });
  cluster.DeliverOnly([](const Packet&) { return true; });

  cluster.Persist(kN1);

  EXPECT_EQ(cluster.core(kN1).term(), Term(1));
  EXPECT_EQ(cluster.DiskHardStateOf(kN1), (HardState{Term(1), kN1}));
  EXPECT_EQ(CountVoteRequests(cluster, /*is_pre_vote=*/false), 2);
}

TEST(Election, AMajorityOfVotesMakesALeader) {
  // Replicas that are gone, and who wins nevertheless.
  const std::vector<std::pair<int, std::vector<ReplicaId>>> worlds = {
      {1, {}}, {2, {}}, {3, {}}, {3, {kN2}}, {5, {kN2, kN3}}};
  for (const auto& [replicas, gone] : worlds) {
    CoreCluster cluster(replicas);
    for (ReplicaId id : gone) cluster.Crash(id);

    cluster.Campaign(kN1);
    cluster.Deliver();

    EXPECT_EQ(cluster.Leader(), kN1) << replicas << " replicas, gone " << gone.size();
  }
}

TEST(Election, LessThanAMajorityMakesNone) {
  const std::vector<std::pair<int, std::vector<ReplicaId>>> worlds = {
      {2, {kN2}}, {3, {kN2, kN3}}, {4, {kN3, kN4}}, {5, {kN2, kN3, kN4}}};
  for (const auto& [replicas, gone] : worlds) {
    CoreCluster cluster(replicas);
    for (ReplicaId id : gone) cluster.Crash(id);

    cluster.Campaign(kN1);
    cluster.Deliver();

    EXPECT_EQ(cluster.Leader(), std::nullopt) << replicas << " replicas, gone " << gone.size();
  }
}

TEST(Election, AReplicaVotesOnceATermFirstComeFirstServed) {
  CoreCluster cluster(3);
  cluster.Step(kN1, kN2, VoteRequest{.term = Term(1)});

  cluster.Step(kN1, kN3, VoteRequest{.term = Term(1)});
  cluster.Persist(kN1);

  std::map<ReplicaId, bool> answers;
  for (const Packet& packet : cluster.in_flight()) {
    answers[packet.to] = std::get<VoteReply>(packet.message).is_granted;
  }
  EXPECT_EQ(answers, (std::map<ReplicaId, bool>{{kN2, true}, {kN3, false}}));
}

TEST(Election, ARepeatedVoteRequestGetsTheSameVote) {
  CoreCluster cluster(3);
  cluster.Step(kN1, kN2, VoteRequest{.term = Term(1)});
  cluster.Step(kN1, kN2, VoteRequest{.term = Term(1)});
  cluster.Persist(kN1);

  ASSERT_EQ(cluster.in_flight().size(), 2u);
  for (const Packet& packet : cluster.in_flight()) {
    EXPECT_TRUE(std::get<VoteReply>(packet.message).is_granted);
  }
}

// The vote itself, not only the term, must outlive a crash.
TEST(Election, AReplicaRemembersItsVoteAcrossACrash) {
  CoreCluster cluster(3);
  cluster.Step(kN1, kN2, VoteRequest{.term = Term(1)});
  cluster.Persist(kN1);
  cluster.Drop([](const Packet&) { return true; });
  cluster.Crash(kN1);
  cluster.Restart(kN1);

  cluster.Step(kN1, kN3, VoteRequest{.term = Term(1)});
  cluster.Persist(kN1);

  ASSERT_EQ(cluster.in_flight().size(), 1u);
  EXPECT_FALSE(std::get<VoteReply>(cluster.in_flight().front().message).is_granted);
}

TEST(Election, AVoteLeavesOnlyWhenItIsDurable) {
  CoreCluster cluster(3);
  cluster.HoldDisk(kN1);

  cluster.Step(kN1, kN2, VoteRequest{.term = Term(1)});
  EXPECT_TRUE(cluster.in_flight().empty());

  cluster.Persist(kN1);
  EXPECT_EQ(cluster.in_flight().size(), 1u);
}

TEST(Election, ACandidateAsksForVotesOnlyWhenItsOwnIsDurable) {
  CoreCluster cluster(3);
  cluster.HoldDisk(kN1);

  cluster.Campaign(kN1);
  cluster.Deliver();
  ASSERT_EQ(cluster.core(kN1).role(), Role::kCandidate);
  EXPECT_EQ(cluster.core(kN2).term(), Term(0));

  cluster.ReleaseDisk(kN1);
  cluster.Deliver();
  EXPECT_EQ(cluster.Leader(), kN1);
}

// Streams of a group that starts open one by one: the first request may find none.
TEST(Election, ACandidateAsksAgainWhenAStreamOpens) {
  CoreCluster cluster(3);
  cluster.Campaign(kN1);
  cluster.DeliverOnly([](const Packet&) { return true; });
  cluster.DeliverOnly([](const Packet&) { return true; });
  ASSERT_EQ(cluster.core(kN1).role(), Role::kCandidate);
  cluster.Persist(kN1);
  ASSERT_EQ(cluster.Drop(Is<VoteRequest>), 2);

  cluster.PeerReconnected(kN1, kN2);
  cluster.Deliver();

  EXPECT_EQ(cluster.Leader(), kN1);
}

TEST(Election, WhoeverHasAnsweredIsNotAskedAgain) {
  CoreCluster cluster(3);
  cluster.Campaign(kN1);
  cluster.DeliverOnly([](const Packet& packet) { return packet.to == kN2; });
  cluster.DeliverOnly(Is<VoteReply>);
  cluster.DeliverOnly([](const Packet& packet) { return packet.to == kN2; });
  ASSERT_EQ(cluster.core(kN1).role(), Role::kCandidate);
  cluster.Persist(kN1);
  cluster.Drop([](const Packet&) { return true; });
  cluster.Step(kN1, kN2, VoteReply{.term = Term(1), .is_pre_vote = false, .is_granted = false});

  cluster.PeerReconnected(kN1, kN2);
  cluster.Persist(kN1);

  EXPECT_TRUE(cluster.in_flight().empty());
}

TEST(Election, ACandidateFollowsAnotherLeaderOfItsTerm) {
  CoreCluster cluster(3);
  cluster.Campaign(kN1);
  cluster.DeliverOnly([](const Packet&) { return true; });
  cluster.DeliverOnly([](const Packet&) { return true; });
  ASSERT_EQ(cluster.core(kN1).role(), Role::kCandidate);

  cluster.Step(kN1, kN3, Heartbeat{.term = Term(1), .round = 1});

  EXPECT_EQ(cluster.core(kN1).role(), Role::kFollower);
  EXPECT_EQ(cluster.core(kN1).leader(), kN3);
}

TEST(Election, ASplitVoteEndsInANewElection) {
  CoreCluster cluster(4);
  // Two candidates of one term, each with one more vote: nobody has three.
  cluster.Campaign(kN1);
  cluster.Campaign(kN2);
  cluster.DeliverOnly([](const Packet&) { return true; });
  cluster.DeliverOnly([](const Packet&) { return true; });
  ASSERT_EQ(cluster.core(kN1).role(), Role::kCandidate);
  ASSERT_EQ(cluster.core(kN2).role(), Role::kCandidate);
  cluster.Persist(kN1);
  cluster.Persist(kN2);
  cluster.DeliverOnly([](const Packet& p) { return p.to == kN3 && p.from == kN1; });
  cluster.DeliverOnly([](const Packet& p) { return p.to == kN4 && p.from == kN2; });
  cluster.Deliver();
  ASSERT_EQ(cluster.Leader(), std::nullopt);

  cluster.Run(CoreConfig().election_ticks_max * 3);

  EXPECT_NE(cluster.Leader(), std::nullopt);
}

TEST(Election, TimeoutsAreSpreadOverTheirWholeRange) {
  const CoreConfig config;
  std::map<int, int> seen;
  for (uint64_t seed = 1; seed <= 600; ++seed) {
    CoreConfig seeded = config;
    seeded.seed = seed;
    CoreCluster cluster(3, seeded);
    int ticks = 0;
    while (cluster.core(kN1).role() == Role::kFollower) {
      cluster.Tick(kN1);
      ++ticks;
    }
    ++seen[ticks];
  }

  EXPECT_EQ(seen.begin()->first, config.election_ticks_min);
  EXPECT_EQ(seen.rbegin()->first, config.election_ticks_max);
  EXPECT_EQ(seen.size(), 31u);
  for (const auto& [ticks, count] : seen) EXPECT_LT(count, 60) << ticks;
}

TEST(Election, ASingleVoterElectsItself) {
  CoreCluster cluster(1);

  cluster.Run(CoreConfig().election_ticks_max);

  EXPECT_EQ(cluster.Leader(), kN1);
  EXPECT_EQ(cluster.CommitOf(kN1), LogIndex(1));
}

TEST(Election, TheRoleChangeIsTold) {
  Core core({.self = kN1, .voters = {kN1}}, {});

  core.Campaign();
  EXPECT_TRUE(core.TakeOutput().has_role_changed);
  EXPECT_FALSE(core.TakeOutput().has_role_changed);
}

// --- Paper §5.4.1, election restriction. ---------------------------------------

TEST(Election, AReplicaWithAStaleLogCannotWin) {
  CoreCluster cluster = CoreCluster::WithLogs({"1 1 2", "1 1", "1 1 2"});

  cluster.Campaign(kN2);
  cluster.Deliver();

  EXPECT_EQ(cluster.Leader(), std::nullopt);
}

// For votes as well as for pre-votes, which a candidate may have won before
// the voter's log grew.
TEST(Election, OnlyAnUpToDateLogGetsAVote) {
  struct Case {
    const char* voter;
    uint64_t last_index, last_term;
    bool is_granted;
  };
  const std::vector<Case> cases = {
      {"1", 1, 1, true},  {"1", 2, 1, true},   {"1 1", 1, 1, false}, {"1", 1, 2, true},
      {"1 1", 1, 2, true}, {"2", 1, 1, false}, {"2", 2, 1, false},   {"", 0, 0, true},
      {"1", 0, 0, false}};
  for (const Case& c : cases) {
    for (bool is_pre_vote : {false, true}) {
      CoreCluster cluster = CoreCluster::WithLogs({c.voter, "", ""});
      cluster.Step(kN1, kN2, VoteRequest{.term = Term(9),
                                         .last_index = LogIndex(c.last_index),
                                         .last_term = Term(c.last_term),
                                         .is_pre_vote = is_pre_vote});
      cluster.Persist(kN1);
      ASSERT_EQ(cluster.in_flight().size(), 1u);
      EXPECT_EQ(std::get<VoteReply>(cluster.in_flight().front().message).is_granted, c.is_granted)
          << "\"" << c.voter << "\" asked with " << c.last_index << "/" << c.last_term;
    }
  }
}

// --- §9.6, pre-vote. ------------------------------------------------------------

TEST(PreVote, LosesNoTerm) {
  CoreCluster cluster = WithLeader(3);
  cluster.Isolate(kN3);

  cluster.Run(1000);

  EXPECT_EQ(cluster.core(kN3).term(), Term(1));
  EXPECT_EQ(cluster.DiskHardStateOf(kN3).term, Term(1));
}

TEST(PreVote, AnIsolatedReplicaComesBackWithoutDisturbingTheLeader) {
  CoreCluster cluster = WithLeader(3);
  cluster.Isolate(kN3);
  cluster.Run(500);

  cluster.Heal();
  cluster.Run(20);

  EXPECT_EQ(cluster.Leader(), kN1);
  EXPECT_EQ(cluster.core(kN1).term(), Term(1));
  EXPECT_EQ(cluster.core(kN3).leader(), kN1);
}

TEST(PreVote, IsGrantedForALaterTermOnly) {
  CoreCluster cluster = CoreCluster::WithLogs({"5", "", ""});

  cluster.Step(kN1, kN2, VoteRequest{.term = Term(5),
                                     .last_index = LogIndex(9),
                                     .last_term = Term(5),
                                     .is_pre_vote = true});

  ASSERT_EQ(cluster.in_flight().size(), 1u);
  const VoteReply reply = std::get<VoteReply>(cluster.in_flight().front().message);
  EXPECT_FALSE(reply.is_granted);
  EXPECT_EQ(reply.term, Term(5));
}

// Its log may be the better one; without the newer term it could never win.
TEST(PreVote, ARefusalTeachesTheNewerTerm) {
  CoreCluster cluster = CoreCluster::WithLogs({"1 1", "1", "1"});
  cluster.Step(kN2, kN3, VoteRequest{.term = Term(8), .last_index = LogIndex(1), .last_term = Term(1)});
  cluster.Persist(kN2);
  cluster.Drop([](const Packet&) { return true; });
  cluster.Crash(kN3);

  cluster.Campaign(kN1);
  cluster.Deliver();
  EXPECT_EQ(cluster.core(kN1).term(), Term(8));
  cluster.Campaign(kN1);
  cluster.Deliver();

  EXPECT_EQ(cluster.Leader(), kN1);
  EXPECT_EQ(cluster.core(kN1).term(), Term(9));
}

TEST(PreVote, AGrantPersistsNothing) {
  CoreCluster cluster(3);

  cluster.Step(kN1, kN2, VoteRequest{.term = Term(1), .is_pre_vote = true});

  EXPECT_EQ(cluster.WaitingForDisk(kN1), 0u);
  EXPECT_EQ(cluster.core(kN1).term(), Term(0));
}

TEST(PreVote, AMajorityOfRefusalsEndsIt) {
  CoreCluster cluster = WithLeader(3);
  cluster.Campaign(kN3);
  ASSERT_EQ(cluster.core(kN3).role(), Role::kPreCandidate);

  cluster.Deliver();

  EXPECT_EQ(cluster.core(kN3).role(), Role::kFollower);
}

TEST(PreVote, GrantsOfAnotherRoundDoNotCount) {
  CoreCluster cluster(3);
  cluster.Campaign(kN1);
  cluster.Drop([](const Packet&) { return true; });

  cluster.Step(kN1, kN2, VoteReply{.term = Term(9), .is_pre_vote = true, .is_granted = true});

  EXPECT_EQ(cluster.core(kN1).role(), Role::kPreCandidate);
  EXPECT_EQ(cluster.core(kN1).term(), Term(0));
}

// --- §4.2.3 and §6.4.1, stickiness and check-quorum. ------------------------------

TEST(Stickiness, NoVoteNoPreVoteNoTermWhileTheLeaderIsHeard) {
  CoreCluster cluster = WithLeader(3);
  for (bool is_pre_vote : {false, true}) {
    cluster.Step(kN2, kN3, VoteRequest{.term = Term(9),
                                       .last_index = LogIndex(9),
                                       .last_term = Term(1),
                                       .is_pre_vote = is_pre_vote});
    cluster.Step(kN1, kN3, VoteRequest{.term = Term(9),
                                       .last_index = LogIndex(9),
                                       .last_term = Term(1),
                                       .is_pre_vote = is_pre_vote});
  }

  cluster.Deliver();

  EXPECT_EQ(cluster.core(kN2).term(), Term(1));
  EXPECT_EQ(cluster.DiskHardStateOf(kN2), (HardState{Term(1), kN1}));
  EXPECT_EQ(cluster.Leader(), kN1);
}

TEST(Stickiness, EndsAfterTheShortestElectionTimeout) {
  CoreConfig config;
  CoreCluster cluster = WithLeader(3, config);
  cluster.Crash(kN1);
  cluster.Tick(kN2, config.election_ticks_min - 1);
  cluster.Campaign(kN3);
  cluster.Deliver();
  ASSERT_EQ(cluster.Leader(), std::nullopt);

  cluster.Tick(kN2, 1);
  cluster.Campaign(kN3);
  cluster.Deliver();

  EXPECT_EQ(cluster.Leader(), kN3);
}

TEST(CheckQuorum, ALeaderWithoutAMajorityStepsDownWithinAnElectionTimeout) {
  CoreConfig config;
  CoreCluster cluster = WithLeader(3, config);
  cluster.Isolate(kN1);

  cluster.Tick(kN1, config.election_ticks_min);
  EXPECT_EQ(cluster.core(kN1).role(), Role::kLeader);
  cluster.Tick(kN1, 1);

  EXPECT_EQ(cluster.core(kN1).role(), Role::kFollower);
  EXPECT_EQ(cluster.core(kN1).leader(), ReplicaId());
  EXPECT_EQ(cluster.core(kN1).term(), Term(1));
}

TEST(CheckQuorum, OneOfTwoFollowersIsEnough) {
  CoreCluster cluster = WithLeader(3);
  cluster.Crash(kN3);

  cluster.Run(1000);

  EXPECT_EQ(cluster.Leader(), kN1);
  EXPECT_EQ(cluster.core(kN1).term(), Term(1));
}

// What it sends arrives, so the others stay with it; what they answer does not.
TEST(CheckQuorum, ALeaderThatIsHeardButHearsNobodyStepsDown) {
  CoreCluster cluster = WithLeader(3);
  cluster.Cut(kN2, kN1);
  cluster.Cut(kN3, kN1);

  cluster.Run(CoreConfig().election_ticks_max * 4);

  ASSERT_NE(cluster.Leader(), std::nullopt);
  EXPECT_NE(*cluster.Leader(), kN1);
}

// A replica that got a majority's pre-votes and then lost the network is a
// candidate of a term that nobody else has. Pre-vote alone would never let it
// back in (a follower with a newer term than the leader's).
TEST(CheckQuorum, AStuckCandidateGetsInAgain) {
  CoreCluster cluster = WithLeader(3);
  cluster.Isolate(kN3);
  cluster.Run(100);
  cluster.Step(kN3, kN1, VoteReply{.term = Term(2), .is_pre_vote = true, .is_granted = true});
  ASSERT_EQ(cluster.core(kN3).role(), Role::kCandidate);
  ASSERT_EQ(cluster.core(kN3).term(), Term(2));

  cluster.Heal();
  cluster.Run(300);

  ASSERT_NE(cluster.Leader(), std::nullopt);
  for (ReplicaId id : cluster.ids()) EXPECT_EQ(cluster.core(id).leader(), *cluster.Leader());
}

// --- §3.10, leadership transfer. ---------------------------------------------------

TEST(Transfer, HandsOverWithoutATimeout) {
  CoreCluster cluster = WithLeader(3);

  ASSERT_TRUE(cluster.Transfer(kN1, kN2).ok());
  cluster.Deliver();

  EXPECT_EQ(cluster.Leader(), kN2);
  EXPECT_EQ(cluster.core(kN1).leader(), kN2);
  EXPECT_FALSE(cluster.core(kN1).is_transferring());
}

TEST(Transfer, WaitsUntilTheTargetHasTheWholeLog) {
  CoreCluster cluster = WithLeader(3);
  cluster.HoldDisk(kN2);
  ASSERT_TRUE(cluster.Propose(kN1).ok());
  cluster.Deliver();

  ASSERT_TRUE(cluster.Transfer(kN1, kN2).ok());
  cluster.Deliver();
  EXPECT_EQ(cluster.Leader(), kN1);
  EXPECT_TRUE(cluster.core(kN1).is_transferring());

  cluster.ReleaseDisk(kN2);
  cluster.Deliver();
  EXPECT_EQ(cluster.Leader(), kN2);
}

TEST(Transfer, RefusesProposalsMeanwhile) {
  CoreCluster cluster = WithLeader(3);
  cluster.HoldDisk(kN2);
  ASSERT_TRUE(cluster.Propose(kN1).ok());
  ASSERT_TRUE(cluster.Transfer(kN1, kN2).ok());

  EXPECT_EQ(cluster.Propose(kN1).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST(Transfer, IsGivenUpAfterAnElectionTimeout) {
  CoreCluster cluster = WithLeader(3);
  cluster.Isolate(kN2);
  ASSERT_TRUE(cluster.Propose(kN1).ok());
  ASSERT_TRUE(cluster.Transfer(kN1, kN2).ok());

  cluster.Run(CoreConfig().election_ticks_min);

  EXPECT_FALSE(cluster.core(kN1).is_transferring());
  EXPECT_EQ(cluster.Leader(), kN1);
  EXPECT_TRUE(cluster.Propose(kN1).ok());
}

TEST(Transfer, ALostTimeoutNowIsSentAgain) {
  CoreCluster cluster = WithLeader(3);
  ASSERT_TRUE(cluster.Transfer(kN1, kN2).ok());
  ASSERT_EQ(cluster.Drop([](const Packet& p) { return Is<TimeoutNow>(p); }), 1);

  cluster.Run(CoreConfig().heartbeat_ticks + 1);

  EXPECT_EQ(cluster.Leader(), kN2);
}

TEST(Transfer, AskingForAnotherTargetReplacesTheFirst) {
  CoreCluster cluster = WithLeader(3);
  cluster.HoldDisk(kN2);
  ASSERT_TRUE(cluster.Propose(kN1).ok());
  ASSERT_TRUE(cluster.Transfer(kN1, kN2).ok());
  cluster.Deliver();

  ASSERT_TRUE(cluster.Transfer(kN1, kN3).ok());
  cluster.Deliver();

  EXPECT_EQ(cluster.Leader(), kN3);
}

TEST(Transfer, NeedsALeaderAndAnotherVoter) {
  CoreCluster cluster = WithLeader(3);

  EXPECT_EQ(cluster.Transfer(kN2, kN3).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(cluster.Transfer(kN1, kN1).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(cluster.Transfer(kN1, ReplicaId(7)).code(), absl::StatusCode::kInvalidArgument);
}

TEST(Transfer, ATimeoutNowOfAnOldTermDoesNothing) {
  CoreCluster cluster = WithLeader(3);
  ASSERT_TRUE(cluster.Transfer(kN1, kN2).ok());
  cluster.Deliver();
  ASSERT_EQ(cluster.core(kN2).term(), Term(2));

  cluster.Step(kN3, kN1, TimeoutNow{.term = Term(1)});
  cluster.Deliver();

  EXPECT_EQ(cluster.Leader(), kN2);
  EXPECT_EQ(cluster.core(kN2).term(), Term(2));
}

// --- Fast suspicion. ------------------------------------------------------------------

TEST(Suspicion, ADeadLeaderIsReplacedWithinAFewTicks) {
  CoreCluster cluster = WithLeader(3);
  cluster.Crash(kN1);

  cluster.Suspect(kN2);
  cluster.Suspect(kN3);
  cluster.Run(5);

  EXPECT_TRUE(cluster.Leader().has_value());
}

TEST(Suspicion, GetsNowhereWhileAPeerHearsTheLeader) {
  CoreCluster cluster = WithLeader(3);
  cluster.Cut(kN1, kN3);
  cluster.Cut(kN3, kN1);

  cluster.Suspect(kN3);
  cluster.Run(500);

  EXPECT_EQ(cluster.Leader(), kN1);
  EXPECT_EQ(cluster.core(kN1).term(), Term(1));
}

TEST(Suspicion, IsForgottenWhenTheLeaderIsHeard) {
  CoreCluster cluster = WithLeader(3);
  cluster.Suspect(kN3);
  cluster.Deliver();
  cluster.Tick(kN1, CoreConfig().heartbeat_ticks);
  cluster.Deliver();
  ASSERT_EQ(cluster.core(kN3).leader(), kN1);

  cluster.Campaign(kN2);
  cluster.Deliver();

  EXPECT_EQ(cluster.Leader(), kN1) << "replica 3 must not have granted anything";
}

TEST(Suspicion, TheLowestIdGoesFirstAndTheOthersWaitTheirTurn) {
  CoreConfig config;
  config.suspicion_stagger_ticks = 3;
  CoreCluster cluster = WithLeader(5, config);
  cluster.Crash(kN1);

  for (ReplicaId id : {kN2, kN3, kN4, kN5}) cluster.Suspect(id);

  EXPECT_EQ(cluster.core(kN2).role(), Role::kPreCandidate);
  for (ReplicaId id : {kN3, kN4, kN5}) EXPECT_EQ(cluster.core(id).role(), Role::kFollower);
  cluster.Drop([](const Packet&) { return true; });
  cluster.Tick(kN4, 5);
  EXPECT_EQ(cluster.core(kN4).role(), Role::kFollower);
  cluster.Tick(kN4, 1);
  EXPECT_EQ(cluster.core(kN4).role(), Role::kPreCandidate);
}

// The first try came before the peer had noticed: the next ones follow within
// suspicion_retry_ticks_max, not after an election timeout.
TEST(Suspicion, IsRetriedSoon) {
  const CoreConfig config;
  CoreCluster cluster = WithLeader(3, config);
  cluster.Crash(kN1);
  cluster.Suspect(kN2);
  cluster.Deliver();
  ASSERT_EQ(cluster.Leader(), std::nullopt);

  cluster.Suspect(kN3);
  cluster.Drop([](const Packet&) { return true; });
  for (int i = 0; i < config.suspicion_retry_ticks_max; ++i) {
    cluster.Tick(kN2);
    cluster.Deliver();
  }

  EXPECT_EQ(cluster.Leader(), kN2);
}

TEST(Suspicion, FallsBackToTheOrdinaryTimeoutAfterAWhile) {
  const CoreConfig config;
  CoreCluster cluster = WithLeader(3, config);
  cluster.Crash(kN1);
  cluster.Crash(kN2);
  cluster.Suspect(kN3);
  cluster.Tick(kN3, config.election_ticks_max);
  EXPECT_GT(CountVoteRequests(cluster, true) / 2, 10);
  cluster.Drop([](const Packet&) { return true; });

  cluster.Tick(kN3, 5 * config.election_ticks_max);

  const int tries = CountVoteRequests(cluster, true) / 2;
  EXPECT_GE(tries, 4);
  EXPECT_LE(tries, 9);
}

// Found by a random world: the suspected process came back, and counting its
// vote as lost for ever left no majority.
TEST(Suspicion, ASuspectedProcessThatIsBackMayVote) {
  CoreCluster cluster = WithLeader(2);
  cluster.Crash(kN1);
  cluster.Suspect(kN2);
  cluster.Deliver();
  cluster.Restart(kN1);

  cluster.Run(CoreConfig().election_ticks_max * 3);

  EXPECT_TRUE(cluster.Leader().has_value());
}

// The disks of a busy machine take longer for a vote than a heartbeat's interval:
// who has voted gives the winner the time to show up.
TEST(Suspicion, WaitsForTheLeaderThatWasVotedFor) {
  CoreCluster cluster(3);
  for (const ReplicaId id : cluster.ids()) cluster.HoldDisk(id);
  for (const ReplicaId id : cluster.ids()) cluster.Suspect(id);
  cluster.Deliver();
  cluster.Persist(kN1);
  cluster.Deliver();
  ASSERT_EQ(cluster.core(kN2).term(), Term(1)) << "it votes for replica 1";

  cluster.Run(CoreConfig().heartbeat_ticks * 5 / 2);
  for (const ReplicaId id : cluster.ids()) cluster.ReleaseDisk(id);
  cluster.Run(CoreConfig().heartbeat_ticks);

  EXPECT_EQ(cluster.Leader(), kN1);
  EXPECT_EQ(cluster.core(kN1).term(), Term(1));
}

TEST(Suspicion, IsAnsweredByAHeartbeatAlsoWhereEntriesDoNotGetThrough) {
  CoreCluster cluster(3);
  cluster.Campaign(kN1);
  cluster.DeliverOnly([](const Packet&) { return true; });
  cluster.DeliverOnly([](const Packet&) { return true; });
  cluster.Persist(kN1);
  while (cluster.Leader() != kN1) {
    ASSERT_GT(cluster.DeliverOnly([](const Packet&) { return true; }), 0);
    for (const ReplicaId id : cluster.ids()) cluster.Persist(id);
  }
  cluster.Drop(Is<AppendRequest>);

  cluster.Tick(kN1);
  cluster.DeliverOnly(Is<Heartbeat>);

  EXPECT_EQ(cluster.core(kN2).leader(), kN1);
  EXPECT_EQ(cluster.core(kN3).leader(), kN1);
}

TEST(Suspicion, MeansNothingToALeader) {
  CoreCluster cluster = WithLeader(3);

  cluster.Suspect(kN1);
  cluster.Run(200);

  EXPECT_EQ(cluster.Leader(), kN1);
}

// --- Preferred leader. ------------------------------------------------------------------

TEST(PreferredLeader, CampaignsBeforeTheOthers) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    CoreConfig config;
    config.seed = seed;
    config.preferred_leader = kN3;
    CoreCluster cluster(3, config);

    cluster.Run(config.election_ticks_max);

    EXPECT_EQ(cluster.Leader(), kN3) << "seed " << seed;
  }
}

TEST(PreferredLeader, IsADelayAndNoRefusal) {
  CoreConfig config;
  config.preferred_leader = kN3;
  CoreCluster cluster(3, config);
  cluster.Crash(kN3);

  cluster.Run(2 * (config.election_ticks_max + config.preferred_delay_ticks));

  EXPECT_TRUE(cluster.Leader().has_value());
}

TEST(PreferredLeader, GoesFirstAfterASuspicion) {
  CoreConfig config;
  config.preferred_leader = kN3;
  CoreCluster cluster = WithLeader(3, config);
  cluster.Crash(kN1);

  cluster.Suspect(kN2);
  cluster.Suspect(kN3);
  EXPECT_EQ(cluster.core(kN2).role(), Role::kFollower);
  cluster.Deliver();

  EXPECT_EQ(cluster.Leader(), kN3);
}

// --- Hostile input. ---------------------------------------------------------------------

TEST(Violations, AStrangersMessagesAreCountedAndIgnored) {
  CoreCluster cluster = WithLeader(3);

  cluster.Step(kN2, ReplicaId(9), VoteRequest{.term = Term(99)});
  cluster.Step(kN2, kN2, VoteRequest{.term = Term(99)});
  cluster.Step(kN2, ReplicaId(), Heartbeat{.term = Term(99)});

  EXPECT_EQ(cluster.core(kN2).protocol_violations(), 3u);
  EXPECT_EQ(cluster.core(kN2).term(), Term(1));
}

TEST(Violations, ATermWithoutASuccessorIsIgnored) {
  CoreCluster cluster(3);

  cluster.Step(kN2, kN1, Heartbeat{.term = Term(~uint64_t{0})});

  EXPECT_EQ(cluster.core(kN2).protocol_violations(), 1u);
  EXPECT_EQ(cluster.core(kN2).term(), Term(0));
}

TEST(Violations, ASecondLeaderOfATermIsIgnored) {
  CoreCluster cluster = WithLeader(3);

  cluster.Step(kN2, kN3, Heartbeat{.term = Term(1), .commit = LogIndex(1), .round = 5});
  cluster.Step(kN1, kN3, AppendRequest{.term = Term(1)});

  EXPECT_EQ(cluster.core(kN2).protocol_violations(), 1u);
  EXPECT_EQ(cluster.core(kN1).protocol_violations(), 1u);
  EXPECT_EQ(cluster.core(kN2).leader(), kN1);
  EXPECT_EQ(cluster.Leader(), kN1);
}

}  // namespace
}  // namespace totora::raft
