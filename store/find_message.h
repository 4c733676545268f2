// A message by its position in the log: for message ids of classic clients, and
// for consumers that send a message back and name it by nothing else.
//
// What comes from a client is a number. Only a message that a command put there,
// or a copy that a command made there, is found; bytes inside a body are not.
#ifndef TOTORA_STORE_FIND_MESSAGE_H_
#define TOTORA_STORE_FIND_MESSAGE_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "common/types.h"
#include "raft/log/frame.h"
#include "raft/log/log_store.h"
#include "store/commands.h"
#include "store/entry_places.h"

namespace totora::store {

struct FoundMessage {
  std::string topic;           // Of a copy: the retry or dead letter topic.
  uint32_t queue_id = 0;       // Of a copy: unknown, 0.
  BytePosition position;       // Of the stored bytes: what LogStore::Read takes.
  uint32_t size = 0;
  uint32_t tag_hash = 0;
  int64_t store_time_ms = 0;   // Log time of the command.
  OverrideRecord override_record = nullptr;
};

// Looks into one entry. Errors: NotFound.
absl::StatusOr<FoundMessage> FindMessage(const raft::Frame& entry, BytePosition at);

// Reads the entries of `around` (StateMachine::EntriesAround) until it finds the
// one that holds `at`. Blocks on the disk; any thread.
// Errors: NotFound; those of the log.
absl::StatusOr<FoundMessage> FindMessage(const raft::LogStore& log, const EntryRange& around,
                                         BytePosition at);

}  // namespace totora::store

#endif  // TOTORA_STORE_FIND_MESSAGE_H_
