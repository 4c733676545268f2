#include "broker/service/runtime_settings.h"

#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/check.h"
#include "common/log.h"

namespace totora::service {

void RuntimeSettings::Add(const std::string& name, const std::string& alias, Apply apply) {
  TOTORA_CHECK(values_.count(name) > 0) << "no setting " << name;
  const Changeable changeable{name, std::move(apply)};
  changeable_[name] = changeable;
  if (!alias.empty()) {
    changeable_[alias] = changeable;
    values_[alias] = values_[name];
  }
}

std::string RuntimeSettings::Names() const {
  std::set<std::string> names;
  for (const auto& [name, changeable] : changeable_) names.insert(changeable.name);
  return absl::StrJoin(names, ", ");
}

absl::Status RuntimeSettings::ChangeOne(const Changeable& setting, const std::string& value) {
  const absl::Status applied = setting.apply(value);
  if (!applied.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(setting.name, ": ", applied.message()));
  }
  for (const auto& [name, changeable] : changeable_) {  // By both names.
    if (changeable.name == setting.name) values_[name] = value;
  }
  return absl::OkStatus();
}

absl::Status RuntimeSettings::Change(
    const std::vector<std::pair<std::string, std::string>>& changes, absl::Time now) {
  std::vector<std::pair<const Changeable*, std::string>> wanted;
  for (const auto& [name, value] : changes) {
    const auto it = changeable_.find(name);
    if (it == changeable_.end()) {
      return absl::PermissionDeniedError(absl::StrCat(
          "'", name, "' cannot be changed while the broker runs; these can: ", Names()));
    }
    wanted.emplace_back(&it->second, value);
  }
  std::vector<std::pair<const Changeable*, std::string>> undo;
  absl::Status status;
  for (const auto& [setting, value] : wanted) {
    undo.emplace_back(setting, values_[setting->name]);
    status = ChangeOne(*setting, value);
    if (!status.ok()) break;
  }
  if (status.ok()) {
    for (const auto& [setting, value] : wanted) {
      TOTORA_LOG(kInfo, "settings") << Field("setting", setting->name) << "changed by a tool";
    }
    if (!wanted.empty()) {
      ++version_;
      changed_at_ = now;
    }
    return status;
  }
  undo.pop_back();  // That one stayed as it was.
  for (auto it = undo.rbegin(); it != undo.rend(); ++it) {
    ChangeOne(*it->first, it->second).IgnoreError();
  }
  return status;
}

RuntimeSettings::Apply ApplyBool(std::function<void(bool)> set) {
  return [set = std::move(set)](const std::string& value) {
    if (value != "true" && value != "false") {
      return absl::InvalidArgumentError("must be true or false");
    }
    set(value == "true");
    return absl::OkStatus();
  };
}

}  // namespace totora::service
