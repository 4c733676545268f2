#include "remoting/fields.h"

#include <charconv>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace totora::remoting {
namespace {

template <typename T>
bool ParseInteger(absl::string_view text, T* to) {
  // from_chars knows '-' only.
  if (text.size() > 1 && text[0] == '+' && text[1] != '-') text.remove_prefix(1);
  T value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return false;
  *to = value;
  return true;
}

}  // namespace

bool ParseJava(absl::string_view text, int32_t* to) { return ParseInteger(text, to); }
bool ParseJava(absl::string_view text, int64_t* to) { return ParseInteger(text, to); }
bool ParseJava(absl::string_view text, double* to) { return absl::SimpleAtod(text, to); }
bool ParseJava(absl::string_view text, bool* to) {
  *to = absl::EqualsIgnoreCase(text, "true");
  return true;
}

void FieldReader::FailNull(absl::string_view name) {
  if (!status_.ok()) return;
  status_ = absl::InvalidArgumentError(absl::StrCat("the custom field <", name, "> is null"));
}

void FieldReader::FailUnreadable(absl::string_view name, absl::string_view text) {
  if (!status_.ok()) return;
  status_ =
      absl::InvalidArgumentError(absl::StrCat("the custom field <", name, "> is not a number: \"",
                                              absl::CHexEscape(text.substr(0, 40)), "\""));
}

}  // namespace totora::remoting
