#include "tests/scenarios/scenario.h"

#include <functional>
#include <map>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "tests/support/core_cluster.h"

namespace totora::raft {
namespace {

constexpr absl::string_view kDashes = "----";
constexpr absl::string_view kRemark = "    # ";

// Words, of which one in quotes may contain spaces.
std::vector<std::string> Words(absl::string_view line) {
  std::vector<std::string> words;
  bool is_quoted = false;
  bool is_open = false;
  for (char c : line) {
    if (c == '"') {
      if (!is_quoted) words.emplace_back();
      is_quoted = !is_quoted;
      is_open = false;
    } else if (c == ' ' && !is_quoted) {
      is_open = false;
    } else {
      if (!is_quoted && !is_open) words.emplace_back();
      is_open = !is_quoted;
      words.back().push_back(c);
    }
  }
  return words;
}

class Interpreter {
 public:
  absl::Status Run(absl::string_view line) {
    words_ = Words(line);
    if (words_.empty() || words_[0][0] == '#') return absl::OkStatus();
    ok_ = true;
    if (!Dispatch(words_[0])) ok_ = false;
    return ok_ ? absl::OkStatus() : absl::InvalidArgumentError(absl::StrCat("\"", line, "\""));
  }

  const std::vector<std::string>& printed() const { return printed_; }

 private:
  bool Dispatch(const std::string& verb) {
    if (verb == "replicas") return Replicas();
    if (!cluster_) return false;
    if (NeedsLife(verb) && !cluster_->IsUp(Replica(1))) return false;
    return Inputs(verb) || Network(verb) || Lives(verb) || Looks(verb);
  }

  static bool NeedsLife(absl::string_view verb) {
    for (absl::string_view one : {"campaign", "propose", "suspect", "transfer", "read", "tick",
                                  "reconnect", "persist", "report", "crash"}) {
      if (verb == one) return true;
    }
    return false;
  }

  bool Replicas() {
    const std::map<std::string, std::function<void(uint64_t)>> keys = {
        {"seed", [this](uint64_t v) { config_.seed = v; }},
        {"preferred", [this](uint64_t v) { config_.preferred_leader = ReplicaId(v); }},
        {"inflight_messages", [this](uint64_t v) { config_.inflight_messages_max = v; }},
        {"inflight_bytes", [this](uint64_t v) { config_.inflight_bytes_max = v; }},
        {"append_bytes", [this](uint64_t v) { config_.append_bytes_max = v; }},
        {"uncommitted_bytes", [this](uint64_t v) { config_.uncommitted_bytes_max = v; }},
        {"recent_entries", [this](uint64_t v) { config_.recent_entries_max = v; }}};
    for (size_t i = 2; i < words_.size(); ++i) {
      const std::vector<std::string> pair = absl::StrSplit(words_[i], '=');
      uint64_t value;
      if (pair.size() != 2 || keys.count(pair[0]) == 0 || !absl::SimpleAtoi(pair[1], &value)) {
        return false;
      }
      keys.at(pair[0])(value);
    }
    Reset(CoreCluster(static_cast<int>(Number(1)), config_));
    return true;
  }

  void Reset(CoreCluster cluster) {
    cluster_.emplace(std::move(cluster));
    cluster_->set_trace([this](const CoreCluster::Packet& packet) {
      if (is_tracing_) Print(Line(packet));
    });
  }

  bool Inputs(const std::string& verb) {
    if (verb == "logs") {
      Reset(CoreCluster::WithLogs({words_.begin() + 1, words_.end()}, config_));
    } else if (verb == "campaign") {
      cluster_->Campaign(Replica(1));
    } else if (verb == "propose") {
      if (words_.size() < 3) return false;
      const absl::StatusOr<EntryMeta> entry =
          cluster_->Propose(Replica(1), words_[2], static_cast<uint32_t>(Number(3, 100)));
      if (!entry.ok()) Print("propose: ", absl::StatusCodeToString(entry.status().code()));
    } else if (verb == "suspect") {
      cluster_->Suspect(Replica(1));
    } else if (verb == "transfer") {
      const absl::Status status = cluster_->Transfer(Replica(1), Replica(2));
      if (!status.ok()) Print("transfer: ", absl::StatusCodeToString(status.code()));
    } else if (verb == "read") {
      cluster_->Read(Replica(1), Number(2));
    } else if (verb == "tick") {
      cluster_->Tick(Replica(1), static_cast<int>(Number(2, 1)));
    } else if (verb == "run") {
      cluster_->Run(static_cast<int>(Number(1)));
    } else {
      return false;
    }
    return true;
  }

  bool Network(const std::string& verb) {
    const int max = static_cast<int>(Number(2, 1 << 30));
    if (verb == "deliver" && words_.size() > 1 && words_[1] == "all") {
      cluster_->Deliver();
    } else if (verb == "deliver") {
      cluster_->DeliverOnly(Link(1), max);
    } else if (verb == "drop") {
      cluster_->Drop(words_.size() > 1 && words_[1] == "all" ? Any() : Link(1), max);
    } else if (verb == "duplicate") {
      cluster_->Duplicate(Link(1));
    } else if (verb == "reorder") {
      cluster_->Shuffle(Number(1));
    } else if (verb == "cut") {
      const auto [from, to] = Ends(1);
      if (from == ReplicaId() || to == ReplicaId()) return false;
      cluster_->Cut(from, to);
    } else if (verb == "isolate") {
      cluster_->Isolate(Replica(1));
    } else if (verb == "heal") {
      cluster_->Heal(/*quietly=*/words_.size() > 1);
    } else if (verb == "reconnect") {
      cluster_->PeerReconnected(Replica(1), Replica(2));
    } else {
      return false;
    }
    return true;
  }

  bool Lives(const std::string& verb) {
    if (verb == "hold") {
      cluster_->HoldDisk(Replica(1));
    } else if (verb == "release") {
      cluster_->ReleaseDisk(Replica(1));
    } else if (verb == "mute") {
      cluster_->MuteDisk(Replica(1));
    } else if (verb == "report") {
      for (uint64_t i = Number(2, 1 << 30); i > 0 && cluster_->Report(Replica(1)); --i) continue;
    } else if (verb == "persist") {
      for (uint64_t i = Number(2, 1 << 30); i > 0 && cluster_->PersistOne(Replica(1)); --i) continue;
    } else if (verb == "crash") {
      cluster_->Crash(Replica(1), {.outputs = static_cast<int>(Number(2, 0)),
                                   .entries = static_cast<int>(Number(3, 0))});
    } else if (verb == "restart") {
      cluster_->Restart(Replica(1));
    } else {
      return false;
    }
    return true;
  }

  bool Looks(const std::string& verb) {
    if (verb == "trace" && words_.size() == 2) {
      is_tracing_ = words_[1] == "on";
    } else if (verb == "say") {
      words_.erase(words_.begin());
      Print("== ", absl::StrJoin(words_, " "));
    } else if (verb == "show" && words_.size() > 1) {
      return Show(words_[1]);
    } else {
      return false;
    }
    return true;
  }

  bool Show(const std::string& what) {
    if (what == "network") {
      for (const CoreCluster::Packet& packet : cluster_->in_flight()) Print(Line(packet));
      return true;
    }
    if (what == "match") {
      const ReplicaId leader = Replica(2);
      for (ReplicaId id : cluster_->ids()) {
        if (id == leader) continue;
        Print("n", id.value(), " match=", cluster_->core(leader).MatchOf(id).value());
      }
      return true;
    }
    for (ReplicaId id : cluster_->ids()) {
      if (what == "logs") {
        ShowLog(id);
      } else if (what == "disks") {
        const HardState& hard = cluster_->DiskHardStateOf(id);
        Print("n", id.value(), " term=", hard.term.value(), " vote=", hard.voted_for.value(),
              " disk=[", cluster_->DiskOf(id), "] waiting=", cluster_->WaitingForDisk(id),
              cluster_->IsUp(id)
                  ? absl::StrCat(" durable=", cluster_->core(id).durable_index().value())
                  : " down");
      } else if (what == "reads") {
        for (const ReadState& read : cluster_->ReadsOf(id)) {
          Print("n", id.value(), " read ", read.id, ": ",
                read.index ? absl::StrCat(read.index->value()) : "refused");
        }
      } else {
        return false;
      }
    }
    return true;
  }

  void ShowLog(ReplicaId id) {
    if (!cluster_->IsUp(id)) {
      Print("n", id.value(), " down disk=[", cluster_->EntriesOf(id), "]");
      return;
    }
    const Core& core = cluster_->core(id);
    std::string role;
    if (core.role() != Role::kFollower) {
      role = absl::StrCat(" ", RoleName(core.role()));
    } else if (core.leader() != ReplicaId()) {
      role = absl::StrCat(" follows n", core.leader().value());
    }
    Print("n", id.value(), " term=", core.term().value(), " commit=", core.commit_index().value(),
          " log=[", cluster_->EntriesOf(id), "]", role,
          core.is_transferring() ? " hands over" : "");
  }

  static std::string Line(const CoreCluster::Packet& packet) {
    return absl::StrCat(packet.from.value(), "->", packet.to.value(), " ",
                        Describe(packet.message));
  }

  template <typename... Args>
  void Print(const Args&... args) {
    printed_.push_back(absl::StrCat(args...));
  }

  uint64_t Number(size_t at, std::optional<uint64_t> otherwise = std::nullopt) {
    uint64_t value = 0;
    if (at < words_.size()) {
      // A verb that uses this word for something else asks in vain.
      if (!absl::SimpleAtoi(words_[at], &value)) return otherwise.value_or(0);
      return value;
    }
    if (!otherwise) ok_ = false;
    return otherwise.value_or(0);
  }

  ReplicaId Replica(size_t at) {
    const uint64_t value = Number(at);
    if (value >= 1 && value <= cluster_->ids().size()) return ReplicaId(value);
    ok_ = false;
    return kN1;
  }

  // "1->2", "*->2", "1->*"; 0 for the star.
  std::pair<ReplicaId, ReplicaId> Ends(size_t at) {
    std::pair<ReplicaId, ReplicaId> ends;
    const std::vector<std::string> parts =
        at < words_.size() ? absl::StrSplit(words_[at], "->") : std::vector<std::string>();
    if (parts.size() != 2) {
      ok_ = false;
      return ends;
    }
    for (auto [part, end] : {std::pair(&parts[0], &ends.first), std::pair(&parts[1], &ends.second)}) {
      uint32_t value = 0;
      if (*part != "*" && !absl::SimpleAtoi(*part, &value)) ok_ = false;
      *end = ReplicaId(value);
    }
    return ends;
  }

  CoreCluster::Filter Any() {
    return [](const CoreCluster::Packet&) { return true; };
  }

  CoreCluster::Filter Link(size_t at) {
    const auto ends = Ends(at);
    return [ends](const CoreCluster::Packet& packet) {
      return (ends.first == ReplicaId() || ends.first == packet.from) &&
             (ends.second == ReplicaId() || ends.second == packet.to);
    };
  }

  CoreConfig config_;
  std::optional<CoreCluster> cluster_;
  std::vector<std::string> words_;
  std::vector<std::string> printed_;
  bool is_tracing_ = false;
  bool ok_ = true;
};

}  // namespace

ScenarioText ParseScenario(absl::string_view file) {
  ScenarioText scenario;
  bool is_behind_dashes = false;
  for (absl::string_view line : absl::StrSplit(absl::StripSuffix(file, "\n"), '\n')) {
    if (!is_behind_dashes && line == kDashes) {
      is_behind_dashes = true;
      continue;
    }
    (is_behind_dashes ? scenario.expected : scenario.commands).emplace_back(line);
  }
  return scenario;
}

std::string WithoutRemark(absl::string_view line) {
  return std::string(absl::StripTrailingAsciiWhitespace(line.substr(0, line.find(kRemark))));
}

absl::StatusOr<std::vector<std::string>> RunScenario(const std::vector<std::string>& commands) {
  Interpreter interpreter;
  for (const std::string& line : commands) {
    const absl::Status status = interpreter.Run(line);
    if (!status.ok()) return status;
  }
  return interpreter.printed();
}

std::string RewriteScenario(const ScenarioText& scenario,
                            const std::vector<std::string>& printed) {
  std::map<std::string, std::string> with_remark;
  for (const std::string& line : scenario.expected) with_remark.emplace(WithoutRemark(line), line);
  std::string file = absl::StrCat(absl::StrJoin(scenario.commands, "\n"), "\n", kDashes, "\n");
  for (const std::string& line : printed) {
    const auto found = with_remark.find(line);
    absl::StrAppend(&file, found == with_remark.end() ? line : found->second, "\n");
  }
  return file;
}

}  // namespace totora::raft
