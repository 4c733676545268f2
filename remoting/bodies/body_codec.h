// How EncodeBody and DecodeBody are made: included by the .cc files of the
// bodies only. Internal to bodies.
//
// A body lists its members once, in a static function template
//   Visit(auto& self, auto& visitor) { visitor.Field("name", self.name); ... }
// in the alphabetical order of their names. Members are text, numbers, bool,
// enums with names, other bodies, and vectors, maps and optionals of these.
#ifndef TOTORA_REMOTING_BODIES_BODY_CODEC_H_
#define TOTORA_REMOTING_BODIES_BODY_CODEC_H_

#include <charconv>
#include <cmath>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "common/status.h"
#include "remoting/bodies/body.h"
#include "remoting/bodies/json_tree.h"
#include "remoting/bodies/message_queue.h"
#include "remoting/fields.h"
#include "remoting/json_text.h"

namespace totora::remoting {

// For an enum whose value i, from 0 on, is written as kNames[i]; one of -1
// means null.
template <typename Enum>
struct EnumNames;

// Thread safety: confined.
class BodyWriter {
 public:
  explicit BodyWriter(std::string* to) : to_(*to) {}

  template <typename T>
  void Field(absl::string_view name, const T& value) {
    if (IsNull(value)) return;
    if (!is_first_) to_.push_back(',');
    is_first_ = false;
    AppendJsonString(name, &to_);
    to_.push_back(':');
    Write(value);
  }

  template <typename Body>
  void Write(const Body& body) {
    if constexpr (requires { EnumNames<Body>::kNames; }) {
      AppendJsonString(EnumNames<Body>::kNames[static_cast<size_t>(body)], &to_);
    } else {
      to_.push_back('{');
      BodyWriter members(&to_);
      Body::Visit(body, members);
      to_.push_back('}');
    }
  }
  void Write(const std::string& text) { AppendJsonString(text, &to_); }
  void Write(int32_t number) { absl::StrAppend(&to_, number); }
  void Write(int64_t number) { absl::StrAppend(&to_, number); }
  void Write(bool value) { to_ += value ? "true" : "false"; }
  // As Java writes doubles: always with a point. JSON has no word for the rest.
  void Write(double number) {
    if (!std::isfinite(number)) number = 0;
    char text[32];
    const char* const end = std::to_chars(text, text + sizeof(text), number).ptr;
    const absl::string_view digits(text, static_cast<size_t>(end - text));
    to_.append(digits.data(), digits.size());
    if (digits.find_first_of(".e") == absl::string_view::npos) to_ += ".0";
  }
  template <typename T>
  void Write(const std::optional<T>& value) {
    Write(*value);  // Field has seen to the rest.
  }
  template <typename T>
  void Write(const std::vector<T>& items) {
    to_.push_back('[');
    for (size_t i = 0; i < items.size(); ++i) {
      if (i > 0) to_.push_back(',');
      Write(items[i]);
    }
    to_.push_back(']');
  }
  template <typename Key, typename T>
  void Write(const std::map<Key, T>& map) {
    to_.push_back('{');
    bool first = true;
    for (const auto& [key, value] : map) {
      if (!first) to_.push_back(',');
      first = false;
      WriteKey(key);
      to_.push_back(':');
      Write(value);
    }
    to_.push_back('}');
  }

 private:
  template <typename T>
  static bool IsNull(const T& value) {
    if constexpr (requires { EnumNames<T>::kNames; }) {
      return static_cast<int>(value) < 0;
    } else if constexpr (requires { value.has_value(); }) {
      return !value.has_value();
    } else {
      return false;
    }
  }

  void WriteKey(const std::string& key) { AppendJsonString(key, &to_); }
  // In quotes: old clients take both, fastjson2 may not take a bare number.
  void WriteKey(int64_t key) { absl::StrAppend(&to_, "\"", key, "\""); }
  // A bare object: a quoted one is read by fastjson 1 only.
  void WriteKey(const MessageQueue& key) { Write(key); }

  std::string& to_;
  bool is_first_ = true;
};

// Thread safety: confined.
class BodyReader {
 public:
  BodyReader(JsonNode node, absl::Status* status) : node_(node), status_(*status) {}

  template <typename T>
  void Field(absl::string_view name, T& to) {
    if (!status_.ok()) return;
    const JsonNode member = node_.Member(name);
    if (member.is_null()) return;
    if (Read(member, &to)) return;
    if (status_.ok()) {
      status_ =
          absl::InvalidArgumentError(absl::StrCat("JSON member ", name, " is of a wrong type"));
    } else {
      status_ = Annotate(status_, name);
    }
  }

  template <typename T>
  bool Read(JsonNode node, T* to) {
    if constexpr (requires { EnumNames<T>::kNames; }) {
      return ReadEnum(node, to);
    } else if constexpr (requires { node.To(to); }) {
      return node.To(to);
    } else {
      if (!node.is_object()) return false;
      BodyReader members(node, &status_);
      T::Visit(*to, members);
      return status_.ok();
    }
  }
  template <typename T>
  bool Read(JsonNode node, std::optional<T>* to) {
    return Read(node, &to->emplace());
  }
  template <typename T>
  bool Read(JsonNode node, std::vector<T>* to) {
    if (!node.is_array()) return false;
    const size_t size = node.size();
    to->clear();
    to->reserve(size);
    for (size_t i = 0; i < size; ++i) {
      if (node.At(i).is_null()) continue;  // Java's sets may hold one; it means nothing.
      if (!Read(node.At(i), &to->emplace_back())) return false;
    }
    return true;
  }
  template <typename Key, typename T>
  bool Read(JsonNode node, std::map<Key, T>* to) {
    if (!node.is_object()) return false;
    to->clear();
    for (const auto& [text, value] : node.Members()) {
      Key key{};
      if (!ReadKey(text, &key)) return false;
      if (value.is_null()) continue;
      if (!Read(value, &(*to)[std::move(key)])) return false;
    }
    return true;
  }

 private:
  // The name, or the ordinal, which C++ clients and fastjson know too. A name
  // that we do not know is null, as in fastjson.
  template <typename Enum>
  static bool ReadEnum(JsonNode node, Enum* to) {
    *to = static_cast<Enum>(-1);
    constexpr auto count = static_cast<int64_t>(std::size(EnumNames<Enum>::kNames));
    int64_t ordinal = 0;
    if (node.To(&ordinal)) {
      if (ordinal >= 0 && ordinal < count) *to = static_cast<Enum>(ordinal);
      return true;
    }
    std::string name;
    if (!node.To(&name)) return false;
    for (int64_t i = 0; i < count; ++i) {
      if (EnumNames<Enum>::kNames[static_cast<size_t>(i)] == name) *to = static_cast<Enum>(i);
    }
    return true;
  }

  static bool ReadKey(const std::string& text, std::string* to) {
    *to = text;
    return true;
  }
  static bool ReadKey(const std::string& text, int64_t* to) { return ParseJava(text, to); }
  bool ReadKey(const std::string& text, MessageQueue* to) {
    absl::StatusOr<JsonTree> tree = JsonTree::Parse(text);
    return tree.ok() && Read(tree->root(), to);
  }

  const JsonNode node_;
  absl::Status& status_;
};

template <typename Body>
std::string EncodeBody(const Body& body) {
  std::string text;
  BodyWriter(&text).Write(body);
  return text;
}

template <typename Body>
absl::StatusOr<Body> DecodeBody(absl::string_view text) {
  TOTORA_ASSIGN_OR_RETURN(const JsonTree tree, JsonTree::Parse(text));
  if (!tree.root().is_object()) return absl::InvalidArgumentError("JSON body is not an object");
  Body body;
  absl::Status status;
  BodyReader reader(tree.root(), &status);
  Body::Visit(body, reader);
  if (!status.ok()) return status;
  return body;
}

// Makes both functions for a body, in its .cc file.
#define TOTORA_JSON_BODY(Body)                  \
  template std::string EncodeBody(const Body&); \
  template absl::StatusOr<Body> DecodeBody(absl::string_view)

}  // namespace totora::remoting

#endif  // TOTORA_REMOTING_BODIES_BODY_CODEC_H_
