// Log time: what the state machine calls now. The leader puts it into each
// entry; it never falls, and one bad clock moves nothing.
//
// It runs with the leader's steady clock, slewed by at most 5 % toward a
// target: the median of the replicas' wall clocks when a majority agrees
// within a second, else the leader's own wall clock. When the majority agrees
// and log time is more than a second behind, it steps forward to the median;
// when it is ahead, it only slows down.
//
// It goes on where it was when the leader changes, however long nobody led or
// nothing was written: heartbeats tell everybody what time it is, votes tell the
// new leader the others' wall clocks. Otherwise the first entry of a new leader
// would be as old as the last one of the group, the next one of now, and all that
// lasts from the one on would be over with the other.
//
// Beside it runs what has passed since the group began: steady clocks only, so that
// no step is in it. It is what somebody lived through and told: never more than
// truth, and less only by the times in which no replica lived, or none of those that
// did was asked. What must not be over early (a client's retry is known for a while)
// is counted in it.
#ifndef TOTORA_RAFT_LOG_CLOCK_H_
#define TOTORA_RAFT_LOG_CLOCK_H_

#include <cstdint>
#include <map>
#include <vector>

#include "common/clock.h"
#include "common/types.h"
#include "raft/log/frame.h"

namespace totora::raft {

// Thread safety: confined.
class LogClock {
 public:
  // `clock` must outlive this. `replicas` counts all voters, this one included.
  // `last_passed_ms` is the newest in its log.
  LogClock(const Clock* clock, size_t replicas, int64_t last_passed_ms)
      : clock_(clock),
        replicas_(replicas),
        passed_ms_(last_passed_ms),
        passed_steady_(clock->SteadyNow()) {}

  // This replica begins to lead. `last` is the newest in its log; log time 0 if the
  // log holds none: then it begins at the wall clock, unless a leader was heard.
  void StartLeading(const LogTimes& last);
  // What was told of wall clocks counts no longer.
  void StopLeading();

  // REQUIRES: this replica does not lead. It is `now` by the leader's log clock.
  void HeardLeader(const LogTimes& now);
  // So much has passed by the log clock of any replica.
  void HeardPassed(int64_t passed_ms);

  // A peer's wall clock showed `wall_ms` just now.
  void PeerWall(ReplicaId peer, int64_t wall_ms);

  // Never less than before while this replica leads. Else what it would begin
  // to lead with; 0 if no leader was ever heard.
  int64_t NowMs();
  // Never less than before.
  int64_t PassedMs() const;
  LogTimes Now() { return {NowMs(), PassedMs()}; }

 private:
  // Wall clocks as offsets to our steady clock, in ms.
  int64_t OwnOffset() const;
  // The median offset of a majority that agrees within a second.
  bool AgreedOffset(int64_t* offset) const;

  const Clock* const clock_;
  const size_t replicas_;
  std::map<ReplicaId, int64_t> peer_offsets_;
  bool is_leading_ = false;
  double log_ms_ = 0;           // At last_steady_; 0: unknown.
  absl::Duration last_steady_;
  int64_t passed_ms_;           // At passed_steady_.
  absl::Duration passed_steady_;
};

}  // namespace totora::raft

#endif  // TOTORA_RAFT_LOG_CLOCK_H_
