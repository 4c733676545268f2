// The parts that a Core is made of: terms of the log, sizes, durability,
// votes, a follower's progress.
#include <optional>
#include <vector>

#include "gtest/gtest.h"
#include "raft/core/durability.h"
#include "raft/core/progress.h"
#include "raft/core/quorum.h"
#include "raft/core/recent_entries.h"
#include "raft/core/term_table.h"

namespace totora::raft {
namespace {

TermTable LogWith(const std::vector<uint64_t>& terms) {
  TermTable log({}, LogIndex());
  for (uint64_t term : terms) log.Append(Term(term));
  return log;
}

// Compared with the obvious linear answers, at every index and term.
TEST(TermTable, AnswersLikeAPlainListOfTerms) {
  const std::vector<uint64_t> terms = {1, 1, 2, 5, 5, 5, 8};
  const TermTable log = LogWith(terms);
  ASSERT_EQ(log.last(), LogIndex(7));
  ASSERT_EQ(log.runs().size(), 4u);

  for (uint64_t index = 0; index <= 9; ++index) {
    const uint64_t at = index >= 1 && index <= terms.size() ? terms[index - 1] : 0;
    EXPECT_EQ(log.At(LogIndex(index)), Term(at)) << index;
    for (uint64_t term = 0; term <= 9; ++term) {
      uint64_t expected = std::min<uint64_t>(index, terms.size());
      while (expected > 0 && terms[expected - 1] > term) --expected;
      EXPECT_EQ(log.LastAtMost(Term(term), LogIndex(index)), LogIndex(expected))
          << "term " << term << " up to " << index;
    }
  }
}

TEST(TermTable, ForgetsATailAtEveryPlace) {
  const std::vector<uint64_t> terms = {1, 1, 2, 5, 5, 5, 8};
  for (size_t first = 1; first <= terms.size() + 1; ++first) {
    TermTable log = LogWith(terms);

    log.TruncateFrom(LogIndex(first));
    log.Append(Term(9));

    const size_t kept = std::min(first - 1, terms.size());
    EXPECT_EQ(log.last(), LogIndex(kept + 1));
    for (size_t i = 0; i < kept; ++i) EXPECT_EQ(log.At(LogIndex(i + 1)), Term(terms[i]));
    EXPECT_EQ(log.At(log.last()), Term(9));
  }
}

TEST(TermTable, StartsFromRecoveredRuns) {
  const TermTable log({{Term(1), LogIndex(1)}, {Term(4), LogIndex(3)}}, LogIndex(5));

  EXPECT_EQ(log.At(LogIndex(2)), Term(1));
  EXPECT_EQ(log.At(LogIndex(3)), Term(4));
  EXPECT_EQ(log.At(LogIndex(5)), Term(4));
  EXPECT_EQ(log.last_term(), Term(4));
}

TEST(RecentEntries, RemembersTheNewestOnly) {
  RecentEntries recent(LogIndex(10), 3);
  for (uint32_t bytes : {100, 200, 300, 400}) recent.Append(EntryType::kCommands, bytes);

  EXPECT_EQ(recent.last(), LogIndex(14));
  EXPECT_FALSE(recent.Find(LogIndex(11)).has_value());
  ASSERT_TRUE(recent.Find(LogIndex(12)).has_value());
  EXPECT_EQ(recent.Find(LogIndex(12))->bytes, 200u);
  EXPECT_EQ(recent.Find(LogIndex(14))->bytes, 400u);
  EXPECT_FALSE(recent.Find(LogIndex(15)).has_value());
  EXPECT_EQ(recent.BytesBehind(LogIndex(0)), 900u);
  EXPECT_EQ(recent.BytesBehind(LogIndex(12)), 700u);
  EXPECT_EQ(recent.BytesBehind(LogIndex(14)), 0u);
  EXPECT_EQ(recent.CountBehind(LogIndex(0)), 3u);
  EXPECT_EQ(recent.CountBehind(LogIndex(13)), 1u);
}

TEST(RecentEntries, ForgetsATailEvenBeyondItsWindow) {
  RecentEntries recent(LogIndex(10), 3);
  for (uint32_t bytes : {100, 200, 300}) recent.Append(EntryType::kCommands, bytes);

  recent.TruncateFrom(LogIndex(13));
  EXPECT_EQ(recent.BytesBehind(LogIndex(0)), 300u);
  recent.TruncateFrom(LogIndex(5));
  EXPECT_EQ(recent.last(), LogIndex(4));
  EXPECT_EQ(recent.CountBehind(LogIndex(0)), 0u);
  recent.Append(EntryType::kNoop, 64);

  EXPECT_EQ(recent.Find(LogIndex(5))->bytes, 64u);
  EXPECT_EQ(recent.BytesBehind(LogIndex(4)), 64u);
}

// --- Durability: each write is (last index, term), as the disk reports it. ------

TEST(DurabilityTracking, FollowsCompletionsOfOneLog) {
  const TermTable log = LogWith({1, 1, 2, 2});
  Durability durable{LogIndex(1)};

  durable.Completed(log, LogIndex(3), Term(2));
  EXPECT_EQ(durable.index(), LogIndex(3));
  durable.Completed(log, LogIndex(2), Term(1));
  EXPECT_EQ(durable.index(), LogIndex(3)) << "never back without a cut";
  durable.Completed(log, LogIndex(4), Term(1));
  EXPECT_EQ(durable.index(), LogIndex(3)) << "not this log's entry";
}

TEST(DurabilityTracking, ACompletionOfAnOldTailProvesWhatBothLogsShare) {
  TermTable log = LogWith({1, 1, 2, 2});
  Durability durable{LogIndex(1)};
  durable.Cut(log, LogIndex(3), /*written=*/LogIndex(4));
  log.TruncateFrom(LogIndex(3));
  log.Append(Term(3));

  durable.Completed(log, LogIndex(4), Term(2));

  EXPECT_EQ(durable.index(), LogIndex(2));
  EXPECT_EQ(durable.overwritten_tails(), 0u);
}

TEST(DurabilityTracking, ACompletionBehindTheCutProvesTheCut) {
  TermTable log = LogWith({1, 1, 2, 2});
  Durability durable{LogIndex(1)};
  durable.Cut(log, LogIndex(3), LogIndex(4));
  log.TruncateFrom(LogIndex(3));
  log.Append(Term(3));

  durable.Completed(log, LogIndex(3), Term(3));

  EXPECT_EQ(durable.index(), LogIndex(3));
  EXPECT_EQ(durable.overwritten_tails(), 0u);
}

TEST(DurabilityTracking, ACompletionBeforeTheCutProvesNothingAboutIt) {
  TermTable log = LogWith({1, 1, 2, 2});
  Durability durable{LogIndex(1)};
  durable.Cut(log, LogIndex(3), LogIndex(4));
  log.TruncateFrom(LogIndex(3));
  log.Append(Term(3));

  durable.Completed(log, LogIndex(2), Term(1));

  EXPECT_EQ(durable.index(), LogIndex(2));
  EXPECT_EQ(durable.overwritten_tails(), 1u);
}

// 2 -> 3 -> 2 at the same index, with all completions, in order.
TEST(DurabilityTracking, TellsTheFirstWriteFromTheThird) {
  TermTable log = LogWith({1, 2, 2});
  Durability durable{LogIndex(1)};
  durable.Cut(log, LogIndex(2), LogIndex(3));
  log.TruncateFrom(LogIndex(2));
  log.Append(Term(3));
  durable.Cut(log, LogIndex(2), LogIndex(2));
  log.TruncateFrom(LogIndex(2));
  log.Append(Term(2));
  log.Append(Term(2));

  durable.Completed(log, LogIndex(2), Term(2));  // Half of the first write.
  EXPECT_EQ(durable.index(), LogIndex(1));
  durable.Completed(log, LogIndex(3), Term(2));  // The rest of it.
  EXPECT_EQ(durable.index(), LogIndex(1));
  durable.Completed(log, LogIndex(2), Term(3));
  EXPECT_EQ(durable.index(), LogIndex(1));
  durable.Completed(log, LogIndex(3), Term(2));
  EXPECT_EQ(durable.index(), LogIndex(3));
  EXPECT_EQ(durable.overwritten_tails(), 0u);
}

// The driver synced all three writes together and reports the last one only.
// It cannot be told from the first; the next write clears the matter up.
TEST(DurabilityTracking, AnAmbiguousCompletionIsSettledByTheNextOne) {
  TermTable log = LogWith({1, 2});
  Durability durable{LogIndex(1)};
  durable.Cut(log, LogIndex(2), LogIndex(2));
  log.TruncateFrom(LogIndex(2));
  log.Append(Term(3));
  durable.Cut(log, LogIndex(2), LogIndex(2));
  log.TruncateFrom(LogIndex(2));
  log.Append(Term(2));
  durable.Completed(log, LogIndex(2), Term(2));
  EXPECT_EQ(durable.index(), LogIndex(1));

  log.Append(Term(5));
  durable.Completed(log, LogIndex(3), Term(5));

  EXPECT_EQ(durable.index(), LogIndex(3));
  EXPECT_EQ(durable.overwritten_tails(), 0u);
}

TEST(DurabilityTracking, ATailThatWasNeverHandedOverLeavesNoTrace) {
  TermTable log = LogWith({1, 2, 2});
  Durability durable{LogIndex(1)};

  durable.Cut(log, LogIndex(2), /*written=*/LogIndex(1));

  EXPECT_EQ(durable.overwritten_tails(), 0u);
  EXPECT_EQ(durable.index(), LogIndex(1));
}

// --- Quorum. ------------------------------------------------------------------------

TEST(Quorum, AMajorityIsMoreThanHalf) {
  EXPECT_EQ(MajorityOf(1), 1u);
  EXPECT_EQ(MajorityOf(2), 2u);
  EXPECT_EQ(MajorityOf(3), 2u);
  EXPECT_EQ(MajorityOf(4), 3u);
  EXPECT_EQ(MajorityOf(5), 3u);
}

TEST(Quorum, MajorityReachedIsTheMedianFromAbove) {
  const auto reached = [](std::vector<int> values) { return MajorityReached(&values); };
  EXPECT_EQ(reached({5}), 5);
  EXPECT_EQ(reached({5, 3}), 3);
  EXPECT_EQ(reached({1, 9, 5}), 5);
  EXPECT_EQ(reached({9, 7, 5, 1}), 5);
  EXPECT_EQ(reached({9, 1, 1, 7, 5}), 5);
}

TEST(Quorum, VotesAreCountedOnceAVoter) {
  VoteTally tally;
  tally.Reset(5);
  for (int i = 0; i < 3; ++i) tally.Record(ReplicaId(1), true);
  EXPECT_EQ(tally.result(ReplicaId()), VoteTally::Result::kPending);
  tally.Record(ReplicaId(2), true);
  tally.Record(ReplicaId(3), false);
  tally.Record(ReplicaId(3), true);
  EXPECT_EQ(tally.result(ReplicaId()), VoteTally::Result::kPending);
  tally.Record(ReplicaId(4), true);
  EXPECT_EQ(tally.result(ReplicaId()), VoteTally::Result::kWon);
}

TEST(Quorum, AnElectionIsLostWhenNoMajorityIsLeft) {
  VoteTally tally;
  tally.Reset(3);
  tally.Record(ReplicaId(1), true);
  tally.Record(ReplicaId(2), false);
  EXPECT_EQ(tally.result(ReplicaId()), VoteTally::Result::kPending);
  EXPECT_EQ(tally.result(ReplicaId(3)), VoteTally::Result::kLost);
  EXPECT_EQ(tally.result(ReplicaId(2)), VoteTally::Result::kPending) << "it has answered";
  tally.Record(ReplicaId(3), false);
  EXPECT_EQ(tally.result(ReplicaId()), VoteTally::Result::kLost);
}

// --- Progress. ----------------------------------------------------------------------

TEST(Progress, BeginsByProbingOnce) {
  Progress peer(LogIndex(8), /*now=*/5);
  EXPECT_TRUE(peer.MayProbe());
  EXPECT_TRUE(peer.OwesProbe());

  peer.SentProbe(6);
  EXPECT_FALSE(peer.MayProbe());

  peer.Acknowledged(LogIndex(9), 7);
  EXPECT_FALSE(peer.is_probing());
  EXPECT_EQ(peer.match(), LogIndex(9));
  EXPECT_EQ(peer.next(), LogIndex(10));
}

TEST(Progress, AnOldAcknowledgementEndsNoProbe) {
  Progress peer(LogIndex(8), 0);
  peer.SentProbe(0);

  peer.Acknowledged(LogIndex(3), 1);

  EXPECT_TRUE(peer.is_probing());
  EXPECT_EQ(peer.match(), LogIndex(3));
  EXPECT_EQ(peer.next(), LogIndex(8));
}

TEST(Progress, AcknowledgementsFreeCredits) {
  Progress peer(LogIndex(1), 0);
  peer.SentProbe(0);
  peer.Acknowledged(LogIndex(0), 0);
  peer.SentEntries(LogIndex(2), 300, 0);
  peer.SentEntries(LogIndex(5), 400, 0);
  EXPECT_EQ(peer.Credit(2, 1000), 0u);
  EXPECT_EQ(peer.Credit(3, 1000), 300u);
  EXPECT_EQ(peer.Credit(3, 700), 0u);

  peer.Acknowledged(LogIndex(4), 1);
  EXPECT_EQ(peer.bytes_in_flight(), 400u) << "half of the second message is not enough";
  EXPECT_EQ(peer.messages_in_flight(), 1u);
  peer.Acknowledged(LogIndex(5), 1);
  EXPECT_EQ(peer.bytes_in_flight(), 0u);
}

TEST(Progress, StallsOnlyWithSomethingInFlight) {
  Progress peer(LogIndex(1), 0);
  peer.SentProbe(0);
  EXPECT_TRUE(peer.HasStalledSince(0));
  peer.Acknowledged(LogIndex(0), 3);
  EXPECT_FALSE(peer.HasStalledSince(100));

  peer.SentEntries(LogIndex(2), 300, 10);
  EXPECT_FALSE(peer.HasStalledSince(9));
  EXPECT_TRUE(peer.HasStalledSince(10));
  peer.SentGapCheck(20);
  EXPECT_FALSE(peer.HasStalledSince(19));
}

TEST(Progress, OldRefusalsAreNoNews) {
  Progress peer(LogIndex(8), 0);
  peer.SentProbe(0);
  EXPECT_TRUE(peer.IsNewRefusal(LogIndex(7)));
  EXPECT_FALSE(peer.IsNewRefusal(LogIndex(6)));
  EXPECT_FALSE(peer.IsNewRefusal(LogIndex(8)));

  peer.Acknowledged(LogIndex(9), 0);
  EXPECT_FALSE(peer.IsNewRefusal(LogIndex(9)));
  EXPECT_TRUE(peer.IsNewRefusal(LogIndex(10)));
}

TEST(Progress, ProbingNeverGoesBelowWhatIsAcknowledged) {
  Progress peer(LogIndex(8), 0);
  peer.Acknowledged(LogIndex(7), 0);
  peer.SentEntries(LogIndex(12), 100, 0);

  peer.Probe(LogIndex(3));

  EXPECT_EQ(peer.next(), LogIndex(8));
  EXPECT_FALSE(peer.has_in_flight());
  EXPECT_EQ(peer.bytes_in_flight(), 0u);
}

}  // namespace
}  // namespace totora::raft
