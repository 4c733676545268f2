// Sending: from stored bytes to a place in a queue that a majority has on disk.
#ifndef TOTORA_BROKER_SERVICE_SEND_H_
#define TOTORA_BROKER_SERVICE_SEND_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "broker/service/command_log.h"
#include "broker/service/delivery_time.h"
#include "broker/service/topic_directory.h"
#include "store/commands.h"
#include "store/state_machine.h"

namespace totora::service {

// What recognises a repeated send: 16 bytes of topic, message id and body.
std::string MessageIdHash(absl::string_view topic, absl::string_view message_id, uint32_t body_crc);

struct OutgoingMessage {
  std::string stored;          // message/codec.h; its queue id is filled in here.
  std::string id_hash;         // MessageIdHash(); empty: no protection against repeats.
  bool is_deliberate = false;  // A repeat of this id is meant (deliberate_repeats.h).
  uint32_t retry_window_ms = 0;  // As in store::SendItem.
  uint32_t tag_hash = 0;       // 0 = no tag.
  DeliveryTime delivery{};
};

// Messages of one topic, one kind and one message group.
struct SendRequest {
  std::string topic;
  // Of the messages; never kMixed. Empty: the topic takes them whatever it is
  // for (classic clients do not say).
  std::optional<store::TopicType> type = store::TopicType::kNormal;
  std::string message_group;         // Not empty: all that share it go to one queue.
  std::optional<uint32_t> queue_id;  // The client's choice; wins over the message group.
  std::vector<OutgoingMessage> messages;
  absl::Duration give_up;  // Of the executor's steady clock.
};

// One item a message, in their order; a repeat has the place of the first, its
// position included as long as its queue holds it. Errors: kTopicNotFound,
// kTypeMismatch, kNotWritable, kNoSuchQueue; ResourceExhausted and Unavailable: nothing was stored,
// try again; DeadlineExceeded: it may be stored yet, a repeat finds out.
using SendDone = absl::AnyInvocable<void(absl::StatusOr<store::SendResult> result)>;

// Thread safety: any thread.
class MessageSender {
 public:
  // All must outlive the sender. `state` is looked at on the replica's executor only.
  MessageSender(CommandLog* log, const store::StateMachine* state, TopicDirectory* topics)
      : log_(log), state_(state), topics_(topics) {}

  // Places, encodes and submits on the calling thread: the replica's executor
  // never touches a body. `done` runs there, or here when the answer is known
  // at once.
  void Send(SendRequest request, SendDone done);

  // A disk without space takes no messages; what consumers write goes on in the
  // space that is kept in reserve. Sends end with ResourceExhausted meanwhile.
  void SetDiskFull(bool is_full) { is_disk_full_ = is_full; }

 private:
  void SendTo(TopicDirectory::Topic* topic, SendRequest request, SendDone done);
  // On the replica's executor.
  void FindPlacesOfRepeats(const std::string& topic, store::SendResult* result) const;

  CommandLog* const log_;
  const store::StateMachine* const state_;
  TopicDirectory* const topics_;
  std::atomic<bool> is_disk_full_{false};
};

}  // namespace totora::service

#endif  // TOTORA_BROKER_SERVICE_SEND_H_
