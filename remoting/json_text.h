// JSON as fastjson and the clients' other libraries write it: a scanner over
// text that says where things begin and end, and the escapes.
//
// Beyond the standard it takes what Java servers take: map keys that are bare
// numbers, and map keys that are objects ({{"queueId":0}:5}). A depth limit
// keeps hostile text from using up the stack.
#ifndef TOTORA_REMOTING_JSON_TEXT_H_
#define TOTORA_REMOTING_JSON_TEXT_H_

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace totora::remoting {

inline constexpr int kJsonDepthMax = 64;

// Moves over a text. Every method skips white space first; one that returns
// false leaves the scanner somewhere, and the text is to be given up.
//
// Thread safety: confined.
class JsonScanner {
 public:
  // `text` must outlive the scanner and what it returns.
  explicit JsonScanner(absl::string_view text)
      : at_(text.data()), end_(text.data() + text.size()) {}

  // The next byte that is not white space; 0 at the end.
  char Peek();
  bool AtEnd() { return Peek() == 0 && at_ == end_; }
  // Moves over `c` if it comes next.
  bool Take(char c);

  // What stands between the quotes, escapes and all.
  bool String(absl::string_view* raw, bool* has_escapes);
  bool Number(absl::string_view* text);
  // true, false or null.
  bool Literal(absl::string_view* text);
  // Any value; `text` is all of it.
  bool Value(absl::string_view* text) { return Value(text, 0); }
  // A map's key: "text", a bare number, or an object or array. `text` is all
  // of it, quotes included.
  bool Key(absl::string_view* text) { return Key(text, 0); }

 private:
  void SkipSpace();
  bool Value(absl::string_view* text, int depth);
  bool Key(absl::string_view* text, int depth);
  bool Composite(char close, int depth);

  const char* at_;
  const char* const end_;
};

// Resolves the escapes of `raw` into `to`, which has room for raw.size() bytes
// and may be raw.data() itself. Halves of surrogate pairs that stand alone
// become U+FFFD. Returns the number of bytes, or npos for an unknown escape.
size_t UnescapeJson(absl::string_view raw, char* to);

// Appends `text` as a JSON string. Bytes above 0x7f are passed on as they are.
void AppendJsonString(absl::string_view text, std::string* to);

struct JsonLimits {
  size_t bytes_max = 4u << 20;
  // Values and keys together: each costs the reader's tree about 100 bytes.
  size_t values_max = 300'000;
};

// Rewrites `text` as standard JSON: each key that is not a string becomes one
// (an object key becomes a string that holds its text).
//
// Errors: InvalidArgument for what is not JSON in the sense above, too deep, or
//   above the limits.
absl::StatusOr<std::string> StandardJson(absl::string_view text, const JsonLimits& limits = {});

}  // namespace totora::remoting

#endif  // TOTORA_REMOTING_JSON_TEXT_H_
