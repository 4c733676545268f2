#include "raft/log/vote_store.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/coding.h"
#include "common/status.h"
#include "raft/log/slot_pair.h"

namespace totora::raft {
namespace {

constexpr absl::string_view kMagic = "TtVO";

std::string EncodeVote(const HardState& state) {
  std::string payload;
  AppendU64(&payload, state.term.value());
  AppendU32(&payload, state.voted_for.value());
  return payload;
}

class VoteFile : public VoteStore {
 public:
  VoteFile(std::unique_ptr<SlotPair> slots, const HardState& recovered)
      : slots_(std::move(slots)), recovered_(recovered) {}

  absl::Status Save(const HardState& state) override {
    TOTORA_RETURN_IF_ERROR(failure_);
    const absl::Status status = slots_->WriteBoth(EncodeVote(state));
    // Internal whatever the cause: a vote in an unknown state is never retried.
    if (!status.ok()) {
      failure_ = absl::InternalError(absl::StrCat("saving the vote: ", status.message()));
    }
    return failure_;
  }

  HardState recovered() const override { return recovered_; }

 private:
  const std::unique_ptr<SlotPair> slots_;
  const HardState recovered_;
  absl::Status failure_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<VoteStore>> OpenVotes(FileSystem* fs, const std::string& directory,
                                                     bool is_new_volume) {
  const std::string path = absl::StrCat(directory, "/vote");
  TOTORA_RETURN_IF_ERROR(CreateDirectoryDurably(fs, directory));
  absl::StatusOr<std::unique_ptr<SlotPair>> slots = SlotPair::Open(fs, path, kMagic);
  if (absl::IsNotFound(slots.status())) {
    if (!is_new_volume) {
      return absl::DataLossError(
          absl::StrCat(path, " is missing: a replica that forgot its vote must not vote again"));
    }
    slots = SlotPair::Create(fs, path, kMagic, EncodeVote(HardState()));
  }
  if (!slots.ok()) return slots.status();
  const std::string payload = (*slots)->payload();
  Reader reader(payload);
  HardState state;
  state.term = Term(reader.U64());
  state.voted_for = ReplicaId(reader.U32());
  if (!reader.done()) return absl::DataLossError(absl::StrCat(path, " makes no sense"));
  TOTORA_RETURN_IF_ERROR((*slots)->WriteBoth(payload));
  TOTORA_RETURN_IF_ERROR(fs->SyncDirectory(directory));
  return std::make_unique<VoteFile>(*std::move(slots), state);
}

}  // namespace totora::raft
