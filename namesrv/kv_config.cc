#include "namesrv/kv_config.h"

#include "absl/strings/str_cat.h"

namespace totora::namesrv {

absl::Status KvConfig::Put(absl::string_view space, absl::string_view key,
                           absl::string_view value) {
  MutexLock lock(&mu_);
  const auto table = spaces_.find(std::string(space));
  size_t replaced = 0;
  if (table != spaces_.end()) {
    const auto old = table->second.find(std::string(key));
    if (old != table->second.end()) replaced = space.size() + key.size() + old->second.size();
  }
  const size_t bytes = bytes_ - replaced + space.size() + key.size() + value.size();
  if (bytes > kBytesMax) {
    return absl::ResourceExhaustedError(
        absl::StrCat("a nameserver keeps ", kBytesMax, " bytes of such texts at most"));
  }
  bytes_ = bytes;
  spaces_[std::string(space)][std::string(key)] = std::string(value);
  return absl::OkStatus();
}

std::optional<std::string> KvConfig::Get(absl::string_view space, absl::string_view key) const {
  MutexLock lock(&mu_);
  const auto table = spaces_.find(std::string(space));
  if (table == spaces_.end()) return std::nullopt;
  const auto found = table->second.find(std::string(key));
  if (found == table->second.end()) return std::nullopt;
  return found->second;
}

void KvConfig::Delete(absl::string_view space, absl::string_view key) {
  MutexLock lock(&mu_);
  const auto table = spaces_.find(std::string(space));
  if (table == spaces_.end()) return;
  const auto found = table->second.find(std::string(key));
  if (found == table->second.end()) return;
  bytes_ -= space.size() + key.size() + found->second.size();
  table->second.erase(found);
  if (table->second.empty()) spaces_.erase(table);
}

std::map<std::string, std::string> KvConfig::All(absl::string_view space) const {
  MutexLock lock(&mu_);
  const auto table = spaces_.find(std::string(space));
  return table == spaces_.end() ? Table() : table->second;
}

}  // namespace totora::namesrv
