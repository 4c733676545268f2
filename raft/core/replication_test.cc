// The log: the sentences of the Raft paper §5.3, §5.4.2 and of the
// dissertation §3.5, §10.2.1, and our own rules on credits, lost messages and
// disks that lag. Each string is one replica's log, one entry per number, the
// number its term.
#include <algorithm>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "raft/core/core.h"
#include "tests/support/core_cluster.h"

namespace totora::raft {
namespace {

using Packet = CoreCluster::Packet;

constexpr auto kAny = [](const Packet&) { return true; };

template <typename T>
bool Is(const Packet& packet) {
  return std::holds_alternative<T>(packet.message);
}

CoreCluster::Filter Link(ReplicaId from, ReplicaId to) {
  return [from, to](const Packet& packet) { return packet.from == from && packet.to == to; };
}

// The AppendRequests on their way to `to`.
std::vector<AppendRequest> AppendsTo(const CoreCluster& cluster, ReplicaId to) {
  std::vector<AppendRequest> found;
  for (const Packet& packet : cluster.in_flight()) {
    if (packet.to == to && Is<AppendRequest>(packet)) {
      found.push_back(std::get<AppendRequest>(packet.message));
    }
  }
  return found;
}

template <typename T>
std::vector<T> SentBy(const CoreCluster& cluster, ReplicaId from) {
  std::vector<T> found;
  for (const Packet& packet : cluster.in_flight()) {
    if (packet.from == from && Is<T>(packet)) found.push_back(std::get<T>(packet.message));
  }
  return found;
}

CoreCluster WithLeader(int replicas, CoreConfig config = {}) {
  CoreCluster cluster(replicas, config);
  cluster.Campaign(kN1);
  cluster.Deliver();
  EXPECT_EQ(cluster.Leader(), kN1);
  return cluster;
}

EntryMeta Entry(uint64_t index, uint64_t term) {
  return {LogIndex(index), Term(term), EntryType::kCommands, 100};
}

// Replica 1 of three, in the last term of its log.
Core CoreWithLog(std::vector<TermStart> terms, LogIndex last, LogIndex commit = LogIndex()) {
  return Core({.self = kN1, .voters = {kN1, kN2, kN3}},
              {.hard_state = {terms.back().term, ReplicaId()},
               .last_index = last,
               .terms = terms,
               .commit = commit});
}

// --- Paper §5.3, log replication. ----------------------------------------------

TEST(Replication, ANewLeaderBeginsWithANoop) {
  Core core({.self = kN1, .voters = {kN1}}, {});

  core.Campaign();

  const Output output = core.TakeOutput();
  ASSERT_EQ(output.entries.size(), 1u);
  EXPECT_EQ(output.entries[0], (EntryMeta{LogIndex(1), Term(1), EntryType::kNoop, kNoopBytes}));
}

TEST(Replication, AProposalGoesToTheDiskAndToEveryFollower) {
  CoreCluster cluster = WithLeader(3);
  cluster.HoldDisk(kN1);

  const absl::StatusOr<EntryMeta> entry = cluster.Propose(kN1, "x", 123);

  ASSERT_TRUE(entry.ok());
  EXPECT_EQ(*entry, (EntryMeta{LogIndex(2), Term(1), EntryType::kCommands, 123}));
  EXPECT_EQ(cluster.WaitingForDisk(kN1), 1u);
  for (ReplicaId to : {kN2, kN3}) {
    const std::vector<AppendRequest> sent = AppendsTo(cluster, to);
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(sent[0].prev_index, LogIndex(1));
    EXPECT_EQ(sent[0].prev_term, Term(1));
    EXPECT_EQ(sent[0].entries, std::vector<EntryMeta>{*entry});
  }
}

TEST(Replication, AnEntryIsCommittedOnceAMajorityHasIt) {
  // Replicas, and how many of them answer besides the leader.
  const std::vector<std::tuple<int, int, bool>> worlds = {
      {1, 0, true},  {2, 0, false}, {2, 1, true},  {3, 0, false}, {3, 1, true},
      {4, 1, false}, {4, 2, true},  {5, 1, false}, {5, 2, true},  {5, 4, true}};
  for (const auto& [replicas, answers, is_committed] : worlds) {
    CoreCluster cluster = WithLeader(replicas);
    for (int i = answers + 2; i <= replicas; ++i) cluster.Isolate(ReplicaId(i));
    ASSERT_TRUE(cluster.Propose(kN1).ok());
    cluster.Deliver();

    EXPECT_EQ(cluster.CommitOf(kN1), LogIndex(is_committed ? 2 : 1))
        << replicas << " replicas, answers " << answers;
  }
}

TEST(Replication, CommittingAnEntryCommitsAllBeforeIt) {
  for (const std::string log : {"", "2", "1 2", "1 1 2 2"}) {
    CoreCluster cluster = CoreCluster::WithLogs({log, "", ""});
    cluster.Campaign(kN1);
    cluster.Deliver();

    EXPECT_EQ(cluster.CommitOf(kN1), cluster.core(kN1).last_index()) << log;
    EXPECT_EQ(cluster.LogOf(kN2), cluster.LogOf(kN1)) << log;
  }
}

TEST(Replication, FollowersLearnTheCommitIndexAtOnce) {
  CoreCluster cluster = WithLeader(3);
  ASSERT_TRUE(cluster.Propose(kN1).ok());

  cluster.Deliver();

  for (ReplicaId id : cluster.ids()) EXPECT_EQ(cluster.CommitOf(id), LogIndex(2));
}

TEST(Replication, TheNewsOfACommitIsNotAnswered) {
  CoreCluster cluster = WithLeader(3);
  ASSERT_TRUE(cluster.Propose(kN1).ok());
  int answers = 0;
  cluster.set_trace([&](const Packet& packet) { answers += Is<HeartbeatReply>(packet); });

  cluster.Deliver();

  EXPECT_EQ(answers, 0);
}

TEST(Replication, AFollowerRefusesWhatDoesNotContinueItsLog) {
  struct Case {
    uint64_t prev_index, prev_term;
    bool is_refused;
  };
  for (const Case& c : std::vector<Case>{
           {0, 0, false}, {1, 1, false}, {2, 2, false}, {1, 2, true}, {2, 1, true}, {3, 2, true}}) {
    CoreCluster cluster = CoreCluster::WithLogs({"1 2", "", ""});

    cluster.Step(kN1, kN2, AppendRequest{.term = Term(2),
                                         .prev_index = LogIndex(c.prev_index),
                                         .prev_term = Term(c.prev_term)});
    cluster.Persist(kN1);

    const std::vector<AppendReply> replies = SentBy<AppendReply>(cluster, kN1);
    ASSERT_EQ(replies.size(), 1u);
    EXPECT_EQ(replies[0].is_success, !c.is_refused) << c.prev_index << "/" << c.prev_term;
    EXPECT_EQ(replies[0].index, LogIndex(c.prev_index));
  }
}

TEST(Replication, AFollowerDropsConflictingEntriesAndKeepsTheOthers) {
  struct Case {
    uint64_t prev_index, prev_term;
    std::vector<EntryMeta> entries;
    std::string log;
    size_t cut_at;  // Index of the first entry written; 0 = nothing written.
  };
  const std::vector<Case> cases = {
      {2, 2, {Entry(3, 3)}, "1 2 3", 3},           // Continues.
      {1, 1, {Entry(2, 3), Entry(3, 4)}, "1 3 4", 2},  // Conflicts.
      {0, 0, {Entry(1, 1)}, "1 2", 0},             // Known: nothing is cut.
      {0, 0, {Entry(1, 3)}, "3", 1},               // Conflicts from the start.
      {0, 0, {Entry(1, 1), Entry(2, 2), Entry(3, 4)}, "1 2 4", 3}};
  for (const Case& c : cases) {
    Core core =
        CoreWithLog({{Term(1), LogIndex(1)}, {Term(2), LogIndex(2)}}, /*last=*/LogIndex(2));
    core.Step(kN2, AppendRequest{.term = Term(4),
                                 .prev_index = LogIndex(c.prev_index),
                                 .prev_term = Term(c.prev_term),
                                 .entries = c.entries});

    std::string log;
    for (LogIndex i(1); i <= core.last_index(); i = i.Next()) {
      log += (log.empty() ? "" : " ") + std::to_string(core.TermAt(i).value());
    }
    EXPECT_EQ(log, c.log);
    const Output output = core.TakeOutput();
    EXPECT_EQ(output.entries.empty() ? 0 : output.entries[0].index.value(), c.cut_at) << c.log;
  }
}

// The paper's figure 7: whatever the followers' logs look like, the leader of
// term 8 makes them equal to its own.
TEST(Replication, TheLeaderBringsEveryLogOfFigureSevenIntoLine) {
  const std::string leader = "1 1 1 4 4 5 5 6 6 6";
  const std::vector<std::string> followers = {
      "1 1 1 4 4 5 5 6 6", "1 1 1 4", "1 1 1 4 4 5 5 6 6 6 6", "1 1 1 4 4 5 5 6 6 6 7 7",
      "1 1 1 4 4 4 4",     "1 1 1 2 2 2 3 3 3 3 3"};
  for (const std::string& follower : followers) {
    // The third replica is there for the majority.
    CoreCluster cluster = CoreCluster::WithLogs({leader, follower, "1"});
    cluster.Isolate(kN2);
    // Enters the figure's term 8 whatever it was.
    while (cluster.core(kN1).term() < Term(7)) {
      cluster.Step(kN1, kN3, HeartbeatReply{.term = Term(7)});
    }
    cluster.Deliver();
    cluster.Campaign(kN1);
    cluster.Deliver();
    ASSERT_EQ(cluster.core(kN1).term(), Term(8)) << follower;

    cluster.Heal();
    cluster.Deliver();

    EXPECT_EQ(cluster.LogOf(kN2), leader + " 8") << follower;
    EXPECT_EQ(cluster.DiskOf(kN2), leader + " 8") << follower;
  }
}

TEST(Replication, ANewLeaderOverwritesATailThatOnlyItsOwnerSaw) {  // §3.5
  CoreCluster cluster = CoreCluster::WithLogs({"1 4", "1 4", "1 2 2 3"});
  cluster.Isolate(kN3);
  cluster.Campaign(kN1);
  cluster.Deliver();
  ASSERT_EQ(cluster.Leader(), kN1);

  cluster.Heal();
  cluster.Deliver();

  EXPECT_EQ(cluster.LogOf(kN3), cluster.LogOf(kN1));
}

// A repeated request is not older than what came behind it.
TEST(Replication, ARepeatedRequestCutsNothing) {
  CoreCluster cluster = WithLeader(3);
  ASSERT_TRUE(cluster.Propose(kN1).ok());
  cluster.Duplicate(Link(kN1, kN2));
  const AppendRequest old = AppendsTo(cluster, kN2).at(0);
  cluster.Deliver();
  ASSERT_TRUE(cluster.Propose(kN1).ok());
  cluster.Deliver();

  cluster.Step(kN2, kN1, old);
  cluster.Deliver();

  EXPECT_EQ(cluster.LogOf(kN2), "1 1 1");
  EXPECT_EQ(cluster.CommitOf(kN2), LogIndex(3));
}

TEST(Replication, OnlyALeaderTakesProposals) {
  CoreCluster cluster = WithLeader(3);

  EXPECT_EQ(cluster.Propose(kN2).status().code(), absl::StatusCode::kFailedPrecondition);
}

// --- Paper §5.4.2, entries of earlier terms. -----------------------------------------

TEST(Commit, AnEntryOfAnEarlierTermIsNotCommittedByCounting) {
  CoreCluster cluster = CoreCluster::WithLogs({"1 2", "1 2", ""});
  cluster.Campaign(kN1);
  // Everything but the new leader's own entry gets through.
  for (int i = 0; i < 20; ++i) {
    cluster.Persist(kN1);
    cluster.Persist(kN2);
    cluster.Drop([](const Packet& packet) {
      const AppendRequest* append = std::get_if<AppendRequest>(&packet.message);
      return append != nullptr && !append->entries.empty();
    });
    cluster.DeliverOnly(kAny);
  }
  ASSERT_EQ(cluster.Leader(), kN1);
  cluster.Step(kN1, kN2, AppendReply{.term = cluster.core(kN1).term(),
                                     .is_success = true,
                                     .index = LogIndex(2)});

  EXPECT_EQ(cluster.core(kN1).MatchOf(kN2), LogIndex(2));
  EXPECT_EQ(cluster.CommitOf(kN1), LogIndex(0));

  cluster.Heal();
  cluster.PeerReconnected(kN1, kN2);
  cluster.Deliver();
  EXPECT_EQ(cluster.CommitOf(kN1), LogIndex(3));
}

TEST(Commit, AFollowerBelievesACommitIndexOnlyAsFarAsItsLogIsKnownToMatch) {
  // What it has behind prev_index + entries may still be overwritten.
  Core core = CoreWithLog({{Term(1), LogIndex(1)}}, LogIndex(4));

  core.Step(kN2, AppendRequest{.term = Term(2),
                               .prev_index = LogIndex(1),
                               .prev_term = Term(1),
                               .entries = {Entry(2, 1)},
                               .commit = LogIndex(4)});

  EXPECT_EQ(core.commit_index(), LogIndex(2));
}

TEST(Commit, AHeartbeatOfANewLeaderCommitsNothingUnmatched) {
  Core core = CoreWithLog({{Term(1), LogIndex(1)}}, LogIndex(3));

  core.Step(kN2, Heartbeat{.term = Term(2), .commit = LogIndex(3), .round = 1});

  EXPECT_EQ(core.commit_index(), LogIndex(0));
}

TEST(Commit, AHeartbeatTellsAFollowerNoMoreThanItHasAcknowledged) {
  CoreCluster cluster = WithLeader(3);
  cluster.Isolate(kN3);
  ASSERT_TRUE(cluster.Propose(kN1).ok());
  cluster.Deliver();
  ASSERT_EQ(cluster.CommitOf(kN1), LogIndex(2));
  cluster.Heal(/*quietly=*/true);

  cluster.Tick(kN1, CoreConfig().heartbeat_ticks);

  for (const Packet& packet : cluster.in_flight()) {
    const Heartbeat* heartbeat = std::get_if<Heartbeat>(&packet.message);
    if (heartbeat == nullptr) continue;
    EXPECT_EQ(heartbeat->commit, LogIndex(packet.to == kN3 ? 1 : 2));
  }
}

TEST(Commit, AReplicaKeepsWhatItKnewToBeCommittedAcrossARestart) {
  Core core = CoreWithLog({{Term(1), LogIndex(1)}}, LogIndex(3), /*commit=*/LogIndex(2));

  core.Step(kN2, AppendRequest{.term = Term(2),
                               .prev_index = LogIndex(1),
                               .prev_term = Term(1),
                               .entries = {Entry(2, 2)}});

  EXPECT_EQ(core.protocol_violations(), 1u);
  EXPECT_EQ(core.TermAt(LogIndex(2)), Term(1));
  EXPECT_EQ(core.last_index(), LogIndex(3));
}

// --- §10.2.1, disks in parallel with the network. --------------------------------------

TEST(Durability, TheLeadersOwnDiskIsOneMoreAcknowledgement) {
  CoreCluster cluster = WithLeader(3);
  cluster.HoldDisk(kN1);
  ASSERT_TRUE(cluster.Propose(kN1).ok());

  // Both followers have it: that is a majority without the leader.
  cluster.Deliver();
  EXPECT_EQ(cluster.CommitOf(kN1), LogIndex(2));
  EXPECT_EQ(cluster.core(kN1).durable_index(), LogIndex(1));
}

TEST(Durability, WithoutItsOwnDiskALeaderAndOneFollowerAreNoMajority) {
  CoreCluster cluster = WithLeader(3);
  cluster.HoldDisk(kN1);
  cluster.Isolate(kN3);
  ASSERT_TRUE(cluster.Propose(kN1).ok());
  cluster.Deliver();
  EXPECT_EQ(cluster.CommitOf(kN1), LogIndex(1));

  cluster.ReleaseDisk(kN1);
  cluster.Deliver();
  EXPECT_EQ(cluster.CommitOf(kN1), LogIndex(2));
}

TEST(Durability, AFollowerAcknowledgesOnlyWhatItsDiskHas) {
  CoreCluster cluster = WithLeader(3);
  cluster.HoldDisk(kN2);
  ASSERT_TRUE(cluster.Propose(kN1).ok());

  cluster.DeliverOnly(Link(kN1, kN2));
  EXPECT_TRUE(SentBy<AppendReply>(cluster, kN2).empty());

  cluster.Persist(kN2);
  ASSERT_EQ(SentBy<AppendReply>(cluster, kN2).size(), 1u);
  EXPECT_EQ(SentBy<AppendReply>(cluster, kN2)[0].index, LogIndex(2));
}

TEST(Durability, ARepeatedRequestIsNotAcknowledgedEarlier) {
  CoreCluster cluster = WithLeader(3);
  cluster.HoldDisk(kN2);
  ASSERT_TRUE(cluster.Propose(kN1).ok());
  cluster.Duplicate(Link(kN1, kN2));

  cluster.DeliverOnly(Link(kN1, kN2));

  EXPECT_TRUE(SentBy<AppendReply>(cluster, kN2).empty());
}

TEST(Durability, HeartbeatsAreAnsweredByAReplicaWhoseDiskStandsStill) {
  CoreCluster cluster = WithLeader(3);
  cluster.HoldDisk(kN2);
  cluster.HoldDisk(kN3);
  ASSERT_TRUE(cluster.Propose(kN1).ok());

  cluster.Run(500);

  EXPECT_EQ(cluster.Leader(), kN1);
  EXPECT_EQ(cluster.CommitOf(kN1), LogIndex(1));
}

// The ABA race: the write of (3, term 2) is under way, a leader of term 3
// overwrites it, a leader of term 4 brings (3, term 2) back. The late
// completion of the first write says nothing about the third.
TEST(Durability, ALateCompletionOfAnOverwrittenTailCountsForNothing) {
  Core core = CoreWithLog({{Term(1), LogIndex(1)}}, LogIndex(2));
  const auto append = [&core](ReplicaId from, uint64_t term, uint64_t entry_term) {
    core.Step(from, AppendRequest{.term = Term(term),
                                  .prev_index = LogIndex(2),
                                  .prev_term = Term(1),
                                  .entries = {Entry(3, entry_term)}});
    core.TakeOutput();
  };
  append(kN2, 2, 2);
  append(kN3, 3, 3);
  append(kN2, 4, 2);

  core.LogDurable(LogIndex(3), Term(2));
  EXPECT_EQ(core.durable_index(), LogIndex(2));
  core.LogDurable(LogIndex(3), Term(3));
  EXPECT_EQ(core.durable_index(), LogIndex(2));
  core.LogDurable(LogIndex(3), Term(2));
  EXPECT_EQ(core.durable_index(), LogIndex(3));
}

TEST(Durability, ACompletionThatNoLongerFitsIsIgnored) {
  CoreCluster cluster = CoreCluster::WithLogs({"1 1", "1 1", "1 1"});

  cluster.core(kN1).LogDurable(LogIndex(2), Term(7));
  cluster.core(kN1).LogDurable(LogIndex(9), Term(1));

  EXPECT_EQ(cluster.core(kN1).durable_index(), LogIndex(2));
}

TEST(Durability, AnOverwrittenTailIsNoLongerDurable) {
  Core core = CoreWithLog({{Term(1), LogIndex(1)}}, LogIndex(3));
  ASSERT_EQ(core.durable_index(), LogIndex(3));

  core.Step(kN2, AppendRequest{.term = Term(2),
                               .prev_index = LogIndex(1),
                               .prev_term = Term(1),
                               .entries = {Entry(2, 1), Entry(3, 2)}});

  EXPECT_EQ(core.durable_index(), LogIndex(2));
}

// One Output that is never handed over: what two leaders did within it.
TEST(Durability, AnAcknowledgementOfAnOverwrittenTailDoesNotLeave) {
  Core core({.self = kN1, .voters = {kN1, kN2, kN3}}, {});
  core.Step(kN2, AppendRequest{.term = Term(1), .entries = {Entry(1, 1), Entry(2, 1)}});

  core.Step(kN3, AppendRequest{.term = Term(2), .entries = {Entry(1, 2)}});

  const Output output = core.TakeOutput();
  EXPECT_EQ(output.entries, (std::vector<EntryMeta>{Entry(1, 2)}));
  ASSERT_EQ(output.messages_after_persist.size(), 1u);
  EXPECT_EQ(output.messages_after_persist[0].to, kN3);
}

// --- Conflict back-off. -------------------------------------------------------------------

// How many refusals it takes until the follower's log matches.
int Refusals(const std::string& leader, const std::string& follower) {
  CoreCluster cluster = CoreCluster::WithLogs({leader, follower, leader});
  cluster.Isolate(kN2);
  for (int i = 0; i < 3 && !cluster.Leader(); ++i) {
    cluster.Campaign(kN1);
    cluster.Deliver();
  }
  EXPECT_EQ(cluster.Leader(), kN1);
  int refusals = 0;
  cluster.set_trace([&refusals](const Packet& packet) {
    const AppendReply* reply = std::get_if<AppendReply>(&packet.message);
    refusals += reply != nullptr && !reply->is_success && packet.from == kN2 ? 1 : 0;
  });
  cluster.Heal();
  cluster.Deliver();
  for (int i = 0; i < 30; ++i) cluster.Run(1);
  EXPECT_EQ(cluster.LogOf(kN2), cluster.LogOf(kN1));
  return refusals;
}

TEST(BackOff, AShortLogCostsOneRefusal) { EXPECT_EQ(Refusals("1 1 1 1 1 1 1 1", "1"), 1); }

TEST(BackOff, AnEmptyLogCostsOneRefusal) { EXPECT_EQ(Refusals("1 1 2 2 2 3 3", ""), 1); }

TEST(BackOff, AFollowersLongWrongTermIsSkippedAtOnce) {
  EXPECT_EQ(Refusals("1 1 1 5", "1 1 1 2 2 2 2 2 2 2 2 2 2"), 1);
}

TEST(BackOff, ALeadersLongTermThatTheFollowerLacksIsSkippedAtOnce) {
  EXPECT_LE(Refusals("1 1 3 3 3 3 3 3 3 3 3 3 3 3", "1 1 2 2 2 2 2"), 2);
}

TEST(BackOff, ManyAlternatingTermsCostAtMostOneRefusalEach) {
  EXPECT_LE(Refusals("1 1 3 3 5 5 7 7 9 9", "1 1 2 2 4 4 6 6 8 8 8 8"), 5);
}

TEST(BackOff, TheHintIsTheEndOfAShortLog) {
  CoreCluster cluster = CoreCluster::WithLogs({"1 2", "", ""});

  cluster.Step(kN1, kN2, AppendRequest{.term = Term(3),
                                       .prev_index = LogIndex(9),
                                       .prev_term = Term(3)});
  cluster.Persist(kN1);

  const AppendReply reply = SentBy<AppendReply>(cluster, kN1).at(0);
  EXPECT_EQ(reply.index, LogIndex(9));
  EXPECT_EQ(reply.hint_index, LogIndex(2));
  EXPECT_EQ(reply.hint_term, Term(2));
}

// --- Pipelining, credits, batches. --------------------------------------------------------

TEST(Pipeline, ANewLeaderProbesWithOneRequest) {
  CoreCluster cluster(3);
  cluster.Crash(kN3);
  cluster.Campaign(kN1);
  cluster.Deliver();
  ASSERT_EQ(cluster.Leader(), kN1);
  cluster.Drop(kAny);

  for (int i = 0; i < 5; ++i) ASSERT_TRUE(cluster.Propose(kN1).ok());

  EXPECT_EQ(AppendsTo(cluster, kN2).size(), 5u) << "acknowledged: pipelined";
  EXPECT_EQ(AppendsTo(cluster, kN3).size(), 0u) << "its probe is unanswered";
}

TEST(Pipeline, RequestsAreSentAheadOfTheAcknowledgements) {
  CoreCluster cluster = WithLeader(3);

  for (int i = 0; i < 10; ++i) ASSERT_TRUE(cluster.Propose(kN1).ok());

  const std::vector<AppendRequest> sent = AppendsTo(cluster, kN2);
  ASSERT_EQ(sent.size(), 10u);
  for (size_t i = 0; i < sent.size(); ++i) EXPECT_EQ(sent[i].prev_index, LogIndex(i + 1));
}

TEST(Pipeline, ProposalsOfOneOutputShareARequest) {
  Core core({.self = kN1, .voters = {kN1, kN2}}, {});
  core.Campaign();
  core.Step(kN2, VoteReply{.term = Term(1), .is_pre_vote = true, .is_granted = true});
  core.Step(kN2, VoteReply{.term = Term(1), .is_granted = true});
  core.TakeOutput();
  core.Step(kN2, AppendReply{.term = Term(1), .is_success = true, .index = LogIndex(1)});
  core.TakeOutput();

  for (int i = 0; i < 5; ++i) ASSERT_TRUE(core.Propose(EntryType::kCommands, 100).ok());

  const Output output = core.TakeOutput();
  EXPECT_EQ(output.entries.size(), 5u);
  ASSERT_EQ(output.messages_now.size(), 1u);
  EXPECT_EQ(std::get<AppendRequest>(output.messages_now[0].message).entries.size(), 5u);
}

TEST(Credits, MessagesInFlightAreBounded) {
  CoreConfig config;
  config.inflight_messages_max = 3;
  CoreCluster cluster = WithLeader(3, config);

  for (int i = 0; i < 10; ++i) ASSERT_TRUE(cluster.Propose(kN1).ok());
  EXPECT_EQ(AppendsTo(cluster, kN2).size(), 3u);

  // One acknowledgement frees one credit, and what waited goes as one batch.
  cluster.DeliverOnly(Link(kN1, kN2), 1);
  cluster.Persist(kN2);
  cluster.DeliverOnly(Link(kN2, kN1));
  const std::vector<AppendRequest> sent = AppendsTo(cluster, kN2);
  ASSERT_EQ(sent.size(), 3u);
  EXPECT_EQ(sent.back().entries.size(), 7u);
}

TEST(Credits, BytesInFlightAreBounded) {
  CoreConfig config;
  config.inflight_bytes_max = 1000;
  CoreCluster cluster = WithLeader(3, config);

  for (int i = 0; i < 10; ++i) ASSERT_TRUE(cluster.Propose(kN1, "x", 300).ok());

  EXPECT_EQ(AppendsTo(cluster, kN2).size(), 3u);
  cluster.Deliver();
  EXPECT_EQ(cluster.LogOf(kN2), cluster.LogOf(kN1));
}

TEST(Credits, AnEntryLargerThanAllCreditGoesAlone) {
  CoreConfig config;
  config.inflight_bytes_max = 1000;
  CoreCluster cluster = WithLeader(3, config);

  ASSERT_TRUE(cluster.Propose(kN1, "big", 5000).ok());
  ASSERT_TRUE(cluster.Propose(kN1, "small", 100).ok());
  EXPECT_EQ(AppendsTo(cluster, kN2).size(), 1u);

  cluster.Deliver();
  EXPECT_EQ(cluster.LogOf(kN2), "1 1 1");
}

TEST(Credits, ARequestIsCutAtAppendBytesMax) {
  CoreConfig config;
  config.append_bytes_max = 1000;
  CoreCluster cluster = WithLeader(3, config);
  cluster.Isolate(kN2);
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(cluster.Propose(kN1, "x", 300).ok());
  cluster.Deliver();

  cluster.Heal();
  ASSERT_EQ(AppendsTo(cluster, kN2).size(), 1u);
  EXPECT_EQ(AppendsTo(cluster, kN2)[0].entries.size(), 3u);

  cluster.Deliver();
  EXPECT_EQ(cluster.LogOf(kN2), cluster.LogOf(kN1));
}

// Its size is known to the disk only: it counts as a sixteenth of a request.
TEST(Credits, AForgottenEntryCountsAsASixteenthOfARequest) {
  CoreConfig config;
  config.recent_entries_max = 8;
  CoreCluster cluster = WithLeader(3, config);
  cluster.Isolate(kN2);
  for (int i = 0; i < 60; ++i) {
    ASSERT_TRUE(cluster.Propose(kN1).ok());
    cluster.Deliver();
  }

  cluster.Heal();

  ASSERT_EQ(AppendsTo(cluster, kN2).size(), 1u);
  EXPECT_EQ(AppendsTo(cluster, kN2)[0].entries.size(), 16u);
  cluster.Deliver();
  EXPECT_EQ(cluster.LogOf(kN2), cluster.LogOf(kN1));
}

TEST(Credits, ASlowFollowerDoesNotHoldUpTheOther) {
  CoreConfig config;
  config.inflight_messages_max = 2;
  CoreCluster cluster = WithLeader(3, config);
  cluster.HoldDisk(kN3);

  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(cluster.Propose(kN1).ok());
    cluster.Deliver();
  }

  EXPECT_EQ(cluster.CommitOf(kN1), LogIndex(51));
  EXPECT_EQ(cluster.core(kN1).MatchOf(kN3), LogIndex(1));
  cluster.ReleaseDisk(kN3);
  cluster.Deliver();
  EXPECT_EQ(cluster.core(kN1).MatchOf(kN3), LogIndex(51));
}

TEST(Uncommitted, BytesAreBounded) {
  CoreConfig config;
  config.uncommitted_bytes_max = 1000;
  CoreCluster cluster = WithLeader(3, config);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(cluster.Propose(kN1, "x", 300).ok());

  EXPECT_EQ(cluster.Propose(kN1, "x", 300).status().code(), absl::StatusCode::kResourceExhausted);

  cluster.Deliver();
  EXPECT_TRUE(cluster.Propose(kN1, "x", 300).ok());
}

TEST(Uncommitted, OneEntryIsAlwaysLetIn) {
  CoreConfig config;
  config.uncommitted_bytes_max = 1000;
  CoreCluster cluster = WithLeader(3, config);

  EXPECT_TRUE(cluster.Propose(kN1, "x", 5000).ok());
}

TEST(Uncommitted, EntriesAreBounded) {
  CoreConfig config;
  config.recent_entries_max = 4;
  CoreCluster cluster = WithLeader(3, config);
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(cluster.Propose(kN1).ok());

  EXPECT_EQ(cluster.Propose(kN1).status().code(), absl::StatusCode::kResourceExhausted);
}

// --- Lost messages. --------------------------------------------------------------------------

TEST(Loss, ALostRequestIsFoundByTheFollowerAtTheNextOne) {
  CoreCluster cluster = WithLeader(3);
  ASSERT_TRUE(cluster.Propose(kN1).ok());
  cluster.Drop(Link(kN1, kN2));
  ASSERT_TRUE(cluster.Propose(kN1).ok());

  cluster.Deliver();

  EXPECT_EQ(cluster.LogOf(kN2), "1 1 1");
}

TEST(Loss, TheLastRequestBeforeSilenceIsSentAgain) {
  CoreCluster cluster = WithLeader(3);
  ASSERT_TRUE(cluster.Propose(kN1).ok());
  cluster.Drop(kAny);

  cluster.Run(2 * CoreConfig().heartbeat_ticks + 1);

  EXPECT_EQ(cluster.LogOf(kN2), "1 1");
  EXPECT_EQ(cluster.CommitOf(kN2), LogIndex(2));
}

TEST(Loss, ALostProbeIsSentAgain) {
  CoreCluster cluster(3);
  cluster.Campaign(kN1);
  while (!cluster.Leader()) {
    cluster.Persist(kN1);
    cluster.Persist(kN2);
    cluster.Persist(kN3);
    cluster.DeliverOnly(kAny);
  }
  ASSERT_EQ(cluster.Drop([](const Packet& p) { return Is<AppendRequest>(p); }), 2);

  cluster.Run(2 * CoreConfig().heartbeat_ticks + 1);

  EXPECT_EQ(cluster.CommitOf(kN1), LogIndex(1));
}

TEST(Loss, ALostAcknowledgementIsAskedForAgain) {
  CoreCluster cluster = WithLeader(3);
  cluster.Crash(kN3);
  ASSERT_TRUE(cluster.Propose(kN1).ok());
  cluster.DeliverOnly(kAny);
  cluster.Persist(kN1);
  cluster.Persist(kN2);
  ASSERT_GE(cluster.Drop(Link(kN2, kN1)), 1);
  ASSERT_EQ(cluster.CommitOf(kN1), LogIndex(1));

  cluster.Run(2 * CoreConfig().heartbeat_ticks + 1);

  EXPECT_EQ(cluster.CommitOf(kN1), LogIndex(2));
}

// A slow disk looks like a lost message. Finding out must not send the bytes
// again.
TEST(Loss, AFollowerWithASlowDiskGetsNoEntryTwice) {
  CoreCluster cluster = WithLeader(3);
  cluster.HoldDisk(kN2);
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(cluster.Propose(kN1).ok());
  cluster.Deliver();
  int entries = 0;
  cluster.set_trace([&entries](const Packet& packet) {
    const AppendRequest* append = std::get_if<AppendRequest>(&packet.message);
    if (append != nullptr && packet.to == kN2) entries += static_cast<int>(append->entries.size());
  });

  cluster.Run(300);
  cluster.ReleaseDisk(kN2);
  cluster.Run(300);

  EXPECT_EQ(entries, 0);
  EXPECT_EQ(cluster.core(kN1).MatchOf(kN2), LogIndex(6));
}

// Before the first acknowledgement of a term nothing is known about the peer.
// Probing behind match() would send it the log from the start.
TEST(Loss, APeerThatReconnectsBeforeItsFirstAcknowledgementIsProbedAtTheEnd) {
  CoreCluster cluster = CoreCluster::WithLogs({"1 1 1 1", "1 1 1 1", "1 1 1 1"});
  cluster.Isolate(kN3);
  cluster.Campaign(kN1);
  cluster.Deliver();

  cluster.Heal();

  ASSERT_EQ(AppendsTo(cluster, kN3).size(), 1u);
  EXPECT_EQ(AppendsTo(cluster, kN3)[0].prev_index, LogIndex(4));
}

TEST(Loss, AReconnectedPeerIsProbedAtOnce) {
  CoreCluster cluster = WithLeader(3);
  ASSERT_TRUE(cluster.Propose(kN1).ok());
  cluster.Drop(kAny);

  cluster.PeerReconnected(kN1, kN2);
  cluster.Deliver();

  EXPECT_EQ(cluster.LogOf(kN2), "1 1");
}

// A restarted follower does not know what is committed; the probe tells it
// even when there is nothing to send.
TEST(Loss, ARestartedFollowerLearnsTheCommitIndexWithoutNewEntries) {
  CoreCluster cluster = WithLeader(3);
  cluster.Crash(kN2);

  cluster.Restart(kN2);
  cluster.Deliver();

  EXPECT_EQ(cluster.CommitOf(kN2), LogIndex(1));
}

TEST(Loss, AReorderedPipelineHeals) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    CoreCluster cluster = WithLeader(3);
    for (int i = 0; i < 10; ++i) ASSERT_TRUE(cluster.Propose(kN1).ok());
    cluster.Shuffle(seed);

    cluster.Run(2 * CoreConfig().heartbeat_ticks + 1);

    EXPECT_EQ(cluster.LogOf(kN2), cluster.LogOf(kN1)) << "seed " << seed;
    EXPECT_EQ(cluster.CommitOf(kN3), LogIndex(11)) << "seed " << seed;
  }
}

// --- Hostile input. -----------------------------------------------------------------------------

TEST(Violations, AMalformedRequestChangesNothing) {
  const std::vector<AppendRequest> requests = {
      // A hole, a falling term, a term beyond the request's, a term below prev_term,
      // term 0, prev_index without prev_term and the reverse.
      {.term = Term(3), .entries = {Entry(2, 1)}},
      {.term = Term(3), .entries = {Entry(1, 2), Entry(2, 1)}},
      {.term = Term(3), .entries = {Entry(1, 4)}},
      {.term = Term(3), .prev_index = LogIndex(1), .prev_term = Term(2), .entries = {Entry(2, 1)}},
      {.term = Term(3), .entries = {Entry(1, 0)}},
      {.term = Term(3), .prev_index = LogIndex(1)},
      {.term = Term(3), .prev_term = Term(1)}};
  for (size_t i = 0; i < requests.size(); ++i) {
    CoreCluster cluster = CoreCluster::WithLogs({"1", "", ""});

    cluster.Step(kN1, kN2, requests[i]);

    EXPECT_EQ(cluster.core(kN1).protocol_violations(), 1u) << i;
    EXPECT_EQ(cluster.LogOf(kN1), "1") << i;
    EXPECT_EQ(cluster.core(kN1).term(), Term(1)) << i;
  }
}

TEST(Violations, ACommittedEntryIsNeverOverwritten) {
  CoreCluster cluster = WithLeader(3);
  ASSERT_TRUE(cluster.Propose(kN1).ok());
  cluster.Deliver();

  cluster.Step(kN2, kN3, AppendRequest{.term = Term(9), .entries = {Entry(1, 9)}});

  EXPECT_EQ(cluster.LogOf(kN2), "1 1");
  EXPECT_EQ(cluster.core(kN2).protocol_violations(), 1u);
}

TEST(Violations, AnAcknowledgementBeyondTheLogCountsForNothing) {
  CoreCluster cluster = WithLeader(3);
  cluster.Isolate(kN2);
  cluster.Isolate(kN3);
  ASSERT_TRUE(cluster.Propose(kN1).ok());

  cluster.Step(kN1, kN2, AppendReply{.term = Term(1), .is_success = true, .index = LogIndex(99)});

  EXPECT_EQ(cluster.CommitOf(kN1), LogIndex(1));
  EXPECT_EQ(cluster.core(kN1).protocol_violations(), 1u);
}

}  // namespace
}  // namespace totora::raft
