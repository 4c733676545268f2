#include "remoting/bodies/json_tree.h"

#include <json/json.h>

#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "common/status.h"
#include "remoting/fields.h"

namespace totora::remoting {
namespace {

const Json::CharReaderBuilder& ReaderBuilder() {
  static const Json::CharReaderBuilder* const builder = [] {
    auto* made = new Json::CharReaderBuilder();
    Json::Value& settings = made->settings_;
    settings["collectComments"] = false;
    settings["allowComments"] = false;
    settings["allowTrailingCommas"] = false;
    settings["allowNumericKeys"] = true;
    settings["failIfExtra"] = true;
    settings["rejectDupKeys"] = false;  // The last one counts.
    // Above it jsoncpp throws; StandardJson lets nothing that deep through.
    settings["stackLimit"] = 4 * kJsonDepthMax;
    return made;
  }();
  return *builder;
}

}  // namespace

bool JsonNode::is_null() const { return value_->isNull(); }
bool JsonNode::is_object() const { return value_->isObject(); }
bool JsonNode::is_array() const { return value_->isArray(); }

JsonNode JsonNode::Member(absl::string_view name) const {
  const Json::Value* const member = value_->find(name.data(), name.data() + name.size());
  return JsonNode(member == nullptr ? &Json::Value::nullSingleton() : member);
}

std::vector<std::pair<std::string, JsonNode>> JsonNode::Members() const {
  std::vector<std::pair<std::string, JsonNode>> members;
  members.reserve(value_->size());
  for (auto member = value_->begin(); member != value_->end(); ++member) {
    members.emplace_back(member.name(), JsonNode(&*member));
  }
  return members;
}

size_t JsonNode::size() const { return value_->size(); }

JsonNode JsonNode::At(size_t i) const {
  return JsonNode(&(*value_)[static_cast<Json::ArrayIndex>(i)]);
}

bool JsonNode::To(std::string* to) const {
  if (!value_->isString() && !value_->isBool() && !value_->isNumeric()) return false;
  *to = value_->asString();
  return true;
}

bool JsonNode::To(int64_t* to) const {
  if (value_->isString()) return ParseJava(value_->asString(), to);
  if (value_->isInt64()) {
    *to = value_->asInt64();
    return true;
  }
  if (value_->type() != Json::realValue) return false;
  const double number = value_->asDouble();
  if (!(std::fabs(number) < 9.2e18)) return false;
  *to = static_cast<int64_t>(number);
  return true;
}

bool JsonNode::To(int32_t* to) const {
  int64_t wide = 0;
  if (!To(&wide) || wide < std::numeric_limits<int32_t>::min() ||
      wide > std::numeric_limits<int32_t>::max()) {
    return false;
  }
  *to = static_cast<int32_t>(wide);
  return true;
}

bool JsonNode::To(double* to) const {
  if (value_->isString()) return ParseJava(value_->asString(), to);
  if (!value_->isNumeric()) return false;
  *to = value_->asDouble();
  return true;
}

bool JsonNode::To(bool* to) const {
  if (value_->isBool()) {
    *to = value_->asBool();
    return true;
  }
  if (value_->isString()) return ParseJava(value_->asString(), to);
  int64_t number = 0;
  if (!To(&number)) return false;
  *to = number != 0;
  return true;
}

JsonTree::JsonTree(std::unique_ptr<Json::Value> root) : root_(std::move(root)) {}
JsonTree::JsonTree(JsonTree&&) noexcept = default;
JsonTree& JsonTree::operator=(JsonTree&&) noexcept = default;
JsonTree::~JsonTree() = default;

absl::StatusOr<JsonTree> JsonTree::Parse(absl::string_view text, const JsonLimits& limits) {
  TOTORA_ASSIGN_OR_RETURN(const std::string standard, StandardJson(text, limits));
  const std::unique_ptr<Json::CharReader> reader(ReaderBuilder().newCharReader());
  auto root = std::make_unique<Json::Value>();
  std::string errors;
  if (!reader->parse(standard.data(), standard.data() + standard.size(), root.get(), &errors)) {
    return absl::InvalidArgumentError(absl::StrCat("malformed JSON: ", errors.substr(0, 200)));
  }
  return JsonTree(std::move(root));
}

}  // namespace totora::remoting
