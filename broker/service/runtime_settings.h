// The settings of a broker as tools read them, and the few that can be changed
// while it runs: of this replica, until it stops. Everything else is in its file.
//
// Whatever names a path, a command or a key must never be among the latter: who
// may change settings need not be who may write files.
#ifndef TOTORA_BROKER_SERVICE_RUNTIME_SETTINGS_H_
#define TOTORA_BROKER_SERVICE_RUNTIME_SETTINGS_H_

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace totora::service {

// Thread safety: confined to the replica's executor once clients are served.
class RuntimeSettings {
 public:
  using Values = std::map<std::string, std::string>;
  // Takes a new value. Errors: InvalidArgument; it is still the old one then.
  using Apply = std::function<absl::Status(const std::string& value)>;

  explicit RuntimeSettings(Values values) : values_(std::move(values)) {}

  // `name` can be changed; `alias` (may be empty) is RocketMQ's name for it; both tell its value.
  // REQUIRES: there is such a setting.
  void Add(const std::string& name, const std::string& alias, Apply apply);

  // All of them, or none. `now`: for changed_at.
  // Errors: PermissionDenied for a setting that cannot be changed, by name;
  //   InvalidArgument for a value.
  absl::Status Change(const std::vector<std::pair<std::string, std::string>>& changes,
                      absl::Time now);

  const Values& values() const { return values_; }
  uint64_t version() const { return version_; }  // Grows with every change.
  absl::Time changed_at() const { return changed_at_; }

 private:
  struct Changeable {
    std::string name;
    Apply apply;
  };
  absl::Status ChangeOne(const Changeable& setting, const std::string& value);
  std::string Names() const;

  Values values_;
  std::map<std::string, Changeable> changeable_;  // By name and by alias.
  uint64_t version_ = 0;
  absl::Time changed_at_ = absl::UnixEpoch();
};

// A setting that is true or false.
RuntimeSettings::Apply ApplyBool(std::function<void(bool)> set);

}  // namespace totora::service

#endif  // TOTORA_BROKER_SERVICE_RUNTIME_SETTINGS_H_
