// Whose volume this is: the file `identity` of a replica's data directory.
// docs/formats/identity.md.
#ifndef TOTORA_RAFT_LOG_IDENTITY_H_
#define TOTORA_RAFT_LOG_IDENTITY_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/file.h"
#include "common/types.h"

namespace totora::raft {

// Made once, when the volume was empty: 16 random bytes. A replica whose volume
// was emptied comes back with another one, and so is not the voter it was.
using VolumeId = std::string;
inline constexpr size_t kVolumeIdBytes = 16;

struct BoundVoter {
  ReplicaId replica;
  VolumeId volume;
  friend bool operator==(const BoundVoter&, const BoundVoter&) = default;
};
inline constexpr size_t kBoundVotersMax = 64;

// Whose volume the configuration says this is.
struct IdentityExpectation {
  std::string cluster;  // At most 255 bytes.
  GroupId group;
  std::string group_name;  // At most 255 bytes.
  ReplicaId replica;
};

// Thread safety: confined; the constants may be read by any thread.
class Identity {
 public:
  virtual ~Identity() = default;

  virtual const VolumeId& volume() const = 0;
  // How often this replica was started on this volume, now included.
  virtual Incarnation incarnation() const = 0;
  // No voters were bound when it was opened: this volume has never voted, so its
  // votes and log may be created.
  virtual bool is_new_volume() const = 0;

  // The initial voters of the group; empty until they are bound.
  virtual const std::vector<BoundVoter>& voters() const = 0;
  // Durable on return. OK again if the same voters are bound already.
  // Errors: FailedPrecondition if others are bound; InvalidArgument if there
  //   are none, too many, or a volume id is no such thing; the disk's own.
  virtual absl::Status BindVoters(const std::vector<BoundVoter>& voters) = 0;
};

// Opens `directory`/identity and counts this start, durably; on an empty volume
// creates it with `fresh_volume_id`.
// Errors: FailedPrecondition if the directory belongs to another cluster, group
//   or replica, or to a newer format; DataLoss if both copies are damaged, or if
//   the file is missing beside votes or a log; InvalidArgument; the disk's own.
absl::StatusOr<std::unique_ptr<Identity>> OpenIdentity(FileSystem* fs, const std::string& directory,
                                                       const IdentityExpectation& expected,
                                                       const VolumeId& fresh_volume_id);

}  // namespace totora::raft

#endif  // TOTORA_RAFT_LOG_IDENTITY_H_
