#include "tests/sim/classic_client.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "remoting/frame.h"

namespace totora::sim {
namespace {
constexpr absl::Duration kReconnectMax = absl::Milliseconds(40);
}  // namespace

ClassicClient::ClassicClient(ClassicWorld* world, std::string id)
    : world_(world),
      id_(std::move(id)),
      host_(absl::StrCat("10.0.", world->next_client / 250, ".", 1 + world->next_client % 250)),
      serializer_(world->random().Chance(0.5) ? remoting::Serializer::kJson
                                              : remoting::Serializer::kCompact) {
  ++world->next_client;
}

void ClassicClient::After(absl::Duration delay, std::function<void()> task) {
  world_->scheduler->At(world_->scheduler->now() + delay, nullptr,
                        [this, task = std::move(task)] {
                          if (!is_stopped_ && !world_->is_over) task();
                        });
}

// --- The connection -----------------------------------------------------------------

void ClassicClient::ConnectLater() {
  if (std::exchange(is_connecting_, true)) return;
  After(Some(absl::Milliseconds(1), kReconnectMax), [this] { Connect(); });
}

void ClassicClient::Connect() {
  is_connecting_ = false;
  const ReplicaId at = world_->all[world_->random().Below(world_->all.size())];
  Process* const process = world_->reach(at);
  if (process == nullptr) return ConnectLater();
  replica_ = at;
  connection_ = ++world_->next_connection;
  ClassicLink::Client client;
  client.on_frame = [this, number = connection_](const std::string& frame) {
    if (connection() == number) Received(frame);
  };
  client.on_closed = [this, number = connection_](ClassicLink::End end) {
    if (connection() == number) Ended(end == ClassicLink::End::kProcessDied);
  };
  link_ = process->Connect(connection_, host_, std::move(client));
  Connected(was_clean_);
}

void ClassicClient::Ended(bool is_clean) {
  link_ = nullptr;
  was_clean_ = is_clean;
  if (!is_clean) LeftLiveBroker();
  ConnectLater();
  for (auto& [opaque, answer] : std::exchange(pending_, {})) {
    answer(absl::UnavailableError("the connection ended"));
  }
}

void ClassicClient::GiveUpConnection() {
  link_->CloseByClient();
  Ended(!link_->life()->is_alive);
}

void ClassicClient::Stop() {
  if (std::exchange(is_stopped_, true)) return;
  if (link_ != nullptr) link_->CloseByClient();
  link_ = nullptr;
  pending_.clear();
}

// --- Requests ------------------------------------------------------------------------

void ClassicClient::Ask(remoting::RequestCode code, const remoting::FieldBuffer& fields,
                        std::string body, absl::Duration timeout, Answer answer) {
  if (link_ == nullptr) {
    After(absl::Milliseconds(10), [answer = std::move(answer)] {
      answer(absl::UnavailableError("there is no connection"));
    });
    return;
  }
  const int32_t opaque = ++next_opaque_;
  const remoting::Head head{.code = static_cast<int32_t>(code),
                            .opaque = opaque,
                            .serializer = serializer_,
                            .language = remoting::Language::kJava};
  std::string frame;
  TOTORA_CHECK(remoting::AppendFrameHead(head, fields, body.size(), &frame).ok());
  frame += body;
  pending_.emplace(opaque, std::move(answer));
  link_->Send(std::move(frame));
  if (world_->random().Chance(world_->break_chance)) {
    ++world_->counts.links_broken;
    After(Some(absl::ZeroDuration(), absl::Milliseconds(8)),
          [this, link = link_] {
            if (link == link_) LinkBroke();
            link->Break();
          });
  }
  After(timeout, [this, opaque] {
    const auto it = pending_.find(opaque);
    if (it == pending_.end()) return;
    const Answer late = std::move(it->second);
    pending_.erase(it);
    GiveUpConnection();
    late(absl::DeadlineExceededError("no answer"));
  });
}

void ClassicClient::Received(const std::string& frame) {
  absl::string_view rest = frame;
  while (!rest.empty()) {
    const absl::StatusOr<size_t> size = remoting::FrameSize(rest);
    const absl::StatusOr<remoting::Command> command =
        size.ok() && *size > 0 && *size <= rest.size()
            ? remoting::DecodeFrame(rest.substr(0, *size))
            : absl::DataLossError("half a frame");
    if (!command.ok()) {
      world_->violation("a broker wrote what is no frame: " + command.status().ToString());
      return;
    }
    rest.remove_prefix(*size);
    if (!command->is_response()) continue;  // A notice: lists are asked for anyway.
    const auto it = pending_.find(command->opaque);
    if (it == pending_.end()) continue;
    const Answer answer = std::move(it->second);
    pending_.erase(it);
    answer(*command);
    if (link_ == nullptr) return;
  }
}

}  // namespace totora::sim
