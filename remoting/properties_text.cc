#include "remoting/properties_text.h"

#include <cstdint>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace totora::remoting {
namespace {

bool IsBlank(char c) { return c == ' ' || c == '\t' || c == '\f'; }
bool IsLineEnd(char c) { return c == '\n' || c == '\r'; }

void AppendUtf8(uint32_t code, std::string* to) {
  if (code < 0x80) {
    to->push_back(static_cast<char>(code));
  } else if (code < 0x800) {
    to->push_back(static_cast<char>(0xc0 | code >> 6));
    to->push_back(static_cast<char>(0x80 | (code & 0x3f)));
  } else {
    to->push_back(static_cast<char>(0xe0 | code >> 12));
    to->push_back(static_cast<char>(0x80 | (code >> 6 & 0x3f)));
    to->push_back(static_cast<char>(0x80 | (code & 0x3f)));
  }
}

// Thread safety: confined.
class PropertiesReader {
 public:
  explicit PropertiesReader(absl::string_view text) : rest_(text) {}

  // At the first character of a key; false at the end.
  bool NextLine() {
    while (!rest_.empty()) {
      if (IsBlank(rest_[0]) || IsLineEnd(rest_[0])) {
        rest_.remove_prefix(1);
      } else if (rest_[0] == '#' || rest_[0] == '!') {
        while (!rest_.empty() && !IsLineEnd(rest_[0])) rest_.remove_prefix(1);
      } else {
        return true;
      }
    }
    return false;
  }

  absl::Status Key(std::string* key) {
    while (!rest_.empty() && !IsLineEnd(rest_[0]) && !IsBlank(rest_[0]) && rest_[0] != '=' &&
           rest_[0] != ':') {
      if (const absl::Status status = Character(key); !status.ok()) return status;
    }
    SkipBlanks();
    if (!rest_.empty() && (rest_[0] == '=' || rest_[0] == ':')) rest_.remove_prefix(1);
    SkipBlanks();
    return absl::OkStatus();
  }

  absl::Status Value(std::string* value) {
    while (!rest_.empty() && !IsLineEnd(rest_[0])) {
      if (const absl::Status status = Character(value); !status.ok()) return status;
    }
    return absl::OkStatus();
  }

 private:
  void SkipBlanks() {
    while (!rest_.empty() && IsBlank(rest_[0])) rest_.remove_prefix(1);
  }

  // One character, escaped or not; nothing if a line goes on.
  absl::Status Character(std::string* to) {
    const char c = Take();
    if (c != '\\') {
      to->push_back(c);
      return absl::OkStatus();
    }
    if (rest_.empty()) return absl::OkStatus();  // Java drops it, too.
    const char escaped = Take();
    switch (escaped) {
      case 't':
        to->push_back('\t');
        break;
      case 'n':
        to->push_back('\n');
        break;
      case 'r':
        to->push_back('\r');
        break;
      case 'f':
        to->push_back('\f');
        break;
      case 'u':
        return Unicode(to);
      case '\r':
        if (!rest_.empty() && rest_[0] == '\n') rest_.remove_prefix(1);
        SkipBlanks();
        break;
      case '\n':
        SkipBlanks();
        break;
      default:
        to->push_back(escaped);
    }
    return absl::OkStatus();
  }

  absl::Status Unicode(std::string* to) {
    uint32_t code = 0;
    if (rest_.size() < 4 || rest_.substr(0, 4).find_first_not_of("0123456789abcdefABCDEF") !=
                                absl::string_view::npos ||
        !absl::SimpleHexAtoi(rest_.substr(0, 4), &code)) {
      return absl::InvalidArgumentError("Malformed \\uxxxx encoding.");
    }
    rest_.remove_prefix(4);
    AppendUtf8(code, to);
    return absl::OkStatus();
  }

  char Take() {
    const char c = rest_[0];
    rest_.remove_prefix(1);
    return c;
  }

  absl::string_view rest_;
};

}  // namespace

absl::StatusOr<std::vector<std::pair<std::string, std::string>>> ParseProperties(
    absl::string_view text) {
  std::vector<std::pair<std::string, std::string>> properties;
  PropertiesReader reader(text);
  while (reader.NextLine()) {
    if (properties.size() == kPropertiesMax) {
      return absl::InvalidArgumentError(
          absl::StrCat("at most ", kPropertiesMax, " settings at a time"));
    }
    auto& [key, value] = properties.emplace_back();
    absl::Status status = reader.Key(&key);
    if (status.ok()) status = reader.Value(&value);
    if (!status.ok()) return status;
  }
  return properties;
}

}  // namespace totora::remoting
