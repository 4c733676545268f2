#include "cli/output.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "cli/context.h"
#include "proto/admin.pb.h"

namespace totora::cli {
namespace {

TEST(ExitCode, TellsScriptsWhatToDo) {
  EXPECT_EQ(ExitCodeOf(absl::OkStatus()), 0);
  EXPECT_EQ(ExitCodeOf(absl::InternalError("")), 1);
  EXPECT_EQ(ExitCodeOf(absl::InvalidArgumentError("")), 2);
  EXPECT_EQ(ExitCodeOf(absl::UnavailableError("")), 3);
  EXPECT_EQ(ExitCodeOf(absl::NotFoundError("")), 4);
  EXPECT_EQ(ExitCodeOf(absl::AlreadyExistsError("")), 5);
  EXPECT_EQ(ExitCodeOf(absl::DeadlineExceededError("")), 6);
}

TEST(ErrorText, SaysWhatToDoNext) {
  EXPECT_EQ(ErrorText(absl::NotFoundError("topic t")),
            "error: topic t\n"
            "hint: `totora topic list` shows those that exist, `totora topic create NAME` makes "
            "one\n");
  EXPECT_EQ(ErrorText(absl::InternalError("odd")), "error: odd\n");
}

TEST(ToJson, PrintsNumbersAsNumbersAndEnumsAsWords) {
  admin::ReplicaOverview replica;
  replica.set_replica_id(2);
  replica.set_role(model::LEADER);
  replica.set_is_alive(true);
  replica.mutable_internal_address()->set_host("h");
  replica.mutable_internal_address()->set_port(1);

  EXPECT_EQ(ToJson(replica).dump(),
            R"({"replica_id":2,"process":"","role":"leader","is_alive":true,"listeners":[],)"
            R"("internal_address":{"host":"h","port":1}})");
}

TEST(Table, ColumnsAreAsWideAsTheirWidestCell) {
  Table table({"A", "B"});
  table.Add({"long", "1"});
  table.Add({"x", "22"});

  EXPECT_EQ(table.Text(), "A     B\nlong  1\nx     22\n");
}

TEST(ParseDurationText, TakesUnitsAndPlainSeconds) {
  EXPECT_EQ(*ParseDurationText("1m30s"), absl::Seconds(90));
  EXPECT_EQ(*ParseDurationText("250ms"), absl::Milliseconds(250));
  EXPECT_EQ(*ParseDurationText("2"), absl::Seconds(2));
  EXPECT_FALSE(ParseDurationText("soon").ok());
  EXPECT_FALSE(ParseDurationText("-1s").ok());
}

TEST(ParseBytesText, TakesBinaryUnits) {
  EXPECT_EQ(*ParseBytesText("1024"), 1024u);
  EXPECT_EQ(*ParseBytesText("64KiB"), 65536u);
  EXPECT_EQ(*ParseBytesText("4m"), 4194304u);
  EXPECT_FALSE(ParseBytesText("4 apples").ok());
  EXPECT_FALSE(ParseBytesText("").ok());
  EXPECT_FALSE(ParseBytesText("99999999999999GiB").ok());
}

int Totora(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "totora");
  return RunCommandLine(static_cast<int>(arguments.size()), arguments.data());
}

TEST(CommandLine, WrongUsageEndsWithTwo) {
  EXPECT_EQ(Totora({}), 2);
  EXPECT_EQ(Totora({"frobnicate"}), 2);
  EXPECT_EQ(Totora({"--output", "xml", "local", "status"}), 2);
  EXPECT_EQ(Totora({"local", "status"}), 2);  // Which folder?
  EXPECT_EQ(Totora({"topic", "create"}), 2);
  EXPECT_EQ(Totora({"topic", "create", "t", "--type", "round"}), 2);
  EXPECT_EQ(Totora({"bench", "send", "--topic", "t", "--batch", "0"}), 2);
  EXPECT_EQ(Totora({"--help"}), 0);
}

TEST(CommandLine, GlobalOptionsMayFollowTheCommand) {
  EXPECT_EQ(Totora({"local", "status", "--dir", "/nonexistent/cluster", "--output", "json"}), 4);
}

TEST(CommandLine, NobodyListeningEndsWithThree) {
  EXPECT_EQ(Totora({"cluster", "status", "--endpoint", "127.0.0.1:1"}), 3);
  EXPECT_EQ(Totora({"send", "--topic", "t", "--body", "x", "--endpoint", "127.0.0.1:1"}), 3);
}

}  // namespace
}  // namespace totora::cli
