#include "cli/output.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/check.h"

namespace totora::cli {
namespace {

namespace pb = google::protobuf;
using Json = nlohmann::ordered_json;

std::string Hint(const absl::Status& status) {
  const absl::string_view message = status.message();
  switch (status.code()) {
    case absl::StatusCode::kUnavailable:
      if (absl::StrContains(message, "onnect") || absl::StrContains(message, "refused")) {
        return "is it running there? Name the broker with --endpoint HOST:PORT, or the folder of a "
               "local cluster with --dir D; `totora local start --dir D` starts one";
      }
      return "nothing was changed; try again in a moment, `totora cluster status` shows who leads";
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kAborted:
      return "it may or may not have happened: look before you repeat it";
    case absl::StatusCode::kNotFound:
      if (absl::StrContains(message, "onsumer group") || absl::StrContains(message, "CONSUMER_GROUP")) {
        return "`totora consumer-group list` shows those that exist, `totora consumer-group create` "
               "makes one";
      }
      if (absl::StrContains(message, "opic") || absl::StrContains(message, "TOPIC")) {
        return "`totora topic list` shows those that exist, `totora topic create NAME` makes one";
      }
      return "";
    case absl::StatusCode::kAlreadyExists:
      return "--update changes what exists";
    case absl::StatusCode::kFailedPrecondition:
      return "ask the leader; `totora raft status` names it";
    case absl::StatusCode::kResourceExhausted:
      return "a limit was reached; wait, or send less at a time";
    case absl::StatusCode::kUnimplemented:
      return "the other end does not know this call: is it a Totora broker of this version, and the "
             "right one of its ports?";
    default:
      return "";
  }
}

Json ValueJson(const pb::Message& message, const pb::FieldDescriptor* field, int index) {
  const pb::Reflection* reflection = message.GetReflection();
  const bool many = field->is_repeated();
#define TOTORA_GET(Type)                                                  \
  (many ? reflection->GetRepeated##Type(message, field, index) \
        : reflection->Get##Type(message, field))
  switch (field->cpp_type()) {
    case pb::FieldDescriptor::CPPTYPE_INT32:
      return TOTORA_GET(Int32);
    case pb::FieldDescriptor::CPPTYPE_INT64:
      return TOTORA_GET(Int64);
    case pb::FieldDescriptor::CPPTYPE_UINT32:
      return TOTORA_GET(UInt32);
    case pb::FieldDescriptor::CPPTYPE_UINT64:
      return TOTORA_GET(UInt64);
    case pb::FieldDescriptor::CPPTYPE_DOUBLE:
      return TOTORA_GET(Double);
    case pb::FieldDescriptor::CPPTYPE_FLOAT:
      return TOTORA_GET(Float);
    case pb::FieldDescriptor::CPPTYPE_BOOL:
      return TOTORA_GET(Bool);
    case pb::FieldDescriptor::CPPTYPE_STRING:
      return TOTORA_GET(String);
    case pb::FieldDescriptor::CPPTYPE_ENUM:
      return absl::AsciiStrToLower(TOTORA_GET(Enum)->name());
    case pb::FieldDescriptor::CPPTYPE_MESSAGE:
      return ToJson(many ? reflection->GetRepeatedMessage(message, field, index)
                         : reflection->GetMessage(message, field));
  }
#undef TOTORA_GET
  return nullptr;
}

}  // namespace

ExitCode ExitCodeOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return kExitOk;
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kResourceExhausted:
      return kExitUnavailable;
    case absl::StatusCode::kNotFound:
      return kExitNotFound;
    case absl::StatusCode::kAlreadyExists:
      return kExitAlreadyExists;
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kAborted:
      return kExitUnknownOutcome;
    case absl::StatusCode::kInvalidArgument:
      return kExitUsage;
    default:
      return kExitFailed;
  }
}

std::string ErrorText(const absl::Status& status) {
  std::string text = absl::StrCat("error: ", status.message().empty()
                                                 ? absl::StatusCodeToString(status.code())
                                                 : std::string(status.message()),
                                  "\n");
  const std::string hint = Hint(status);
  if (!hint.empty()) absl::StrAppend(&text, "hint: ", hint, "\n");
  return text;
}

Json ToJson(const pb::Message& message) {
  Json json = Json::object();
  const pb::Descriptor* descriptor = message.GetDescriptor();
  const pb::Reflection* reflection = message.GetReflection();
  for (int i = 0; i < descriptor->field_count(); ++i) {
    const pb::FieldDescriptor* field = descriptor->field(i);
    if (field->is_repeated()) {
      Json list = Json::array();
      for (int k = 0; k < reflection->FieldSize(message, field); ++k) {
        list.push_back(ValueJson(message, field, k));
      }
      json[field->name()] = std::move(list);
    } else if (!field->has_presence() || reflection->HasField(message, field)) {
      json[field->name()] = ValueJson(message, field, 0);
    }
  }
  return json;
}

Table::Table(std::vector<std::string> header) { rows_.push_back(std::move(header)); }

void Table::Add(std::vector<std::string> row) {
  TOTORA_CHECK(row.size() == rows_.front().size()) << row.size();
  rows_.push_back(std::move(row));
}

std::string Table::Text() const {
  std::vector<size_t> widths(rows_.front().size());
  for (const auto& row : rows_) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (const auto& row : rows_) {
    for (size_t i = 0; i < row.size(); ++i) {
      text += row[i];
      if (i + 1 < row.size()) text.append(widths[i] - row[i].size() + 2, ' ');
    }
    text += '\n';
  }
  return text;
}

Progress::Progress() : is_terminal_(isatty(STDERR_FILENO) == 1) {}

Progress::~Progress() { Clear(); }

void Progress::Show(absl::string_view text) {
  if (!is_terminal_) return;
  std::fprintf(stderr, "\r\033[K%.*s", static_cast<int>(text.size()), text.data());
  std::fflush(stderr);
  is_shown_ = true;
}

void Progress::Clear() {
  if (!is_shown_) return;
  std::fprintf(stderr, "\r\033[K");
  std::fflush(stderr);
  is_shown_ = false;
}

}  // namespace totora::cli
