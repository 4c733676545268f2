#include <utility>

#include "common/mutex.h"
#include "store/checkpoint_store.h"

namespace totora::store {
namespace {

// Thread safety: monitor for one life; `durable` is not touched by two lives at once.
class MemoryCheckpoints : public CheckpointStore {
 public:
  explicit MemoryCheckpoints(std::shared_ptr<std::map<std::string, std::string>> durable)
      : durable_(std::move(durable)) {}

  absl::Status Commit(const std::vector<CheckpointWrite>& writes) override {
    MutexLock lock(&mu_);
    for (const CheckpointWrite& write : writes) {
      if (write.value.has_value()) {
        (*durable_)[write.key] = *write.value;
      } else {
        durable_->erase(write.key);
      }
    }
    return absl::OkStatus();
  }

  absl::StatusOr<std::optional<std::string>> Get(absl::string_view key) const override {
    MutexLock lock(&mu_);
    auto it = durable_->find(std::string(key));
    if (it == durable_->end()) return std::optional<std::string>();
    return std::optional<std::string>(it->second);
  }

  absl::Status Scan(absl::string_view from, absl::string_view to,
                    absl::FunctionRef<bool(absl::string_view, absl::string_view)> visit)
      const override {
    // Visited without the lock: a visitor may ask for more.
    std::vector<std::pair<std::string, std::string>> rows;
    {
      MutexLock lock(&mu_);
      const auto end = durable_->lower_bound(std::string(to));
      for (auto it = durable_->lower_bound(std::string(from)); it != end; ++it) {
        rows.push_back(*it);
      }
    }
    for (const auto& [key, value] : rows) {
      if (!visit(key, value)) break;
    }
    return absl::OkStatus();
  }

 private:
  mutable Mutex mu_;  // Leaf.
  const std::shared_ptr<std::map<std::string, std::string>> durable_;  // What it points to: by mu_.
};

}  // namespace

std::unique_ptr<CheckpointStore> MakeMemoryCheckpoints(
    std::shared_ptr<std::map<std::string, std::string>> durable) {
  return std::make_unique<MemoryCheckpoints>(std::move(durable));
}

}  // namespace totora::store
