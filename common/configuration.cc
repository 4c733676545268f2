#include "common/configuration.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/check.h"
#include "common/status.h"

namespace totora {
namespace {

const char* KindName(SettingKind kind) {
  switch (kind) {
    case SettingKind::kText:
      return "text";
    case SettingKind::kCount:
      return "number";
    case SettingKind::kBytes:
      return "bytes (such as 64MiB)";
    case SettingKind::kDuration:
      return "duration (such as 30s)";
    case SettingKind::kBool:
      return "true or false";
  }
  return "";
}

bool ParseBytes(absl::string_view text, int64_t* bytes) {
  static constexpr std::pair<absl::string_view, int> kUnits[] = {
      {"GiB", 30}, {"MiB", 20}, {"KiB", 10}, {"B", 0}};
  int shift = 0;
  for (const auto& [unit, unit_shift] : kUnits) {
    if (absl::ConsumeSuffix(&text, unit)) {
      shift = unit_shift;
      break;
    }
  }
  if (!absl::SimpleAtoi(absl::StripAsciiWhitespace(text), bytes)) return false;
  if (*bytes < 0 || *bytes > (INT64_MAX >> shift)) return false;
  *bytes <<= shift;
  return true;
}

bool ParseNumber(SettingKind kind, absl::string_view text, int64_t* number) {
  switch (kind) {
    case SettingKind::kText:
      return true;
    case SettingKind::kCount:
      return absl::SimpleAtoi(text, number);
    case SettingKind::kBytes:
      return ParseBytes(text, number);
    case SettingKind::kDuration: {
      absl::Duration duration;
      if (!absl::ParseDuration(text, &duration)) return false;
      *number = absl::ToInt64Nanoseconds(duration);
      return true;
    }
    case SettingKind::kBool:
      *number = text == "true" ? 1 : 0;
      return text == "true" || text == "false";
  }
  return false;
}

size_t EditDistance(absl::string_view a, absl::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

absl::string_view Nearest(absl::string_view key, absl::Span<const SettingRow> rows) {
  absl::string_view best;
  size_t best_distance = SIZE_MAX;
  for (const SettingRow& row : rows) {
    std::vector<const char*> names = row.aliases;
    names.push_back(row.name);
    for (const char* name : names) {
      const size_t distance = EditDistance(key, name);
      if (distance < best_distance) {
        best_distance = distance;
        best = name;
      }
    }
  }
  return best;
}

const SettingRow* FindRow(absl::string_view key, absl::Span<const SettingRow> rows) {
  for (const SettingRow& row : rows) {
    if (key == row.name) return &row;
    for (const char* alias : row.aliases) {
      if (key == alias) return &row;
    }
  }
  return nullptr;
}

}  // namespace

absl::Status Configuration::ParseValue(const SettingRow& row, absl::string_view text,
                                       Value* value) {
  value->kind = row.kind;
  value->text = std::string(text);
  if (!ParseNumber(row.kind, text, &value->number)) {
    return absl::InvalidArgumentError(
        absl::StrCat(row.name, " = ", text, ": must be ", KindName(row.kind)));
  }
  int64_t bound = 0;
  if (*row.min != '\0' && ParseNumber(row.kind, row.min, &bound) && value->number < bound) {
    return absl::InvalidArgumentError(
        absl::StrCat(row.name, " = ", text, ": must be at least ", row.min));
  }
  if (*row.max != '\0' && ParseNumber(row.kind, row.max, &bound) && value->number > bound) {
    return absl::InvalidArgumentError(
        absl::StrCat(row.name, " = ", text, ": must be at most ", row.max));
  }
  return absl::OkStatus();
}

absl::StatusOr<Configuration> Configuration::Parse(absl::string_view path, absl::string_view text,
                                                   absl::Span<const SettingRow> rows,
                                                   absl::Span<const IgnoredKey> ignored) {
  Configuration configuration;
  for (const SettingRow& row : rows) {
    Value value;
    if (row.kind == SettingKind::kText || *row.fallback != '\0') {
      TOTORA_RETURN_IF_ERROR(ParseValue(row, row.fallback, &value));
    }
    configuration.values_[row.name] = value;
    for (const char* alias : row.aliases) configuration.aliases_[alias] = row.name;
  }
  int line_number = 0;
  std::map<std::string, int> seen;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    ++line_number;
    line = absl::StripAsciiWhitespace(line);
    if (line.empty() || line[0] == '#') continue;
    const std::string where = absl::StrCat(path, ":", line_number);
    const size_t equals = line.find('=');
    if (equals == absl::string_view::npos) {
      return absl::InvalidArgumentError(absl::StrCat(where, ": expected 'key = value'"));
    }
    const absl::string_view key = absl::StripAsciiWhitespace(line.substr(0, equals));
    const absl::string_view value_text = absl::StripAsciiWhitespace(line.substr(equals + 1));
    const SettingRow* row = FindRow(key, rows);
    if (row == nullptr) {
      const auto it = std::find_if(ignored.begin(), ignored.end(),
                                   [key](const IgnoredKey& i) { return key == i.name; });
      if (it == ignored.end()) {
        return absl::InvalidArgumentError(absl::StrCat(where, ": unknown key '", key,
                                                       "'; the nearest is '", Nearest(key, rows),
                                                       "'"));
      }
      configuration.warnings_.push_back(
          absl::StrCat(where, ": '", key, "' has no effect: ", it->reason));
      continue;
    }
    const auto [earlier, is_new] = seen.emplace(row->name, line_number);
    if (!is_new) {
      return absl::InvalidArgumentError(
          absl::StrCat(where, ": '", key, "' was set in line ", earlier->second, " already"));
    }
    Value value;
    TOTORA_RETURN_IF_ERROR(Annotate(ParseValue(*row, value_text, &value), where));
    configuration.values_[row->name] = value;
  }
  for (const SettingRow& row : rows) {
    if (!row.is_optional && configuration.values_[row.name].text.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ": '", row.name, "' must be set: ", row.help));
    }
  }
  return configuration;
}

const Configuration::Value& Configuration::Find(absl::string_view name, SettingKind kind) const {
  const auto it = values_.find(std::string_view(name.data(), name.size()));
  TOTORA_CHECK(it != values_.end()) << "no setting " << name;
  TOTORA_CHECK(it->second.kind == kind || it->second.text.empty()) << name << " is of another kind";
  return it->second;
}

const std::string& Configuration::Text(absl::string_view name) const {
  return Find(name, SettingKind::kText).text;
}
int64_t Configuration::Count(absl::string_view name) const {
  return Find(name, SettingKind::kCount).number;
}
uint64_t Configuration::Bytes(absl::string_view name) const {
  return static_cast<uint64_t>(Find(name, SettingKind::kBytes).number);
}
absl::Duration Configuration::Duration(absl::string_view name) const {
  return absl::Nanoseconds(Find(name, SettingKind::kDuration).number);
}
bool Configuration::Bool(absl::string_view name) const {
  return Find(name, SettingKind::kBool).number != 0;
}

std::map<std::string, std::string> Configuration::Texts() const {
  std::map<std::string, std::string> texts;
  for (const auto& [name, value] : values_) texts[name] = value.text;
  for (const auto& [alias, name] : aliases_) {
    const Value& value = values_.at(name);
    texts[alias] = value.kind == SettingKind::kBytes ? absl::StrCat(value.number) : value.text;
  }
  return texts;
}

std::string Configuration::Properties() const { return PropertiesText(Texts()); }

std::string PropertiesText(const std::map<std::string, std::string>& values) {
  std::string lines;
  for (const auto& [name, value] : values) {
    absl::StrAppend(
        &lines, name, "=",
        absl::StrReplaceAll(value, {{"\\", "\\\\"}, {"\n", "\\n"}, {"\r", "\\r"}}), "\n");
  }
  return lines;
}

std::string DescribeSettings(absl::Span<const SettingRow> rows) {
  std::string page = "| setting | default | bounds | what it does | RocketMQ's name |\n|---|---|---|---|---|\n";
  for (const SettingRow& row : rows) {
    std::string bounds;
    if (*row.min != '\0' || *row.max != '\0') bounds = absl::StrCat(row.min, " to ", row.max);
    std::string aliases;
    for (const char* alias : row.aliases) {
      absl::StrAppend(&aliases, aliases.empty() ? "" : ", ", "`", alias, "`");
    }
    absl::StrAppend(&page, "| `", row.name, "` | ",
                    *row.fallback == '\0' ? "" : absl::StrCat("`", row.fallback, "`"), " | ",
                    bounds, " | ", row.help, " | ", aliases, " |\n");
  }
  return page;
}

}  // namespace totora
