#include "remoting/command.h"

#include <cstring>

namespace totora::remoting {
namespace {

constexpr absl::string_view kLanguageNames[] = {
    "JAVA",  "CPP",  "DOTNET", "PYTHON", "DELPHI", "ERLANG", "RUBY",
    "OTHER", "HTTP", "GO",     "PHP",    "OMS",    "RUST",   "NODE_JS",
};
constexpr uint8_t kLanguages = sizeof(kLanguageNames) / sizeof(kLanguageNames[0]);

// Most pairs of names differ in length or in the first letter, and those of
// sends are one letter: this is cheaper than a call to memcmp.
bool IsSame(absl::string_view a, absl::string_view b) {
  if (a.size() != b.size()) return false;
  if (a.empty()) return true;
  return a[0] == b[0] && (a.size() == 1 || std::memcmp(a.data(), b.data(), a.size()) == 0);
}

}  // namespace

absl::string_view LanguageName(Language language) {
  const auto code = static_cast<uint8_t>(language);
  return code < kLanguages ? kLanguageNames[code] : "OTHER";
}

Language LanguageFromName(absl::string_view name) {
  for (uint8_t code = 0; code < kLanguages; ++code) {
    if (kLanguageNames[code] == name) return static_cast<Language>(code);
  }
  return Language::kUnknown;
}

Language LanguageFromCode(uint8_t code) {
  return code < kLanguages ? static_cast<Language>(code) : Language::kUnknown;
}

std::optional<absl::string_view> FieldList::Find(absl::string_view name, size_t* hint) const {
  const size_t size = fields_.size();
  const Field* const fields = fields_.data();
  for (size_t i = 0, at = *hint; i < size; ++i, ++at) {
    if (at >= size) at = 0;
    if (!IsSame(fields[at].name, name)) continue;
    *hint = at + 1;
    return fields[at].value;
  }
  return std::nullopt;
}

void FieldList::Put(absl::string_view name, absl::string_view value) {
  const uint64_t mark = MarkOf(name);
  if ((marks_ & mark) != 0) {
    for (Field& field : fields_) {
      if (!IsSame(field.name, name)) continue;
      field.value = value;
      return;
    }
  }
  marks_ |= mark;
  fields_.push_back({name, value});
}

void FieldList::Erase(absl::string_view name) {
  for (auto field = fields_.begin(); field != fields_.end(); ++field) {
    if (!IsSame(field->name, name)) continue;
    fields_.erase(field);
    return;
  }
}

}  // namespace totora::remoting
