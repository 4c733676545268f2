#include "common/memory_file_system.h"

#include <algorithm>
#include <cstring>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/status.h"

namespace totora {
namespace {

constexpr uint64_t kSectorBytes = 512;
// Versions of one unsynced sector that are remembered, the one on disk included.
constexpr size_t kVersionsMax = 4;

std::string ParentOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

bool IsRoot(const std::string& path) { return path == "/" || path == "." || path.empty(); }

absl::Status PowerIsOff() { return absl::InternalError("power is off"); }

}  // namespace

struct MemoryFileSystem::Inode {
  bool is_directory = false;
  std::string bytes;  // As the cache shows them.
  uint64_t durable_size = 0;
  // Written since the last sync: what the disk has, then older cached versions.
  std::map<uint64_t, std::vector<std::string>> dirty;
  // Lost by a failed sync and taken for clean: what the disk has.
  std::map<uint64_t, std::string> lost;

  std::string Sector(uint64_t sector) const {
    std::string content(kSectorBytes, '\0');
    const uint64_t from = sector * kSectorBytes;
    if (from < bytes.size()) {
      const size_t size = std::min<uint64_t>(kSectorBytes, bytes.size() - from);
      std::memcpy(content.data(), bytes.data() + from, size);
    }
    return content;
  }
  void PutSector(uint64_t sector, const std::string& content) {
    const uint64_t from = sector * kSectorBytes;
    if (bytes.size() < from + kSectorBytes) bytes.resize(from + kSectorBytes);
    std::memcpy(bytes.data() + from, content.data(), kSectorBytes);
  }
};

class MemoryFileSystem::OpenFile : public File {
 public:
  OpenFile(MemoryFileSystem* fs, std::shared_ptr<Inode> inode, std::string path,
           uint64_t generation, bool is_writable)
      : fs_(fs),
        inode_(std::move(inode)),
        path_(std::move(path)),
        generation_(generation),
        is_writable_(is_writable) {}

  absl::StatusOr<size_t> ReadAt(uint64_t offset, size_t size, char* to) const override {
    MutexLock lock(&fs_->mu_);
    TOTORA_RETURN_IF_ERROR(CheckAlive());
    const std::string& bytes = inode_->bytes;
    if (offset >= bytes.size()) return size_t{0};
    size = std::min<uint64_t>(size, bytes.size() - offset);
    std::memcpy(to, bytes.data() + offset, size);
    return size;
  }

  absl::Status WriteAt(uint64_t offset, absl::Span<const absl::string_view> parts) override {
    uint64_t total = 0;
    for (absl::string_view part : parts) total += part.size();
    TOTORA_RETURN_IF_ERROR(fs_->CallHook({Step::Kind::kWrite, path_, total}));
    MutexLock lock(&fs_->mu_);
    TOTORA_RETURN_IF_ERROR(CheckWritable());
    bool is_cut = false;
    TOTORA_RETURN_IF_ERROR(fs_->Begin(&is_cut));
    const absl::Status status = fs_->Write(inode_.get(), offset, parts);
    return is_cut ? PowerIsOff() : status;
  }

  absl::Status Sync() override {
    TOTORA_RETURN_IF_ERROR(fs_->CallHook({Step::Kind::kSync, path_}));
    MutexLock lock(&fs_->mu_);
    TOTORA_RETURN_IF_ERROR(CheckAlive());
    bool is_cut = false;
    TOTORA_RETURN_IF_ERROR(fs_->Begin(&is_cut));
    if (is_cut) return PowerIsOff();
    const bool fails = fs_->TakeSyncFailure();
    fs_->SyncInode(inode_.get(), fails);
    if (fails) return absl::InternalError(absl::StrCat("fdatasync ", path_, ": injected EIO"));
    return absl::OkStatus();
  }

  absl::Status Truncate(uint64_t size) override {
    TOTORA_RETURN_IF_ERROR(fs_->CallHook({Step::Kind::kTruncate, path_, size}));
    MutexLock lock(&fs_->mu_);
    TOTORA_RETURN_IF_ERROR(CheckWritable());
    if (size > inode_->bytes.size() &&
        fs_->UsedBytes() + (size - inode_->bytes.size()) > fs_->capacity_) {
      return absl::ResourceExhaustedError(absl::StrCat("truncate ", path_, ": no space"));
    }
    bool is_cut = false;
    TOTORA_RETURN_IF_ERROR(fs_->Begin(&is_cut));
    Resize(inode_.get(), size);
    return is_cut ? PowerIsOff() : absl::OkStatus();
  }

  absl::StatusOr<uint64_t> Size() const override {
    MutexLock lock(&fs_->mu_);
    TOTORA_RETURN_IF_ERROR(CheckAlive());
    return static_cast<uint64_t>(inode_->bytes.size());
  }

 private:
  absl::Status CheckAlive() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(fs_->mu_) {
    if (generation_ != fs_->generation_) {
      return absl::InternalError(absl::StrCat(path_, " was open when the power went"));
    }
    return absl::OkStatus();
  }
  absl::Status CheckWritable() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(fs_->mu_) {
    if (!is_writable_) return absl::InternalError(absl::StrCat(path_, " is open for reading"));
    return CheckAlive();
  }

  MemoryFileSystem* const fs_;
  const std::shared_ptr<Inode> inode_;
  const std::string path_;
  const uint64_t generation_;
  const bool is_writable_;
};

MemoryFileSystem::MemoryFileSystem(uint64_t seed) : random_(seed) {}
MemoryFileSystem::~MemoryFileSystem() = default;

absl::StatusOr<std::unique_ptr<File>> MemoryFileSystem::Open(const std::string& path,
                                                             OpenMode mode) {
  const bool may_create = mode == OpenMode::kCreate || mode == OpenMode::kExclusive;
  if (may_create) TOTORA_RETURN_IF_ERROR(CallHook({Step::Kind::kCreate, path}));
  MutexLock lock(&mu_);
  if (steps_ > power_off_at_) return PowerIsOff();
  auto it = names_.find(path);
  if (it != names_.end() && it->second->is_directory) {
    return absl::InternalError(absl::StrCat("open ", path, ": is a directory"));
  }
  if (it != names_.end() && mode == OpenMode::kExclusive) {
    return absl::AlreadyExistsError(absl::StrCat("open ", path, ": exists"));
  }
  std::shared_ptr<Inode> inode;
  if (it != names_.end()) {
    inode = it->second;
  } else {
    const std::string parent = ParentOf(path);
    const auto directory = names_.find(parent);
    if (!may_create || (!IsRoot(parent) && directory == names_.end())) {
      return absl::NotFoundError(absl::StrCat("open ", path, ": does not exist"));
    }
    bool is_cut = false;
    TOTORA_RETURN_IF_ERROR(Begin(&is_cut));
    inode = std::make_shared<Inode>();
    Record({parent, "", path, inode});
    if (is_cut) return PowerIsOff();
  }
  return std::make_unique<OpenFile>(this, std::move(inode), path, generation_,
                                    mode != OpenMode::kRead);
}

absl::Status MemoryFileSystem::MakeDirectory(const std::string& path) {
  if (IsRoot(path)) return absl::OkStatus();
  const auto it = names_.find(path);
  if (it != names_.end()) {
    if (it->second->is_directory) return absl::OkStatus();
    return absl::AlreadyExistsError(absl::StrCat("mkdir ", path, ": is a file"));
  }
  TOTORA_RETURN_IF_ERROR(MakeDirectory(ParentOf(path)));
  bool is_cut = false;
  TOTORA_RETURN_IF_ERROR(Begin(&is_cut));
  auto inode = std::make_shared<Inode>();
  inode->is_directory = true;
  Record({ParentOf(path), "", path, std::move(inode)});
  return is_cut ? PowerIsOff() : absl::OkStatus();
}

absl::Status MemoryFileSystem::CreateDirectory(const std::string& path) {
  TOTORA_RETURN_IF_ERROR(CallHook({Step::Kind::kCreate, path}));
  MutexLock lock(&mu_);
  if (steps_ > power_off_at_) return PowerIsOff();
  return MakeDirectory(path);
}

absl::StatusOr<std::vector<std::string>> MemoryFileSystem::List(const std::string& path) {
  MutexLock lock(&mu_);
  if (steps_ > power_off_at_) return PowerIsOff();
  const auto directory = names_.find(path);
  if (!IsRoot(path) && (directory == names_.end() || !directory->second->is_directory)) {
    return absl::NotFoundError(absl::StrCat("list ", path, ": no such directory"));
  }
  std::vector<std::string> entries;
  for (const auto& [name, inode] : names_) {
    if (ParentOf(name) == path) entries.push_back(name.substr(name.rfind('/') + 1));
  }
  std::sort(entries.begin(), entries.end());
  return entries;
}

absl::Status MemoryFileSystem::Remove(const std::string& path) {
  TOTORA_RETURN_IF_ERROR(CallHook({Step::Kind::kRemove, path}));
  MutexLock lock(&mu_);
  const auto it = names_.find(path);
  if (it == names_.end()) return absl::NotFoundError(absl::StrCat("remove ", path));
  bool is_cut = false;
  TOTORA_RETURN_IF_ERROR(Begin(&is_cut));
  Record({ParentOf(path), path, "", nullptr});
  return is_cut ? PowerIsOff() : absl::OkStatus();
}

absl::Status MemoryFileSystem::Rename(const std::string& from, const std::string& to) {
  TOTORA_RETURN_IF_ERROR(CallHook({Step::Kind::kRename, to}));
  MutexLock lock(&mu_);
  const auto it = names_.find(from);
  if (it == names_.end()) return absl::NotFoundError(absl::StrCat("rename ", from));
  if (it->second->is_directory) return absl::UnimplementedError("rename of a directory");
  bool is_cut = false;
  TOTORA_RETURN_IF_ERROR(Begin(&is_cut));
  Record({ParentOf(to), from, to, it->second});
  return is_cut ? PowerIsOff() : absl::OkStatus();
}

absl::Status MemoryFileSystem::SyncDirectory(const std::string& path) {
  TOTORA_RETURN_IF_ERROR(CallHook({Step::Kind::kSyncDirectory, path}));
  MutexLock lock(&mu_);
  const auto directory = names_.find(path);
  if (!IsRoot(path) && (directory == names_.end() || !directory->second->is_directory)) {
    return absl::NotFoundError(absl::StrCat("sync ", path, ": no such directory"));
  }
  bool is_cut = false;
  TOTORA_RETURN_IF_ERROR(Begin(&is_cut));
  if (is_cut) return PowerIsOff();
  if (TakeSyncFailure()) return absl::InternalError(absl::StrCat("sync ", path, ": injected EIO"));
  std::vector<NameChange> rest;
  for (NameChange& change : unsynced_) {
    if (change.directory == path) {
      ApplyChange(change, &durable_names_);
    } else {
      rest.push_back(std::move(change));
    }
  }
  unsynced_ = std::move(rest);
  return absl::OkStatus();
}

bool MemoryFileSystem::Exists(const std::string& path) {
  MutexLock lock(&mu_);
  return names_.count(path) > 0;
}

absl::StatusOr<uint64_t> MemoryFileSystem::FreeBytes(const std::string&) {
  MutexLock lock(&mu_);
  const uint64_t used = UsedBytes();
  return used < capacity_ ? capacity_ - used : 0;
}

void MemoryFileSystem::Crash(uint64_t seed) {
  MutexLock lock(&mu_);
  std::mt19937_64 random(seed);
  // The extremes, too: everything reached the disk, or nothing did.
  const int mode = static_cast<int>(random() % 4);
  std::map<std::string, std::vector<const NameChange*>> by_directory;
  for (const NameChange& change : unsynced_) by_directory[change.directory].push_back(&change);
  for (const auto& [directory, changes] : by_directory) {
    size_t kept = random() % (changes.size() + 1);
    if (mode == 0) kept = 0;
    if (mode == 1) kept = changes.size();
    for (size_t i = 0; i < kept; ++i) ApplyChange(*changes[i], &durable_names_);
  }
  // A directory that is gone takes along what is below it.
  for (auto it = durable_names_.begin(); it != durable_names_.end();) {
    const std::string parent = ParentOf(it->first);
    const bool is_kept = IsRoot(parent) || durable_names_.count(parent) > 0;
    it = is_kept ? std::next(it) : durable_names_.erase(it);
  }
  std::set<Inode*> seen;
  for (const auto& [name, inode] : durable_names_) {
    if (seen.insert(inode.get()).second) CutPower(inode.get(), mode, &random);
  }
  names_ = durable_names_;
  unsynced_.clear();
  ++generation_;
  power_off_at_ = ~uint64_t{0};
  fail_sync_in_ = 0;
}

void MemoryFileSystem::CutPower(Inode* inode, int mode, std::mt19937_64* random) {
  const uint64_t size = mode == 0              ? inode->durable_size
                        : mode == 1            ? inode->bytes.size()
                        : (*random)() % 2 == 0 ? inode->durable_size
                                               : inode->bytes.size();
  for (const auto& [sector, versions] : inode->dirty) {
    const size_t choice = mode == 0   ? 0
                          : mode == 1 ? versions.size()
                                      : (*random)() % (versions.size() + 1);
    if (choice < versions.size()) inode->PutSector(sector, versions[choice]);
  }
  for (const auto& [sector, content] : inode->lost) inode->PutSector(sector, content);
  inode->bytes.resize(size);
  inode->durable_size = size;
  inode->dirty.clear();
  inode->lost.clear();
}

void MemoryFileSystem::PowerOffAfter(uint64_t steps) {
  MutexLock lock(&mu_);
  power_off_at_ = steps_ + steps;
}

uint64_t MemoryFileSystem::steps() const {
  MutexLock lock(&mu_);
  return steps_;
}

void MemoryFileSystem::FailSync(uint64_t nth) {
  MutexLock lock(&mu_);
  fail_sync_in_ = nth;
}

void MemoryFileSystem::SetCapacity(uint64_t bytes) {
  MutexLock lock(&mu_);
  capacity_ = bytes;
}

void MemoryFileSystem::SetHook(Hook hook) {
  MutexLock lock(&hook_mu_);
  hook_ = std::move(hook);
}

void MemoryFileSystem::FlipByte(const std::string& path, uint64_t offset, uint8_t mask) {
  MutexLock lock(&mu_);
  const auto it = names_.find(path);
  TOTORA_CHECK(it != names_.end() && offset < it->second->bytes.size()) << path << " " << offset;
  Inode* const inode = it->second.get();
  inode->bytes[offset] = static_cast<char>(inode->bytes[offset] ^ mask);
  const auto dirty = inode->dirty.find(offset / kSectorBytes);
  if (dirty == inode->dirty.end()) return;
  for (std::string& version : dirty->second) {
    char& byte = version[offset % kSectorBytes];
    byte = static_cast<char>(byte ^ mask);
  }
}

std::unique_ptr<MemoryFileSystem> MemoryFileSystem::Clone() const {
  auto copy = std::make_unique<MemoryFileSystem>();
  MutexLock lock(&mu_);
  MutexLock copy_lock(&copy->mu_);
  std::map<Inode*, std::shared_ptr<Inode>> copies;
  const auto copied = [&copies](const std::shared_ptr<Inode>& inode) -> std::shared_ptr<Inode> {
    if (inode == nullptr) return nullptr;
    std::shared_ptr<Inode>& made = copies[inode.get()];
    if (made == nullptr) made = std::make_shared<Inode>(*inode);
    return made;
  };
  for (const auto& [name, inode] : names_) copy->names_[name] = copied(inode);
  for (const auto& [name, inode] : durable_names_) copy->durable_names_[name] = copied(inode);
  for (const NameChange& change : unsynced_) {
    copy->unsynced_.push_back(
        {change.directory, change.removed, change.added, copied(change.inode)});
  }
  copy->random_ = random_;
  copy->capacity_ = capacity_;
  return copy;
}

absl::Status MemoryFileSystem::Begin(bool* is_cut) {
  if (steps_ > power_off_at_) return PowerIsOff();
  *is_cut = steps_ == power_off_at_;
  ++steps_;
  return absl::OkStatus();
}

absl::Status MemoryFileSystem::CallHook(const Step& step) {
  MutexLock lock(&hook_mu_);
  if (!hook_) return absl::OkStatus();
  return hook_(step);
}

bool MemoryFileSystem::TakeSyncFailure() {
  if (fail_sync_in_ == 0) return false;
  return --fail_sync_in_ == 0;
}

void MemoryFileSystem::Record(NameChange change) {
  ApplyChange(change, &names_);
  unsynced_.push_back(std::move(change));
}

void MemoryFileSystem::ApplyChange(const NameChange& change, Names* names) {
  if (!change.removed.empty()) names->erase(change.removed);
  if (!change.added.empty()) (*names)[change.added] = change.inode;
}

uint64_t MemoryFileSystem::UsedBytes() const {
  uint64_t used = 0;
  for (const auto& [name, inode] : names_) used += inode->bytes.size();
  return used;
}

absl::Status MemoryFileSystem::Write(Inode* inode, uint64_t offset,
                                     absl::Span<const absl::string_view> parts) {
  uint64_t total = 0;
  for (absl::string_view part : parts) total += part.size();
  absl::Status status;
  const uint64_t size = inode->bytes.size();
  if (offset + total > size) {
    const uint64_t used = UsedBytes();
    const uint64_t room = used < capacity_ ? capacity_ - used : 0;
    if (offset + total - size > room) {
      status = absl::ResourceExhaustedError("write: no space left");
      const uint64_t end = size + room;
      total = end > offset ? end - offset : 0;
    }
  }
  if (total == 0) return status;
  for (uint64_t s = offset / kSectorBytes; s <= (offset + total - 1) / kSectorBytes; ++s) {
    MarkDirty(inode, s);
  }
  if (inode->bytes.size() < offset + total) inode->bytes.resize(offset + total);
  for (absl::string_view part : parts) {
    const size_t now = std::min<uint64_t>(part.size(), total);
    if (now > 0) std::memcpy(inode->bytes.data() + offset, part.data(), now);
    offset += now;
    total -= now;
  }
  return status;
}

void MemoryFileSystem::Resize(Inode* inode, uint64_t size) {
  for (uint64_t s = size / kSectorBytes; s * kSectorBytes < inode->bytes.size(); ++s) {
    MarkDirty(inode, s);
  }
  inode->bytes.resize(size);
}

void MemoryFileSystem::MarkDirty(Inode* inode, uint64_t sector) {
  const auto it = inode->dirty.find(sector);
  if (it != inode->dirty.end()) {
    if (it->second.size() < kVersionsMax) it->second.push_back(inode->Sector(sector));
    return;
  }
  const auto lost = inode->lost.find(sector);
  if (lost == inode->lost.end()) {
    inode->dirty[sector] = {inode->Sector(sector)};
  } else {
    inode->dirty[sector] = {std::move(lost->second)};
    inode->lost.erase(lost);
  }
}

void MemoryFileSystem::SyncInode(Inode* inode, bool fails) {
  if (fails) {
    for (auto& [sector, versions] : inode->dirty) {
      if (random_() % 2 == 0) inode->lost[sector] = std::move(versions[0]);
    }
  }
  inode->dirty.clear();
  if (!fails || random_() % 2 == 0) inode->durable_size = inode->bytes.size();
}

}  // namespace totora
