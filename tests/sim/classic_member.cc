#include "tests/sim/classic_member.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "remoting/bodies/client.h"
#include "remoting/bodies/queues.h"
#include "remoting/header/client.h"
#include "tests/sim/classic_records.h"
#include "tests/sim/membership.h"

namespace totora::sim {
namespace {

constexpr absl::Duration kTimeout = absl::Seconds(3);
// Lists may wait until somebody is known.
constexpr absl::Duration kListTimeout = absl::Seconds(8);
// As long as Java believes in a lock that it has not asked for again.
constexpr absl::Duration kLockBelief = absl::Seconds(30);

}  // namespace

ClassicMember::ClassicMember(ClassicWorld* world, std::string id, std::string group)
    : ClassicClient(world, std::move(id)),
      group_(std::move(group)),
      is_prompt_(world->random().Chance(0.4)),
      interval_(Some(absl::Seconds(4), absl::Seconds(25))) {}

// --- Heartbeats ---------------------------------------------------------------------

void ClassicMember::Connected(bool is_clean) {
  if (must_heartbeat_ || is_prompt_ || !is_clean) Heartbeat();
}

void ClassicMember::LeftLiveBroker() {
  must_heartbeat_ = true;
  world_->membership->Unsure(id());
}

void ClassicMember::LinkBroke() {
  broken_ = connection();
  world_->membership->Unsure(id());
}

void ClassicMember::Heartbeat() {
  ++heartbeat_;
  if (!is_connected()) return;  // Comes with the connection, or later.
  remoting::HeartbeatData data;
  data.client_id = id();
  remoting::ConsumerData& consumer = data.consumers.emplace_back();
  consumer.group_name = group_;
  consumer.consume_type = remoting::ConsumeType::kPassively;
  consumer.message_model = remoting::MessageModel::kClustering;
  consumer.consume_from_where = remoting::ConsumeFromWhere::kFirstOffset;
  remoting::SubscriptionData& subscription = consumer.subscriptions.emplace_back();
  subscription.topic = kClassicTopic;
  subscription.expression = "*";
  subscription.version = 1;
  Ask(remoting::RequestCode::kHeartbeat, remoting::FieldBuffer(), remoting::EncodeBody(data),
      kTimeout,
      [this, number = heartbeat_, life = life(),
       connection = connection()](const absl::StatusOr<remoting::Command>& answer) {
        if (!IsOk(answer) || connection != this->connection() || connection == broken_) {
          if (number == heartbeat_ && is_connected()) {
            After(absl::Milliseconds(500), [this, number] {
              if (number == heartbeat_) Heartbeat();
            });
          }
          return;
        }
        ++world_->counts.heartbeats;
        must_heartbeat_ = false;
        world_->membership->Registered(id(), group_, life);
        if (std::exchange(is_registered_, true)) return;
        HeartbeatLater();
        AskMembers();
        Registered();
      });
}

void ClassicMember::HeartbeatLater() {
  After(interval_, [this] {
    Heartbeat();
    HeartbeatLater();
  });
}

void ClassicMember::Leave() {
  remoting::UnregisterClientRequest header;
  header.client_id = id();
  header.consumer_group = group_;
  // The broker may know before the client hears that it does.
  is_leaving_ = true;
  world_->membership->Departed(id());
  // It goes with the answer, or without.
  Ask(remoting::RequestCode::kUnregisterClient, header, absl::Milliseconds(500),
      [this](const absl::StatusOr<remoting::Command>&) { Die(); });
}

void ClassicMember::Die() {
  world_->membership->Departed(id());
  Stop();
}

// --- Lists --------------------------------------------------------------------------

void ClassicMember::AskMembers() {
  After(Some(absl::Milliseconds(500), absl::Milliseconds(2500)), [this] {
    AskMembers();
    Process* const process = broker();
    if (process == nullptr) return;
    remoting::ConsumerGroupRequest header;
    header.consumer_group = group_;
    Ask(remoting::RequestCode::kGetConsumerListByGroup, header, kListTimeout,
        [this, must_know = world_->membership->MustKnow(id(), process)](
            const absl::StatusOr<remoting::Command>& answer) { SawMembers(must_know, answer); });
  });
}

void ClassicMember::SawMembers(bool must_know, const absl::StatusOr<remoting::Command>& answer) {
  if (!answer.ok()) return;
  std::vector<std::string> members;
  if (IsOk(answer)) {
    const auto body = remoting::DecodeBody<remoting::ConsumerListBody>(answer->body.view());
    if (!body.ok()) return world_->violation("a list of members cannot be read");
    members = body->consumer_ids;
  }
  must_know = must_know && !is_leaving_;
  if (must_know) ++world_->counts.member_checks;
  if (std::find(members.begin(), members.end(), id()) == members.end()) {
    if (must_know) {
      world_->violation(absl::StrCat(id(), " does not find itself among the ", members.size(),
                                     " members of its group"));
    }
    return;  // Java keeps what it has on an error; on a list without itself nobody does.
  }
  MembersKnown(members);
}

// --- Locks ---------------------------------------------------------------------------

std::string ClassicLocker::Body() const {
  remoting::LockBatchRequestBody body;
  body.client_id = id();
  body.consumer_group = group();
  for (int32_t queue = 0; queue < 2; ++queue) body.queues.push_back({"g1", queue, kClassicTopic});
  return remoting::EncodeBody(body);
}

void ClassicLocker::Lock() {
  const absl::Duration asked_at = world_->scheduler->now();
  const auto again = [this](absl::Duration low, absl::Duration high) {
    After(Some(low, high), [this] { renewals_-- > 0 ? Lock() : Unlock(); });
  };
  Ask(remoting::RequestCode::kLockBatchMq, remoting::FieldBuffer(), Body(), kTimeout,
      [this, asked_at, again](const absl::StatusOr<remoting::Command>& answer) {
        const auto body =
            IsOk(answer)
                ? remoting::DecodeBody<remoting::LockBatchResponseBody>(answer->body.view())
                : absl::UnavailableError("");
        if (!body.ok()) return again(absl::Milliseconds(100), absl::Milliseconds(300));
        for (const remoting::MessageQueue& queue : body->locked) {
          ++world_->counts.locks;
          world_->records->Locked(static_cast<uint32_t>(queue.queue_id), id(),
                                  world_->scheduler->now(), asked_at + kLockBelief);
        }
        if (renewals_ <= 0) renewals_ = static_cast<int>(world_->random().Below(4));
        again(absl::Milliseconds(300), absl::Milliseconds(1500));
      });
}

void ClassicLocker::Unlock() {
  for (uint32_t queue = 0; queue < 2; ++queue) world_->records->Unlocked(queue, id());
  Ask(remoting::RequestCode::kUnlockBatchMq, remoting::FieldBuffer(), Body(), kTimeout,
      [this](const absl::StatusOr<remoting::Command>&) {
        After(Some(absl::Milliseconds(300), absl::Seconds(2)), [this] { Lock(); });
      });
}

}  // namespace totora::sim
