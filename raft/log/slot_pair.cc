#include "raft/log/slot_pair.h"

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/coding.h"
#include "common/crc32c.h"
#include "common/status.h"

namespace totora::raft {
namespace {

constexpr uint16_t kVersion = 1;
constexpr size_t kPrefixBytes = 16;

std::string EncodeSlot(absl::string_view magic, uint64_t sequence, absl::string_view payload) {
  TOTORA_CHECK(payload.size() <= kSlotPayloadBytesMax) << payload.size();
  std::string bytes(magic);
  AppendU16(&bytes, kVersion);
  AppendU16(&bytes, static_cast<uint16_t>(payload.size()));
  AppendU64(&bytes, sequence);
  bytes.append(payload.data(), payload.size());
  AppendU32(&bytes, Crc32c(bytes));
  // The whole block: what an older, longer record left is gone.
  bytes.resize(kSlotBytes, '\0');
  return bytes;
}

}  // namespace

absl::StatusOr<std::unique_ptr<SlotPair>> SlotPair::Open(FileSystem* fs, const std::string& path,
                                                         absl::string_view magic) {
  TOTORA_ASSIGN_OR_RETURN(std::unique_ptr<File> file, fs->Open(path, OpenMode::kWrite));
  std::string bytes(2 * kSlotBytes, '\0');
  TOTORA_ASSIGN_OR_RETURN(const size_t got, file->ReadAt(0, bytes.size(), bytes.data()));
  bytes.resize(got);
  bytes.resize(2 * kSlotBytes, '\0');
  std::unique_ptr<SlotPair> pair(new SlotPair(std::move(file), magic));
  bool is_newer_format = false;
  for (int i = 0; i < 2; ++i) {
    const absl::string_view block =
        absl::string_view(bytes).substr(static_cast<size_t>(i) * kSlotBytes, kSlotBytes);
    if (block.substr(0, magic.size()) != magic) continue;
    const uint16_t version = GetAt<uint16_t>(block.data() + 4);
    const uint16_t size = GetAt<uint16_t>(block.data() + 6);
    if (size > kSlotPayloadBytesMax) continue;
    if (GetAt<uint32_t>(block.data() + kPrefixBytes + size) !=
        Crc32c(block.substr(0, kPrefixBytes + size))) {
      continue;
    }
    if (version != kVersion) {
      is_newer_format = true;
      continue;
    }
    pair->slots_[i] = {true, GetAt<uint64_t>(block.data() + 8),
                       std::string(block.substr(kPrefixBytes, size))};
  }
  if (is_newer_format) {
    return absl::FailedPreconditionError(absl::StrCat(path, " has a format version other than ",
                                                      kVersion, ": a newer release wrote it"));
  }
  const Slot& first = pair->slots_[0];
  const Slot& second = pair->slots_[1];
  if (!first.is_valid && !second.is_valid) {
    return absl::DataLossError(absl::StrCat("both copies in ", path, " are damaged"));
  }
  pair->newer_ = !first.is_valid || (second.is_valid && second.sequence > first.sequence) ? 1 : 0;
  return pair;
}

absl::StatusOr<std::unique_ptr<SlotPair>> SlotPair::Create(FileSystem* fs, const std::string& path,
                                                           absl::string_view magic,
                                                           absl::string_view payload) {
  const std::string block = EncodeSlot(magic, 1, payload);
  TOTORA_RETURN_IF_ERROR(WriteFileAtomically(fs, path, absl::StrCat(block, block)));
  return Open(fs, path, magic);
}

absl::Status SlotPair::WriteSlot(int at, uint64_t sequence, absl::string_view payload) {
  TOTORA_RETURN_IF_ERROR(failure_);
  absl::Status status = file_->WriteAt(static_cast<uint64_t>(at) * kSlotBytes,
                                       {EncodeSlot(magic_, sequence, payload)});
  if (absl::IsResourceExhausted(status)) {
    // A copy-on-write file system may have no space for a rewrite in place.
    // This slot is undefined now; the other one still counts.
    slots_[at].is_valid = false;
    return status;
  }
  if (status.ok()) status = file_->Sync();
  if (!status.ok()) return failure_ = status;
  slots_[at] = {true, sequence, std::string(payload)};
  newer_ = at;
  return absl::OkStatus();
}

absl::Status SlotPair::Write(absl::string_view payload) {
  return WriteSlot(1 - newer_, slots_[newer_].sequence + 1, payload);
}

absl::Status SlotPair::WriteBoth(absl::string_view payload) {
  const uint64_t sequence = slots_[newer_].sequence + 1;
  const int first = 1 - newer_;
  TOTORA_RETURN_IF_ERROR(WriteSlot(first, sequence, payload));
  return WriteSlot(1 - first, sequence, payload);
}

std::string ParentDirectory(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

absl::Status CreateDirectoryDurably(FileSystem* fs, const std::string& path) {
  const std::string parent = ParentDirectory(path);
  if (parent != "/" && parent != "." && !fs->Exists(parent)) {
    TOTORA_RETURN_IF_ERROR(CreateDirectoryDurably(fs, parent));
  }
  const bool existed = fs->Exists(path);
  TOTORA_RETURN_IF_ERROR(fs->CreateDirectory(path));
  // Also if it existed: an earlier run may have been cut off before it synced.
  const absl::Status synced = fs->SyncDirectory(parent);
  // Who may not even look into the parent did not create the directory.
  if (existed && absl::IsPermissionDenied(synced)) return absl::OkStatus();
  return synced;
}

}  // namespace totora::raft
