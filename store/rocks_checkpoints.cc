// RocksDB 7.8 as a place for checkpoints, and only that: one writer, one big
// batch at a time, few reads. So it gets little memory, one column family and
// the plainest write path, with the WAL on: several of its known faults live in
// combinations of options (atomic flush without WAL, several column families,
// verification of WALs) that are not used here.
#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/options.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>

#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/file.h"
#include "common/log.h"
#include "common/status.h"
#include "store/checkpoint_store.h"

namespace totora::store {
namespace {

// An idle broker has 40 MB in all; see docs/formats/rocksdb_schema.md.
constexpr size_t kWriteBufferBytes = 4 << 20;
constexpr size_t kBlockCacheBytes = 8 << 20;

rocksdb::Slice ToSlice(absl::string_view bytes) { return {bytes.data(), bytes.size()}; }
absl::string_view ToView(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }

absl::Status ToStatus(const rocksdb::Status& status, absl::string_view what) {
  if (status.ok()) return absl::OkStatus();
  const std::string text = absl::StrCat("checkpoint store: ", what, ": ", status.ToString());
  if (status.IsCorruption()) return absl::DataLossError(text);
  if (status.IsNoSpace()) return absl::ResourceExhaustedError(text);
  return absl::InternalError(text);
}

rocksdb::Options MakeOptions() {
  rocksdb::Options options;
  options.create_if_missing = true;
  options.paranoid_checks = true;
  // A batch torn by a crash is the checkpoint that was not reached; what is in
  // front of it is the last one that was.
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
  options.write_buffer_size = kWriteBufferBytes;
  options.max_write_buffer_number = 2;
  options.arena_block_size = 256 << 10;
  options.max_open_files = 64;
  options.table_cache_numshardbits = 2;
  options.max_background_jobs = 2;
  options.max_subcompactions = 1;
  options.bytes_per_sync = 1 << 20;
  options.wal_bytes_per_sync = 1 << 20;
  options.target_file_size_base = 16 << 20;
  options.max_bytes_for_level_base = 64 << 20;
  options.compression = rocksdb::kNoCompression;  // Blocks of the index are packed already.
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  options.skip_stats_update_on_db_open = true;
  options.info_log_level = rocksdb::InfoLogLevel::WARN_LEVEL;
  options.keep_log_file_num = 2;
  options.max_log_file_size = 1 << 20;

  rocksdb::BlockBasedTableOptions table;
  table.format_version = 5;
  table.block_size = 16 << 10;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  table.cache_index_and_filter_blocks = true;
  table.block_cache = rocksdb::NewLRUCache(kBlockCacheBytes, /*num_shard_bits=*/2);
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return options;
}

class RocksCheckpoints : public CheckpointStore {
 public:
  explicit RocksCheckpoints(std::unique_ptr<rocksdb::DB> db) : db_(std::move(db)) {}

  ~RocksCheckpoints() override {
    const rocksdb::Status status = db_->Close();
    if (!status.ok()) {
      TOTORA_LOG(kWarn, "store") << "closing the checkpoint store: " << status.ToString();
    }
  }

  absl::Status Commit(const std::vector<CheckpointWrite>& writes) override {
    rocksdb::WriteBatch batch;
    for (const CheckpointWrite& write : writes) {
      const rocksdb::Status status = write.value.has_value()
                                         ? batch.Put(ToSlice(write.key), ToSlice(*write.value))
                                         : batch.Delete(ToSlice(write.key));
      if (!status.ok()) return ToStatus(status, "building a batch");
    }
    rocksdb::WriteOptions options;
    options.sync = true;
    return ToStatus(db_->Write(options, &batch), "commit");
  }

  absl::StatusOr<std::optional<std::string>> Get(absl::string_view key) const override {
    std::string value;
    const rocksdb::Status status = db_->Get(rocksdb::ReadOptions(), ToSlice(key), &value);
    if (status.IsNotFound()) return std::optional<std::string>();
    if (!status.ok()) return ToStatus(status, "get");
    return std::optional<std::string>(std::move(value));
  }

  absl::Status Scan(absl::string_view from, absl::string_view to,
                    absl::FunctionRef<bool(absl::string_view, absl::string_view)> visit)
      const override {
    rocksdb::ReadOptions options;
    options.fill_cache = false;
    const rocksdb::Slice upper = ToSlice(to);
    options.iterate_upper_bound = &upper;
    std::unique_ptr<rocksdb::Iterator> rows(db_->NewIterator(options));
    for (rows->Seek(ToSlice(from)); rows->Valid(); rows->Next()) {
      if (!visit(ToView(rows->key()), ToView(rows->value()))) break;
    }
    return ToStatus(rows->status(), "scan");
  }

 private:
  const std::unique_ptr<rocksdb::DB> db_;
};

// Damage, as opposed to a disk that is full, gone or locked by somebody else:
// there a fresh database would be no better, or would be a theft.
bool IsDamaged(const rocksdb::Status& status) {
  return status.IsCorruption() || status.IsInvalidArgument() || status.IsNotSupported() ||
         status.IsNotFound() || status.IsIncomplete() || status.IsPathNotFound();
}

rocksdb::Status OpenDatabase(const std::string& directory, std::unique_ptr<rocksdb::DB>* db) {
  rocksdb::DB* opened = nullptr;
  const rocksdb::Status status = rocksdb::DB::Open(MakeOptions(), directory, &opened);
  db->reset(opened);
  return status;
}

}  // namespace

absl::Status SetAsideCheckpoints(const std::string& directory) {
  const std::string aside = directory + ".damaged";
  std::error_code error;
  std::filesystem::remove_all(aside, error);
  if (!error) std::filesystem::rename(directory, aside, error);
  if (error) return ErrnoStatus(error.value(), absl::StrCat("setting aside ", directory));
  const std::filesystem::path parent = std::filesystem::path(directory).parent_path();
  return FileSystem::Posix()->SyncDirectory(parent.empty() ? "." : parent.string());
}

absl::StatusOr<std::unique_ptr<CheckpointStore>> OpenRocksCheckpoints(
    const std::string& directory) {
  TOTORA_RETURN_IF_ERROR(FileSystem::Posix()->CreateDirectory(directory));
  std::unique_ptr<rocksdb::DB> db;
  rocksdb::Status status = OpenDatabase(directory, &db);
  if (!status.ok() && IsDamaged(status)) {
    TOTORA_LOG(kError, "store") << "the checkpoint store cannot be opened, it is set aside and "
                                   "rebuilt from the log: "
                                << status.ToString();
    TOTORA_RETURN_IF_ERROR(SetAsideCheckpoints(directory));
    TOTORA_RETURN_IF_ERROR(FileSystem::Posix()->CreateDirectory(directory));
    status = OpenDatabase(directory, &db);
  }
  if (!status.ok()) return ToStatus(status, absl::StrCat("open ", directory));
  return std::unique_ptr<CheckpointStore>(std::make_unique<RocksCheckpoints>(std::move(db)));
}

}  // namespace totora::store
