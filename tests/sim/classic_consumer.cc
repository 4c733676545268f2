#include "tests/sim/classic_consumer.h"

#include <algorithm>
#include <optional>

#include "absl/strings/str_cat.h"
#include "message/message.h"
#include "message/topic.h"
#include "remoting/header/offsets.h"
#include "remoting/header/pull.h"
#include "remoting/header/send.h"
#include "tests/sim/classic_records.h"

namespace totora::sim {
namespace {

constexpr absl::Duration kTimeout = absl::Seconds(3);
constexpr absl::Duration kSuspend = absl::Seconds(4);
constexpr absl::Duration kAgain = absl::Milliseconds(150);
constexpr char kReaderTag[] = "A";

bool Has(const remoting::Command& answer, remoting::ResponseCode code) {
  return answer.code == static_cast<int32_t>(code);
}

std::vector<message::StoredMessageView> MessagesOf(const ClassicWorld& world,
                                                   const remoting::Command& answer) {
  std::vector<message::StoredMessageView> messages;
  for (absl::string_view rest = answer.body.view(); !rest.empty();) {
    const auto view = message::StoredMessageView::Parse(rest);
    if (!view.ok() || !view->CheckBody().ok()) {
      world.violation("a message that was pulled is garbled");
      break;
    }
    messages.push_back(*view);
    rest.remove_prefix(view->size());
  }
  return messages;
}

}  // namespace

// --- Whose queues are whose -------------------------------------------------------------

// Every member comes to the same conclusion out of the same list (AllocateMessageQueueAveragely).
void ClassicConsumer::MembersKnown(const std::vector<std::string>& members) {
  const auto self = std::find(members.begin(), members.end(), id()) - members.begin();
  std::vector<Queue> all;
  for (uint32_t queue = 0; queue < kClassicQueues; ++queue) all.emplace_back(kClassicTopic, queue);
  all.emplace_back(message::RetryTopic(group()), 0);
  std::set<Queue> mine;
  for (size_t i = 0; i < all.size(); ++i) {
    if (i % members.size() == static_cast<size_t>(self)) mine.insert(all[i]);
  }
  std::vector<Queue> lost;
  for (const auto& [queue, work] : queues_) {
    if (!mine.contains(queue)) lost.push_back(queue);
  }
  for (const Queue& queue : lost) GiveBack(queue);
  for (const Queue& queue : mine) {
    if (!queues_.contains(queue)) Take(queue);
  }
}

ClassicConsumer::Work* ClassicConsumer::Find(const Queue& queue, uint64_t number) {
  const auto it = queues_.find(queue);
  return it == queues_.end() || it->second.number != number ? nullptr : &it->second;
}

void ClassicConsumer::Take(const Queue& queue) {
  ++world_->counts.takeovers;
  const uint64_t number = ++works_;
  queues_[queue] = {.number = number};
  AskOffset(queue, number);
}

void ClassicConsumer::GiveBack(const Queue& queue) {
  const Work work = queues_[queue];
  queues_.erase(queue);
  if (work.has_offset && work.next > work.stored) Report(queue, work.next);
}

// --- Offsets ------------------------------------------------------------------------------

void ClassicConsumer::AskOffset(const Queue& queue, uint64_t number) {
  remoting::QueryConsumerOffsetRequest header;
  header.consumer_group = group();
  header.topic = queue.first;
  header.queue_id = static_cast<int32_t>(queue.second);
  header.set_zero_if_not_found = world_->random().Chance(0.5);
  Ask(remoting::RequestCode::kQueryConsumerOffset, header, kTimeout,
      [this, queue, number, before = world_->records->StoredOffset(queue)](
          const absl::StatusOr<remoting::Command>& answer) {
        const bool is_unknown = answer.ok() && Has(*answer, remoting::ResponseCode::kQueryNotFound);
        std::optional<uint64_t> found;
        if (IsOk(answer)) {
          const auto reply = remoting::ReadFields<remoting::OffsetReply>(answer->fields);
          if (reply.ok()) found = static_cast<uint64_t>(reply->offset);
        }
        if (found || is_unknown) {
          ++world_->counts.offset_queries;
          world_->records->OffsetFound(queue, before, found);
        }
        Work* const work = Find(queue, number);
        if (work == nullptr) return;
        if (!found && !is_unknown) {
          return After(kAgain, [this, queue, number] {
            if (Find(queue, number) != nullptr) AskOffset(queue, number);
          });
        }
        work->has_offset = true;
        work->next = work->stored = found.value_or(0);
        Pull(queue, number);
      });
}

void ClassicConsumer::ReportLater() {
  After(Some(absl::Milliseconds(500), absl::Milliseconds(2500)), [this] {
    for (const auto& [queue, work] : queues_) {
      if (work.has_offset && work.next > work.stored) Report(queue, work.next);
    }
    ReportLater();
  });
}

void ClassicConsumer::Report(const Queue& queue, uint64_t offset) {
  if (!is_connected()) return;
  world_->records->OffsetReported(queue, offset);
  remoting::UpdateConsumerOffsetRequest header;
  header.consumer_group = group();
  header.topic = queue.first;
  header.queue_id = static_cast<int32_t>(queue.second);
  header.commit_offset = static_cast<int64_t>(offset);
  Ask(remoting::RequestCode::kUpdateConsumerOffset, header, kTimeout,
      [this, queue, offset](const absl::StatusOr<remoting::Command>& answer) {
        if (!IsOk(answer)) return;
        ++world_->counts.offsets_stored;
        world_->records->OffsetStored(queue, offset);
        const auto it = queues_.find(queue);
        if (it != queues_.end()) it->second.stored = std::max(it->second.stored, offset);
      });
}

// --- Pulls -------------------------------------------------------------------------------

void ClassicConsumer::Pull(const Queue& queue, uint64_t number) {
  const Work* const work = Find(queue, number);
  if (work == nullptr) return;
  remoting::PullMessageRequest header;
  header.consumer_group = group();
  header.topic = queue.first;
  header.queue_id = static_cast<int32_t>(queue.second);
  header.queue_offset = static_cast<int64_t>(work->next);
  header.max_message_nums = 1 + static_cast<int32_t>(world_->random().Below(32));
  header.sys_flag = remoting::kPullSuspend | remoting::kPullSubscription;
  header.suspend_timeout_millis = absl::ToInt64Milliseconds(kSuspend);
  header.subscription = "*";
  if (world_->random().Chance(0.1)) {
    header.sys_flag |= remoting::kPullCommitOffset;
    header.commit_offset = header.queue_offset;
    world_->records->OffsetReported(queue, work->next);
  }
  Ask(remoting::RequestCode::kPullMessage, header, kSuspend + kTimeout,
      [this, queue, number, asked = work->next](const absl::StatusOr<remoting::Command>& answer) {
        uint64_t next = asked;
        const bool at_once = answer.ok() && Pulled(queue, asked, *answer, &next);
        Work* const now = Find(queue, number);
        if (now == nullptr) return;
        now->next = next;
        After(at_once ? absl::ZeroDuration() : kAgain,
              [this, queue, number] { Pull(queue, number); });
      });
}

bool ClassicConsumer::Pulled(const Queue& queue, uint64_t asked, const remoting::Command& answer,
                             uint64_t* next) {
  const std::string where = absl::StrCat("queue ", queue.second, " of ", queue.first);
  const bool is_found = Has(answer, remoting::ResponseCode::kSuccess);
  const bool is_moved = Has(answer, remoting::ResponseCode::kPullOffsetMoved);
  if (!is_found && !is_moved && !Has(answer, remoting::ResponseCode::kPullNotFound) &&
      !Has(answer, remoting::ResponseCode::kPullRetryImmediately)) {
    return false;
  }
  const auto reply = remoting::ReadFields<remoting::PullMessageReply>(answer.fields);
  if (!reply.ok()) {
    world_->violation("a pull was answered without its fields");
    return false;
  }
  ++world_->counts.pulls;
  uint64_t expected = asked;
  if (is_found) {
    for (const message::StoredMessageView& message : MessagesOf(*world_, answer)) {
      if (message.queue_offset().value() != expected) {
        world_->violation(absl::StrCat("a pull of ", where, " showed offset ",
                                       message.queue_offset().value(), " in the place of ",
                                       expected));
        return false;
      }
      world_->records->Seen(queue.first, queue.second, message);
      Consume(queue, message);
      ++expected;
    }
    world_->counts.pulled += expected - asked;
  } else {
    ++world_->counts.waits;
  }
  if (is_moved || static_cast<uint64_t>(reply->next_begin_offset) != expected) {
    world_->violation(absl::StrCat("a pull of ", where, " at ", asked, " was told to go on at ",
                                   reply->next_begin_offset, " with code ", answer.code));
    return false;
  }
  *next = expected;
  return true;
}

void ClassicConsumer::Consume(const Queue& queue, const message::StoredMessageView& message) {
  world_->records->Consumed(queue.first, queue.second, message.queue_offset().value());
  const bool is_retry = queue.first != kClassicTopic;
  // What comes of it must be over in time.
  if (world_->is_producing && world_->random().Chance(is_retry ? 0.7 : 0.03)) SendBack(message);
}

// Once: a consumer that gets no answer sends the message itself.
void ClassicConsumer::SendBack(const message::StoredMessageView& message) {
  if (!is_connected()) return;
  const std::string id(message.Property(message::kUniqueKeyProperty));
  const int32_t times = message.reconsume_times();
  remoting::ConsumerSendMessageBackRequest header;
  header.offset = static_cast<int64_t>(message.position().value());
  header.group = group();
  header.max_reconsume_times = kClassicReconsumeMax;
  // Level 3 for the first attempt, and so on.
  world_->records->SendBack(id, times, world_->LogTimeMs() + kSimDelayLevelsMs[2 + times]);
  Ask(remoting::RequestCode::kConsumerSendMessageBack, header, kTimeout,
      [this, id, times](const absl::StatusOr<remoting::Command>& answer) {
        if (!IsOk(answer)) return;
        ++world_->counts.sent_back;
        world_->records->SentBack(id, times);
      });
}

// --- With a filter ------------------------------------------------------------------------

void ClassicReader::Read() {
  next_.resize(kClassicQueues);
  shown_.resize(kClassicQueues);
  Pull();
}

void ClassicReader::Pull() {
  if (world_->random().Chance(0.1)) return Probe();
  const auto queue = static_cast<uint32_t>(world_->random().Below(kClassicQueues));
  remoting::PullMessageRequest header;
  header.consumer_group = "classic-readers";
  header.topic = kClassicTopic;
  header.queue_id = static_cast<int32_t>(queue);
  header.queue_offset = static_cast<int64_t>(next_[queue]);
  header.max_message_nums = 32;
  header.sys_flag = remoting::kPullSubscription | remoting::kPullSuspend;
  header.suspend_timeout_millis = 1000;
  header.subscription = kReaderTag;
  Ask(remoting::RequestCode::kPullMessage, header, kTimeout,
      [this, queue](const absl::StatusOr<remoting::Command>& answer) {
        Pulled(queue, answer);
        After(Some(absl::Milliseconds(50), absl::Milliseconds(400)), [this] { Pull(); });
      });
}

void ClassicReader::Pulled(uint32_t queue, const absl::StatusOr<remoting::Command>& answer) {
  if (!answer.ok()) return;
  const bool is_found = Has(*answer, remoting::ResponseCode::kSuccess);
  if (!is_found && !Has(*answer, remoting::ResponseCode::kPullNotFound) &&
      !Has(*answer, remoting::ResponseCode::kPullRetryImmediately)) {
    return;
  }
  const auto reply = remoting::ReadFields<remoting::PullMessageReply>(answer->fields);
  const uint64_t next = reply.ok() ? static_cast<uint64_t>(reply->next_begin_offset) : 0;
  if (!reply.ok() || next < next_[queue]) {
    return world_->violation("a pull with a filter went backwards");
  }
  if (is_found) {
    for (const message::StoredMessageView& message : MessagesOf(*world_, *answer)) {
      const uint64_t offset = message.queue_offset().value();
      if (offset < next_[queue] || offset >= next || !shown_[queue].insert(offset).second) {
        world_->violation("a pull with a filter showed what it should not");
      }
      world_->records->Seen(kClassicTopic, queue, message);
      ++world_->counts.filtered;
    }
  }
  next_[queue] = next;
  world_->records->Filtered(queue, kReaderTag, next, shown_[queue]);
}

// Beyond the end, or before the begin: the answer says where there is something.
void ClassicReader::Probe() {
  const auto queue = static_cast<uint32_t>(world_->random().Below(kClassicQueues));
  const bool is_beyond = world_->random().Chance(0.5);
  const uint64_t end = world_->records->KnownEnd(kClassicTopic, queue);
  remoting::PullMessageRequest header;
  header.consumer_group = "classic-readers";
  header.topic = kClassicTopic;
  header.queue_id = static_cast<int32_t>(queue);
  header.queue_offset = is_beyond ? static_cast<int64_t>(end) + 100'000 : -7;
  header.max_message_nums = 1;
  header.sys_flag = remoting::kPullSubscription;
  header.subscription = "*";
  Ask(remoting::RequestCode::kPullMessage, header, kTimeout,
      [this, is_beyond, end](const absl::StatusOr<remoting::Command>& answer) {
        After(Some(absl::Milliseconds(50), absl::Milliseconds(400)), [this] { Pull(); });
        if (!answer.ok()) return;
        if (IsOk(answer)) return world_->violation("a pull found what cannot be there");
        if (!Has(*answer, remoting::ResponseCode::kPullOffsetMoved)) return;
        const auto reply = remoting::ReadFields<remoting::PullMessageReply>(answer->fields);
        const int64_t next = reply.ok() ? reply->next_begin_offset : -1;
        ++world_->counts.corrections;
        if (is_beyond ? next < static_cast<int64_t>(end) : next != 0) {
          world_->violation(absl::StrCat("a pull far from a queue with ", end,
                                         " messages was sent to ", next));
        }
      });
}

}  // namespace totora::sim
