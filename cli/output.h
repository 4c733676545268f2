// What commands print, and the codes they end with.
#ifndef TOTORA_CLI_OUTPUT_H_
#define TOTORA_CLI_OUTPUT_H_

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace google::protobuf {
class Message;
}

namespace totora::cli {

// For scripts; docs/cli.md lists them.
enum ExitCode {
  kExitOk = 0,
  kExitFailed = 1,
  kExitUsage = 2,
  kExitUnavailable = 3,     // Nobody answers or nobody leads: try again.
  kExitNotFound = 4,
  kExitAlreadyExists = 5,
  kExitUnknownOutcome = 6,  // It may have happened.
  kExitInterrupted = 130,
};

ExitCode ExitCodeOf(const absl::Status& status);

// "error: …" and, where there is one, a line that says what to do next.
std::string ErrorText(const absl::Status& status);

// Field by field, in the order and with the names of the .proto; numbers are
// numbers, enums their names in lower case, unset lists [].
nlohmann::ordered_json ToJson(const google::protobuf::Message& message);

// A header and a line for each row, in columns as wide as needed.
class Table {
 public:
  explicit Table(std::vector<std::string> header);
  // REQUIRES: as many cells as the header has.
  void Add(std::vector<std::string> row);
  std::string Text() const;

 private:
  std::vector<std::vector<std::string>> rows_;  // The first is the header.
};

// One line on standard error that is written over again and again; nothing
// when standard error is no terminal.
//
// Thread safety: confined.
class Progress {
 public:
  Progress();
  ~Progress();
  void Show(absl::string_view text);
  void Clear();

 private:
  const bool is_terminal_;
  bool is_shown_ = false;
};

}  // namespace totora::cli

#endif  // TOTORA_CLI_OUTPUT_H_
