#include "remoting/json_text.h"

#include <array>
#include <cstdint>
#include <cstring>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace totora::remoting {
namespace {

bool IsSpace(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// The four digits at `at`; -1 if they are not.
int32_t HexUnit(const char* at, const char* end) {
  if (end - at < 4) return -1;
  int32_t unit = 0;
  for (int i = 0; i < 4; ++i) {
    const int digit = HexDigit(at[i]);
    if (digit < 0) return -1;
    unit = unit * 16 + digit;
  }
  return unit;
}

char* AppendUtf8(uint32_t point, char* to) {
  if (point < 0x80) {
    *to++ = static_cast<char>(point);
  } else if (point < 0x800) {
    *to++ = static_cast<char>(0xC0 | (point >> 6));
    *to++ = static_cast<char>(0x80 | (point & 0x3F));
  } else if (point < 0x10000) {
    *to++ = static_cast<char>(0xE0 | (point >> 12));
    *to++ = static_cast<char>(0x80 | ((point >> 6) & 0x3F));
    *to++ = static_cast<char>(0x80 | (point & 0x3F));
  } else {
    *to++ = static_cast<char>(0xF0 | (point >> 18));
    *to++ = static_cast<char>(0x80 | ((point >> 12) & 0x3F));
    *to++ = static_cast<char>(0x80 | ((point >> 6) & 0x3F));
    *to++ = static_cast<char>(0x80 | (point & 0x3F));
  }
  return to;
}

// What becomes of each byte inside a string of ours: 0 as it is, 'u' a \u
// escape, else the letter behind a backslash.
constexpr std::array<char, 256> kEscapes = [] {
  std::array<char, 256> escapes{};
  for (size_t c = 0; c < 0x20; ++c) escapes[c] = 'u';
  escapes['"'] = '"';
  escapes['\\'] = '\\';
  escapes['\b'] = 'b';
  escapes['\f'] = 'f';
  escapes['\n'] = 'n';
  escapes['\r'] = 'r';
  escapes['\t'] = 't';
  return escapes;
}();

char EscapeOf(char c) { return kEscapes[static_cast<unsigned char>(c)]; }

}  // namespace

void JsonScanner::SkipSpace() {
  while (at_ != end_ && IsSpace(*at_)) ++at_;
}

char JsonScanner::Peek() {
  SkipSpace();
  return at_ == end_ ? '\0' : *at_;
}

bool JsonScanner::Take(char c) {
  SkipSpace();
  if (at_ == end_ || *at_ != c) return false;
  ++at_;
  return true;
}

bool JsonScanner::String(absl::string_view* raw, bool* has_escapes) {
  if (!Take('"')) return false;
  const char* const begin = at_;
  *has_escapes = false;
  for (const char* at = begin; at != end_; ++at) {
    if (*at == '"') {
      *raw = absl::string_view(begin, static_cast<size_t>(at - begin));
      at_ = at + 1;
      return true;
    }
    if (*at == '\\') {
      *has_escapes = true;
      if (++at == end_) return false;
    }
  }
  return false;
}

bool JsonScanner::Number(absl::string_view* text) {
  SkipSpace();
  const char* const begin = at_;
  const auto digits = [this] {
    const char* const first = at_;
    while (at_ != end_ && absl::ascii_isdigit(static_cast<unsigned char>(*at_))) ++at_;
    return at_ != first;
  };
  if (at_ != end_ && *at_ == '-') ++at_;
  if (!digits()) return false;
  if (at_ != end_ && *at_ == '.') {
    ++at_;
    if (!digits()) return false;
  }
  if (at_ != end_ && (*at_ == 'e' || *at_ == 'E')) {
    ++at_;
    if (at_ != end_ && (*at_ == '-' || *at_ == '+')) ++at_;
    if (!digits()) return false;
  }
  *text = absl::string_view(begin, static_cast<size_t>(at_ - begin));
  return true;
}

bool JsonScanner::Literal(absl::string_view* text) {
  SkipSpace();
  const absl::string_view rest(at_, static_cast<size_t>(end_ - at_));
  for (const absl::string_view word : {"true", "false", "null"}) {
    if (rest.substr(0, word.size()) != word) continue;
    *text = rest.substr(0, word.size());
    at_ += word.size();
    return true;
  }
  return false;
}

bool JsonScanner::Value(absl::string_view* text, int depth) {
  SkipSpace();
  const char* const begin = at_;
  bool ok = false;
  bool has_escapes = false;
  absl::string_view ignored;
  switch (Peek()) {
    case '"':
      ok = String(&ignored, &has_escapes);
      break;
    case '{':
      ok = Composite('}', depth);
      break;
    case '[':
      ok = Composite(']', depth);
      break;
    case 't':
    case 'f':
    case 'n':
      ok = Literal(&ignored);
      break;
    default:
      ok = Number(&ignored);
  }
  *text = absl::string_view(begin, static_cast<size_t>(at_ - begin));
  return ok;
}

bool JsonScanner::Key(absl::string_view* text, int depth) {
  switch (Peek()) {
    case 't':
    case 'f':
    case 'n':
      return false;
    default:
      return Value(text, depth);
  }
}

bool JsonScanner::Composite(char close, int depth) {
  if (depth >= kJsonDepthMax) return false;
  ++at_;  // The bracket, which the caller has seen.
  if (Take(close)) return true;
  absl::string_view ignored;
  do {
    if (close == '}' && !(Key(&ignored, depth + 1) && Take(':'))) return false;
    if (!Value(&ignored, depth + 1)) return false;
  } while (Take(','));
  return Take(close);
}

size_t UnescapeJson(absl::string_view raw, char* to) {
  const char* at = raw.data();
  const char* const end = at + raw.size();
  char* out = to;
  while (at != end) {
    const void* slash = std::memchr(at, '\\', static_cast<size_t>(end - at));
    const size_t plain =
        static_cast<size_t>((slash == nullptr ? end : static_cast<const char*>(slash)) - at);
    if (out != at) std::memmove(out, at, plain);
    out += plain;
    at += plain;
    if (at == end) break;
    if (++at == end) return absl::string_view::npos;
    switch (const char letter = *at++) {
      case '"':
      case '\\':
      case '/':
      case '\'':
        *out++ = letter;
        break;
      case 'b':
        *out++ = '\b';
        break;
      case 'f':
        *out++ = '\f';
        break;
      case 'n':
        *out++ = '\n';
        break;
      case 'r':
        *out++ = '\r';
        break;
      case 't':
        *out++ = '\t';
        break;
      case 'u': {
        const int32_t unit = HexUnit(at, end);
        if (unit < 0) return absl::string_view::npos;
        at += 4;
        uint32_t point = static_cast<uint32_t>(unit);
        if (point >= 0xD800 && point < 0xDC00 && end - at >= 6 && at[0] == '\\' && at[1] == 'u') {
          const int32_t low = HexUnit(at + 2, end);
          if (low >= 0xDC00 && low < 0xE000) {
            point = 0x10000 + ((point - 0xD800) << 10) + static_cast<uint32_t>(low - 0xDC00);
            at += 6;
          }
        }
        if (point >= 0xD800 && point < 0xE000) point = 0xFFFD;
        out = AppendUtf8(point, out);
        break;
      }
      default:
        return absl::string_view::npos;
    }
  }
  return static_cast<size_t>(out - to);
}

void AppendJsonString(absl::string_view text, std::string* to) {
  static constexpr char kHex[] = "0123456789abcdef";
  to->push_back('"');
  size_t written = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const char escape = EscapeOf(text[i]);
    if (escape == 0) continue;
    to->append(text.data() + written, i - written);
    written = i + 1;
    const char c = text[i];
    const char digits[] = {'\\', escape, '0', '0', kHex[c >> 4 & 15], kHex[c & 15]};
    to->append(digits, escape == 'u' ? 6 : 2);
  }
  to->append(text.data() + written, text.size() - written);
  to->push_back('"');
}

namespace {

class Rewriter {
 public:
  Rewriter(absl::string_view text, size_t values_max) : scanner_(text), values_left_(values_max) {
    out_.reserve(text.size() + text.size() / 8);
  }

  absl::StatusOr<std::string> Run() {
    if (!Value(0) || !scanner_.AtEnd()) {
      return absl::InvalidArgumentError(values_left_ == 0 ? "JSON with too many values"
                                                          : "malformed JSON");
    }
    return std::move(out_);
  }

 private:
  bool Value(int depth) {
    if (values_left_ == 0) return false;
    --values_left_;
    const char first = scanner_.Peek();
    if (first == '{' || first == '[') return Composite(first, depth);
    absl::string_view text;
    if (!scanner_.Value(&text)) return false;
    out_.append(text.data(), text.size());
    return true;
  }

  bool Composite(char open, int depth) {
    if (depth >= kJsonDepthMax) return false;
    const char close = open == '{' ? '}' : ']';
    scanner_.Take(open);
    out_.push_back(open);
    bool first = true;
    if (scanner_.Peek() != close) {
      do {
        if (!first) out_.push_back(',');
        first = false;
        if (open == '{' && !Key()) return false;
        if (!Value(depth + 1)) return false;
      } while (scanner_.Take(','));
    }
    out_.push_back(close);
    return scanner_.Take(close);
  }

  bool Key() {
    if (values_left_ == 0) return false;
    --values_left_;
    absl::string_view key;
    if (!scanner_.Key(&key) || !scanner_.Take(':')) return false;
    if (key[0] == '"') {
      out_.append(key.data(), key.size());
    } else {
      AppendJsonString(key, &out_);
    }
    out_.push_back(':');
    return true;
  }

  JsonScanner scanner_;
  size_t values_left_;
  std::string out_;
};

}  // namespace

absl::StatusOr<std::string> StandardJson(absl::string_view text, const JsonLimits& limits) {
  if (text.size() > limits.bytes_max) {
    return absl::InvalidArgumentError(
        absl::StrCat("JSON of ", text.size(), " bytes, at most ", limits.bytes_max, " are read"));
  }
  return Rewriter(text, limits.values_max).Run();
}

}  // namespace totora::remoting
