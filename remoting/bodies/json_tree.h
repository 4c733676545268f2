// A JSON text taken apart, with fastjson's ideas of what may stand for what.
// jsoncpp is behind it and stays there. Internal to bodies.
#ifndef TOTORA_REMOTING_BODIES_JSON_TREE_H_
#define TOTORA_REMOTING_BODIES_JSON_TREE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "remoting/json_text.h"

namespace Json {
class Value;
}  // namespace Json

namespace totora::remoting {

// A value within a tree, which it must not outlive. A member that is not there
// is a null, as in Java.
//
// Thread safety: value; a tree does not change.
class JsonNode {
 public:
  explicit JsonNode(const Json::Value* value) : value_(value) {}

  bool is_null() const;
  bool is_object() const;
  bool is_array() const;

  // REQUIRES: is_object().
  JsonNode Member(absl::string_view name) const;
  // In the order of their names. A key that was no string in the text is here
  // as its text.
  std::vector<std::pair<std::string, JsonNode>> Members() const;

  // REQUIRES: is_array().
  size_t size() const;
  JsonNode At(size_t i) const;

  // False if the value cannot be taken so. Numbers may stand in quotes and the
  // other way round; fractions are cut off; booleans may be numbers.
  bool To(std::string* to) const;
  bool To(int32_t* to) const;
  bool To(int64_t* to) const;
  bool To(double* to) const;
  bool To(bool* to) const;

 private:
  const Json::Value* value_;
};

class JsonTree {
 public:
  // Errors: InvalidArgument for what StandardJson refuses, and for numbers and
  //   escapes that make no sense.
  static absl::StatusOr<JsonTree> Parse(absl::string_view text, const JsonLimits& limits = {});

  JsonTree(JsonTree&&) noexcept;
  JsonTree& operator=(JsonTree&&) noexcept;
  ~JsonTree();

  JsonNode root() const { return JsonNode(root_.get()); }

 private:
  explicit JsonTree(std::unique_ptr<Json::Value> root);

  std::unique_ptr<Json::Value> root_;
};

}  // namespace totora::remoting

#endif  // TOTORA_REMOTING_BODIES_JSON_TREE_H_
