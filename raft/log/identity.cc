#include "raft/log/identity.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/coding.h"
#include "common/status.h"
#include "raft/log/slot_pair.h"

namespace totora::raft {
namespace {

constexpr absl::string_view kMagic = "TtID";
constexpr size_t kNameBytesMax = 255;

struct Content {
  IdentityExpectation owner;
  VolumeId volume;
  Incarnation incarnation;
  std::vector<BoundVoter> voters;
};

void AppendName(std::string* to, const std::string& name) {
  AppendU8(to, static_cast<uint8_t>(name.size()));
  to->append(name);
}

std::string Encode(const Content& content) {
  std::string payload;
  AppendName(&payload, content.owner.cluster);
  AppendU32(&payload, content.owner.group.value());
  AppendName(&payload, content.owner.group_name);
  AppendU32(&payload, content.owner.replica.value());
  payload += content.volume;
  AppendU64(&payload, content.incarnation.value());
  AppendU8(&payload, static_cast<uint8_t>(content.voters.size()));
  for (const BoundVoter& voter : content.voters) {
    AppendU32(&payload, voter.replica.value());
    payload += voter.volume;
  }
  return payload;
}

bool Decode(absl::string_view payload, Content* content) {
  Reader reader(payload);
  content->owner.cluster = std::string(reader.Bytes(reader.U8()));
  content->owner.group = GroupId(reader.U32());
  content->owner.group_name = std::string(reader.Bytes(reader.U8()));
  content->owner.replica = ReplicaId(reader.U32());
  content->volume = std::string(reader.Bytes(kVolumeIdBytes));
  content->incarnation = Incarnation(reader.U64());
  const uint8_t voters = reader.U8();
  if (voters > kBoundVotersMax) return false;
  for (int i = 0; i < voters; ++i) {
    const ReplicaId replica(reader.U32());
    content->voters.push_back({replica, std::string(reader.Bytes(kVolumeIdBytes))});
  }
  return reader.done();
}

absl::Status CheckOwner(const std::string& path, const IdentityExpectation& found,
                        const IdentityExpectation& expected) {
  std::string difference;
  if (found.cluster != expected.cluster) {
    difference = absl::StrCat("cluster \"", found.cluster, "\", not \"", expected.cluster, "\"");
  } else if (found.group != expected.group) {
    difference = absl::StrCat("group ", found.group.value(), ", not ", expected.group.value());
  } else if (found.group_name != expected.group_name) {
    difference =
        absl::StrCat("group \"", found.group_name, "\", not \"", expected.group_name, "\"");
  } else if (found.replica != expected.replica) {
    difference =
        absl::StrCat("replica ", found.replica.value(), ", not ", expected.replica.value());
  }
  if (difference.empty()) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(path, " belongs to ", difference));
}

class IdentityFile : public Identity {
 public:
  IdentityFile(std::string path, std::unique_ptr<SlotPair> slots, Content content)
      : path_(std::move(path)),
        slots_(std::move(slots)),
        content_(std::move(content)),
        is_new_volume_(content_.voters.empty()) {}

  const VolumeId& volume() const override { return content_.volume; }
  Incarnation incarnation() const override { return content_.incarnation; }
  bool is_new_volume() const override { return is_new_volume_; }
  const std::vector<BoundVoter>& voters() const override { return content_.voters; }

  absl::Status BindVoters(const std::vector<BoundVoter>& voters) override {
    if (voters.empty() || voters.size() > kBoundVotersMax) {
      return absl::InvalidArgumentError(absl::StrCat("cannot bind ", voters.size(), " voters"));
    }
    for (const BoundVoter& voter : voters) {
      if (voter.volume.size() != kVolumeIdBytes) {
        return absl::InvalidArgumentError("a volume id has 16 bytes");
      }
    }
    if (voters == content_.voters) return absl::OkStatus();
    if (!content_.voters.empty()) {
      return absl::FailedPreconditionError(absl::StrCat(path_, " is bound to other voters"));
    }
    Content bound = content_;
    bound.voters = voters;
    TOTORA_RETURN_IF_ERROR(slots_->WriteBoth(Encode(bound)));
    content_ = std::move(bound);
    return absl::OkStatus();
  }

 private:
  const std::string path_;
  const std::unique_ptr<SlotPair> slots_;
  Content content_;
  const bool is_new_volume_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Identity>> OpenIdentity(FileSystem* fs, const std::string& directory,
                                                       const IdentityExpectation& expected,
                                                       const VolumeId& fresh_volume_id) {
  if (expected.cluster.size() > kNameBytesMax || expected.group_name.size() > kNameBytesMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("names of cluster and group have at most ", kNameBytesMax, " bytes"));
  }
  if (fresh_volume_id.size() != kVolumeIdBytes) {
    return absl::InvalidArgumentError("a volume id has 16 bytes");
  }
  TOTORA_RETURN_IF_ERROR(CreateDirectoryDurably(fs, directory));
  const std::string path = absl::StrCat(directory, "/identity");
  absl::StatusOr<std::unique_ptr<SlotPair>> slots = SlotPair::Open(fs, path, kMagic);
  if (absl::IsNotFound(slots.status())) {
    // Votes or a log without an identity: somebody removed the file, and this
    // volume must not pass for an empty one.
    for (const char* name : {"vote", "log"}) {
      const std::string beside = absl::StrCat(directory, "/", name);
      if (fs->Exists(beside)) {
        return absl::DataLossError(absl::StrCat(path, " is missing, but ", beside, " is there"));
      }
    }
    slots =
        SlotPair::Create(fs, path, kMagic, Encode({expected, fresh_volume_id, Incarnation(0), {}}));
  }
  if (!slots.ok()) return slots.status();
  Content content;
  if (!Decode((*slots)->payload(), &content)) {
    return absl::DataLossError(absl::StrCat(path, " makes no sense"));
  }
  TOTORA_RETURN_IF_ERROR(CheckOwner(path, content.owner, expected));
  content.incarnation = content.incarnation.Next();
  // Both copies: a rotten one must not bring an incarnation back.
  TOTORA_RETURN_IF_ERROR((*slots)->WriteBoth(Encode(content)));
  TOTORA_RETURN_IF_ERROR(fs->SyncDirectory(directory));
  return std::make_unique<IdentityFile>(path, *std::move(slots), std::move(content));
}

}  // namespace totora::raft
