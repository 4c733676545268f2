#include "tests/sim/classic_producer.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "message/message.h"
#include "message/properties.h"
#include "message/topic.h"
#include "remoting/header/send.h"
#include "tests/sim/classic_records.h"

namespace totora::sim {
namespace {

constexpr absl::Duration kTimeout = absl::Seconds(3);
// As often as Java and Go try: the first time and three more.
constexpr int kAttemptsMax = 4;
// Java begins no attempt when the time of one is over, Go three in a row: 3 s each.
constexpr absl::Duration kBeginsNoMoreAfter = absl::Seconds(9);
// Surely prompt for the broker too (service/deliberate_repeats.h).
constexpr absl::Duration kSurelyPrompt = absl::Seconds(2);
constexpr absl::Duration kPause = absl::Milliseconds(40);
constexpr size_t kSmoothMax = 400;

}  // namespace

void ClassicProducer::Produce() {
  is_idle_ = false;
  SendNext();
}

ClassicProducer::Message ClassicProducer::MakeMessage() {
  Random& random = world_->random();
  Message message;
  message.id = absl::StrCat(id(), "-", ++sequence_);
  message.queue = static_cast<uint32_t>(random.Below(kClassicQueues));
  message.tag = random.Chance(0.5) ? "A" : "B";
  if (!random.Chance(0.12)) return message;
  message.queue = 0;
  switch (random.Below(3)) {
    case 0: {
      const uint64_t level = 1 + random.Below(18);
      message.delivery_property = message::kDelayLevelProperty;
      message.delivery_value = absl::StrCat(level);
      message.delay_ms = kSimDelayLevelsMs[level - 1];
      break;
    }
    case 1:
      message.delay_ms = 1 + static_cast<int64_t>(random.Below(5000));
      message.delivery_property = "TIMER_DELAY_MS";
      message.delivery_value = absl::StrCat(message.delay_ms);
      break;
    default:
      // By the client's own clock, which is right.
      message.deliver_at_ms =
          absl::ToUnixMillis(SimClock(world_->scheduler).WallNow()) +
          static_cast<int64_t>(random.Below(5000));
      message.delivery_property = "TIMER_DELIVER_MS";
      message.delivery_value = absl::StrCat(message.deliver_at_ms);
  }
  return message;
}

void ClassicProducer::SendNext() {
  if (!world_->is_producing) {
    is_idle_ = true;
    return;
  }
  Random& random = world_->random();
  if (!smooth_.empty() && random.Chance(0.08)) {
    const Smooth last = smooth_.back();
    if (last.was_prompt && last.connection == connection()) {
      smooth_.pop_back();
      return Begin(Kind::kDeliberate, last.message, last.connection);
    }
  }
  if (!smooth_.empty() && random.Chance(0.04) && connection() != 0) {
    const Smooth oldest = smooth_.front();
    if (oldest.connection != connection() &&
        world_->records->passed_ms() - oldest.passed_ms > kRetryWindowMs) {
      smooth_.pop_front();
      return Begin(Kind::kLate, oldest.message);
    }
  }
  Begin(Kind::kNew, MakeMessage());
}

void ClassicProducer::Begin(Kind kind, Message message, uint64_t first_answered_at) {
  kind_ = kind;
  message_ = std::move(message);
  attempts_ = 0;
  began_at_ = world_->scheduler->now();
  first_answered_at_ = first_answered_at;
  steps_before_ = world_->records->steps();
  ++world_->counts.sent;
  if (message_.delivery_property.empty()) {
    call_ = world_->records->Begin(message_.id);
  } else {
    const int64_t due_ms = message_.deliver_at_ms > 0 ? message_.deliver_at_ms
                                                      : world_->LogTimeMs() + message_.delay_ms;
    world_->records->BeginDelayed(message_.id, due_ms);
  }
  Try();
}

void ClassicProducer::Try() {
  if (world_->scheduler->now() - began_at_ > kBeginsNoMoreAfter) return EndCall();
  if (!is_connected()) return After(absl::Milliseconds(10), [this] { Try(); });
  ++attempts_;
  if (attempts_ > 1) ++world_->counts.send_retries;
  const bool is_delayed = !message_.delivery_property.empty();
  std::string properties;
  const auto add = [&properties](absl::string_view name, absl::string_view value) {
    TOTORA_CHECK(message::AppendProperty(&properties, name, value).ok());
  };
  add(message::kUniqueKeyProperty, message_.id);
  add(message::kTagsProperty, message_.tag);
  if (is_delayed) add(message_.delivery_property, message_.delivery_value);
  remoting::SendMessageRequest header;
  header.producer_group = "classic-producers";
  header.topic = is_delayed ? kClassicDelayedTopic : kClassicTopic;
  header.default_topic = message::kAutoCreateTopic;
  header.default_topic_queue_nums = is_delayed ? 1 : static_cast<int32_t>(kClassicQueues);
  header.queue_id = static_cast<int32_t>(message_.queue);
  header.properties = properties;
  header.born_timestamp = absl::ToUnixMillis(SimClock(world_->scheduler).WallNow());
  const remoting::RequestCode code = remoting::RequestCode::kSendMessageV2;
  remoting::FieldBuffer fields;
  remoting::WriteSendMessage(
      header, remoting::SendFieldNamesOf(static_cast<int32_t>(code)), &fields);
  Ask(code, fields, message_.id, kTimeout,
      [this, number = connection(), asked_at = world_->scheduler->now()](
          const absl::StatusOr<remoting::Command>& answer) {
        Answered(number, asked_at, answer);
      });
}

void ClassicProducer::Answered(uint64_t connection, absl::Duration asked_at,
                               const absl::StatusOr<remoting::Command>& answer) {
  if (IsOk(answer)) {
    return Succeeded(connection, world_->scheduler->now() - asked_at, *answer);
  }
  if (attempts_ < kAttemptsMax) return Try();
  EndCall();  // The program is told that it failed. It may be stored all the same.
}

void ClassicProducer::Succeeded(uint64_t connection, absl::Duration took,
                                const remoting::Command& answer) {
  const auto reply = remoting::ReadFields<remoting::SendMessageReply>(answer.fields);
  if (!reply.ok()) {
    world_->violation("a send was answered without its fields");
    return EndCall();
  }
  if (!message_.delivery_property.empty()) {
    ++world_->counts.delayed;
    world_->records->AcknowledgedDelayed(message_.id);
    return EndCall();
  }
  const ClassicRecords::Place place{static_cast<uint32_t>(reply->queue_id),
                                    static_cast<uint64_t>(reply->queue_offset)};
  // On another connection, a repeat that was meant cannot be told from a retry.
  const bool is_smooth = attempts_ == 1;
  const bool is_distinct =
      is_smooth && (kind_ == Kind::kLate ||
                    (kind_ == Kind::kDeliberate && connection == first_answered_at_));
  if (is_distinct && kind_ == Kind::kDeliberate) ++world_->counts.deliberate;
  if (is_distinct && kind_ == Kind::kLate) ++world_->counts.late_repeats;
  world_->records->Acknowledged(message_.id, call_, place, is_distinct);
  world_->scheduler->Trace(place.offset << 8 | place.queue);
  if (is_smooth && kind_ == Kind::kNew) {
    smooth_.push_back({message_, connection, took < kSurelyPrompt, world_->scheduler->now(),
                       world_->records->passed_ms()});
    if (smooth_.size() > kSmoothMax) smooth_.pop_front();
  }
  EndCall();
}

void ClassicProducer::EndCall() {
  if (attempts_ > 1 && world_->records->steps() != steps_before_) {
    ++world_->counts.retries_over_steps;
  }
  After(Some(absl::Milliseconds(5), kPause), [this] { SendNext(); });
}

}  // namespace totora::sim
