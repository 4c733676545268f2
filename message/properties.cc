#include "message/properties.h"

#include "absl/strings/str_cat.h"
#include "message/message.h"
#include "message/utf8.h"

namespace totora::message {
namespace {

constexpr char kNameEnd = '\x01';
constexpr char kValueEnd = '\x02';
constexpr char kSeparators[] = "\x01\x02";

struct Part {
  absl::string_view whole;  // With its final separator, if it has one.
  absl::string_view name;   // Empty: not a property.
  absl::string_view value;
};

// Cuts the first part off `*rest`. REQUIRES: not empty.
Part TakePart(absl::string_view* rest) {
  const size_t end = rest->find(kValueEnd);
  Part part;
  part.whole = end == absl::string_view::npos ? *rest : rest->substr(0, end + 1);
  const absl::string_view text = rest->substr(0, end);
  rest->remove_prefix(part.whole.size());

  const size_t name_end = text.find(kNameEnd);
  if (name_end != absl::string_view::npos) {
    part.name = text.substr(0, name_end);
    part.value = text.substr(name_end + 1);
  }
  return part;
}

absl::Status CheckProperty(absl::string_view name, absl::string_view value) {
  if (name.empty()) return absl::InvalidArgumentError("a property has an empty name");
  if (name.find_first_of(kSeparators) != absl::string_view::npos ||
      value.find_first_of(kSeparators) != absl::string_view::npos) {
    return absl::InvalidArgumentError("a property contains the control character 1 or 2");
  }
  return absl::OkStatus();
}

absl::Status TooLong(size_t bytes) {
  return absl::InvalidArgumentError(absl::StrCat("properties of ", bytes, " bytes, at most ",
                                                 kPropertiesBytesMax, " are allowed"));
}

}  // namespace

void ForEachProperty(
    absl::string_view packed,
    absl::FunctionRef<bool(absl::string_view name, absl::string_view value)> each) {
  while (!packed.empty()) {
    const Part part = TakePart(&packed);
    if (!part.name.empty() && !each(part.name, part.value)) return;
  }
}

std::optional<absl::string_view> FindProperty(absl::string_view packed, absl::string_view name) {
  std::optional<absl::string_view> found;
  if (name.empty()) return found;
  while (!packed.empty()) {
    const Part part = TakePart(&packed);
    if (part.name == name) found = part.value;
  }
  return found;
}

absl::string_view PropertyOr(absl::string_view packed, absl::string_view name,
                             absl::string_view otherwise) {
  return FindProperty(packed, name).value_or(otherwise);
}

absl::Status AppendProperty(std::string* packed, absl::string_view name, absl::string_view value) {
  if (absl::Status status = CheckProperty(name, value); !status.ok()) return status;
  // Clients may leave the last separator out.
  const bool needs_end = !packed->empty() && packed->back() != kValueEnd;
  const size_t bytes = packed->size() + (needs_end ? 1 : 0) + name.size() + 1 + value.size() + 1;
  if (bytes > kPropertiesBytesMax) return TooLong(bytes);

  if (needs_end) packed->push_back(kValueEnd);
  packed->append(name.data(), name.size());
  packed->push_back(kNameEnd);
  packed->append(value.data(), value.size());
  packed->push_back(kValueEnd);
  return absl::OkStatus();
}

absl::Status SetProperty(std::string* packed, absl::string_view name, absl::string_view value) {
  std::string changed = *packed;
  RemoveProperty(&changed, name);
  if (absl::Status status = AppendProperty(&changed, name, value); !status.ok()) return status;
  *packed = std::move(changed);
  return absl::OkStatus();
}

void RemoveProperty(std::string* packed, absl::string_view name) {
  if (!FindProperty(*packed, name).has_value()) return;
  std::string kept;
  kept.reserve(packed->size());
  absl::string_view rest = *packed;
  while (!rest.empty()) {
    const Part part = TakePart(&rest);
    if (part.name != name) kept.append(part.whole.data(), part.whole.size());
  }
  *packed = std::move(kept);
}

absl::Status CheckProperties(absl::string_view packed) {
  if (packed.size() > kPropertiesBytesMax) return TooLong(packed.size());
  return absl::OkStatus();
}

bool IsValidUtf8(absl::string_view text) {
  while (!text.empty()) {
    if (TakeCodePoint(&text) == kInvalidCodePoint) return false;
  }
  return true;
}

}  // namespace totora::message
