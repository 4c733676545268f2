// The JSON header. What is accepted follows fastjson as RocketMQ uses it
// (RemotingCommand.java): unknown keys are skipped, null is absent, numbers
// may stand in quotes, custom fields may be numbers or booleans, of several
// fields of one name the last one counts.
#include <algorithm>
#include <charconv>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "remoting/header_codec.h"
#include "remoting/json_text.h"

namespace totora::remoting {
namespace {

absl::Status Malformed(absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("JSON header: ", what));
}

class HeaderParser {
 public:
  HeaderParser(absl::string_view header, Command* command) : scanner_(header), command_(*command) {}

  absl::Status Run() {
    if (!scanner_.Take('{')) return Malformed("not an object");
    if (!scanner_.Take('}')) {
      do {
        absl::string_view key;
        if (!Key(&key)) return Malformed("malformed key");
        if (!Member(key)) return Malformed(absl::StrCat("malformed value of ", key.substr(0, 40)));
      } while (scanner_.Take(','));
      if (!scanner_.Take('}')) return Malformed("no end");
    }
    if (!scanner_.AtEnd()) return Malformed("text behind its end");
    return absl::OkStatus();
  }

 private:
  // The bytes are ours and mutable: DecodeJsonHeader got them so.
  static bool Resolve(absl::string_view* text) {
    char* const in_place = const_cast<char*>(text->data());
    const size_t size = UnescapeJson(*text, in_place);
    if (size == absl::string_view::npos) return false;
    *text = absl::string_view(in_place, size);
    return true;
  }

  bool Text(absl::string_view* text) {
    bool has_escapes = false;
    if (!scanner_.String(text, &has_escapes)) return false;
    return !has_escapes || Resolve(text);
  }

  bool Key(absl::string_view* key) {
    if (scanner_.Peek() == '"') {
      if (!Text(key)) return false;
    } else if (!scanner_.Key(key)) {
      return false;
    }
    return scanner_.Take(':');
  }

  bool Member(absl::string_view key) {
    if (key == "code") return Integer(&command_.code);
    if (key == "opaque") return Integer(&command_.opaque);
    if (key == "flag") return Integer(&command_.flag);
    if (key == "version") return Integer(&command_.version);
    if (key == "language") return LanguageValue();
    if (key == "remark") return TextOrNull(&command_.remark);
    if (key == "extFields") return Fields();
    absl::string_view ignored;
    return scanner_.Value(&ignored);
  }

  // A number, a number in quotes, or null, which changes nothing.
  bool Integer(int32_t* to) {
    absl::string_view text;
    switch (scanner_.Peek()) {
      case '"':
        if (!Text(&text)) return false;
        break;
      case 'n':
        return scanner_.Literal(&text);
      default:
        if (!scanner_.Number(&text)) return false;
    }
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *to);
    return error == std::errc() && end == text.data() + text.size();
  }

  // The enum's name; its ordinal is what fastjson would take as well.
  bool LanguageValue() {
    absl::string_view text;
    if (scanner_.Peek() == '"') {
      if (!Text(&text)) return false;
      command_.language = LanguageFromName(text);
      return true;
    }
    if (!scanner_.Value(&text)) return false;
    uint32_t code = 0;
    command_.language = absl::SimpleAtoi(text, &code) && code < 255
                            ? LanguageFromCode(static_cast<uint8_t>(code))
                            : Language::kUnknown;
    return true;
  }

  bool TextOrNull(absl::string_view* to) {
    if (scanner_.Peek() == '"') return Text(to);
    absl::string_view text;
    if (!scanner_.Value(&text)) return false;
    *to = text == "null" ? absl::string_view() : text;
    return true;
  }

  bool Fields() {
    absl::string_view text;
    if (scanner_.Peek() == 'n') return scanner_.Literal(&text);
    if (!scanner_.Take('{')) return false;
    if (scanner_.Take('}')) return true;
    do {
      absl::string_view name;
      if (++fields_ > kFieldsMax || !Key(&name)) return false;
      if (scanner_.Peek() == '"') {
        if (!Text(&text)) return false;
        command_.fields.Put(name, text);
        continue;
      }
      // A number or a boolean counts as its text; so does an object or an array.
      if (!scanner_.Value(&text)) return false;
      if (text == "null") {
        command_.fields.Erase(name);
      } else {
        command_.fields.Put(name, text);
      }
    } while (scanner_.Take(','));
    return scanner_.Take('}');
  }

  JsonScanner scanner_;
  Command& command_;
  size_t fields_ = 0;
};

constexpr absl::string_view kCode = "{\"code\":";
constexpr absl::string_view kFields = ",\"extFields\":{";
constexpr absl::string_view kFlag = ",\"flag\":";
constexpr absl::string_view kLanguage = ",\"language\":\"";
constexpr absl::string_view kOpaque = "\",\"opaque\":";
constexpr absl::string_view kRemark = ",\"remark\":";
constexpr absl::string_view kVersion = ",\"serializeTypeCurrentRPC\":\"JSON\",\"version\":";

// The decimal digits of a number.
struct Digits {
  explicit Digits(int32_t value)
      : size(static_cast<size_t>(std::to_chars(text, text + sizeof(text), value).ptr - text)) {}
  absl::string_view view() const { return absl::string_view(text, size); }

  char text[12];
  size_t size;
};

void Append(std::string* to, absl::string_view text) { to->append(text.data(), text.size()); }

}  // namespace

absl::Status DecodeJsonHeader(char* header, size_t size, Command* command) {
  return HeaderParser(absl::string_view(header, size), command).Run();
}

void AppendJsonHeader(const Head& head, const FieldBuffer& fields, std::string* to) {
  Append(to, kCode);
  Append(to, Digits(head.code).view());
  if (!fields.empty()) {
    Append(to, kFields);
    bool first = true;
    fields.ForEach([&](absl::string_view name, absl::string_view value) {
      if (!first) to->push_back(',');
      first = false;
      AppendJsonString(name, to);
      to->push_back(':');
      AppendJsonString(value, to);
    });
    to->push_back('}');
  }
  Append(to, kFlag);
  Append(to, Digits(head.flag).view());
  Append(to, kLanguage);
  Append(to, LanguageName(head.language));
  Append(to, kOpaque);
  Append(to, Digits(head.opaque).view());
  if (!head.remark.empty()) {
    Append(to, kRemark);
    AppendJsonString(head.remark, to);
  }
  Append(to, kVersion);
  Append(to, Digits(head.version).view());
  to->push_back('}');
}

}  // namespace totora::remoting
