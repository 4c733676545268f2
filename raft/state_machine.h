// What the replicated log drives. store/ implements it.
#ifndef TOTORA_RAFT_STATE_MACHINE_H_
#define TOTORA_RAFT_STATE_MACHINE_H_

#include <cstdint>

#include "common/types.h"
#include "raft/command.h"
#include "raft/log/frame.h"

namespace totora::raft {

// Thread safety: confined to the replica's executor.
class StateMachine {
 public:
  virtual ~StateMachine() = default;

  // Applies one committed entry; every entry once, in the order of the log.
  // Reports each command's outcome through the sink given to the state machine
  // at construction (store/state_machine.h).
  virtual void Apply(const Frame& entry) = 0;

  // Everything up to here is in the last checkpoint; apply goes on behind it
  // after a restart.
  virtual LogIndex applied_at_start() const = 0;

  // Called by a leader for each command of an entry that it is about to
  // propose, before the body's checksum is made: fixes what only the leader
  // knows (position, store time, store host) in place. `position` is where
  // `payload` will lie in the group's log.
  virtual void Stamp(uint16_t kind, char* payload, size_t size, BytePosition position,
                     int64_t log_time_ms) const = 0;

  // This disk's log is durable up to here and no further: what was frozen for a
  // checkpoint at or below it may be written. `index` falls when a new leader
  // replaces a tail that was durable and not committed; it is told before any
  // entry in that place is applied.
  virtual void LogSynced(LogIndex index) = 0;
};

}  // namespace totora::raft

#endif  // TOTORA_RAFT_STATE_MACHINE_H_
